using Microsoft.AspNetCore.Http.Features;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>Who may call an endpoint. Every endpoint carries one; without it, it is closed to all.</summary>
/// <param name="Scopes">What the credential must have; <see cref="Scopes.None"/> with <paramref name="IsOpen"/>: no credential is asked
/// for.</param>
sealed record Access(Scopes Scopes, bool IsOpen)
{
    public static readonly Access Open = new(Scopes.None, IsOpen: true);
    public static readonly Access Send = new(Scopes.Send, IsOpen: false);
    public static readonly Access Read = new(Scopes.Read, IsOpen: false);
    public static readonly Access Manage = new(Scopes.Manage, IsOpen: false);
    public static readonly Access Admin = new(Scopes.Admin, IsOpen: false);

    /// <summary>What concerns all tenants: an administrator of the first one, who runs the installation.</summary>
    public static readonly Access Installation = Admin with { IsForInstallation = true };

    /// <summary>Numbers about the whole process, for a key of the first tenant that may read; on an address of
    /// <c>POSTRIDER_ADMIN_URLS</c> for everybody.</summary>
    public static readonly Access Monitoring = Read with { IsForInstallation = true, IsOpenToAdmins = true };

    /// <summary>The same, with a key everywhere.</summary>
    public static readonly Access InstallationReading = Read with { IsForInstallation = true };

    /// <summary>No credential is asked for where only those who run the installation come.</summary>
    public bool IsOpenToAdmins { get; init; }

    /// <summary>Only for the first tenant.</summary>
    public bool IsForInstallation { get; init; }

    /// <summary>What goes on sending by itself: recorded as management is, though it takes no more than the right to send.</summary>
    public static readonly Access SendLater = Send with { IsRecorded = true };

    bool IsRecorded { get; init; }

    /// <summary>Changes by it are recorded in the audit.</summary>
    public bool IsManagement => IsRecorded || (Scopes & (Scopes.Manage | Scopes.Admin)) != 0;

    /// <summary>Any valid credential.</summary>
    public static readonly Access Known = new(Scopes.None, IsOpen: false);
}

/// <summary>Marks calls that take new mail: refused while the process drains.</summary>
sealed class TakesMail
{
    public static readonly TakesMail Instance = new();
}

/// <summary>Says at an endpoint who may call it.</summary>
static class AccessExtensions
{
    extension<T>(T builder) where T : IEndpointConventionBuilder
    {
        public T For(Access access)
        {
            builder.WithMetadata(access);
            return builder;
        }

        /// <summary>Parameters that it does not read are let be.</summary>
        public T TakingAnyParameters()
        {
            builder.WithMetadata(AnyParameters.Instance);
            return builder;
        }

        public T TakingMail()
        {
            builder.WithMetadata(TakesMail.Instance);
            return builder;
        }
    }

    extension(HttpContext context)
    {
        /// <summary>Who calls; the gate has put it there for every endpoint that is not open.</summary>
        public Principal Caller => context.Features.GetRequiredFeature<Principal>();

        /// <summary>The credential as sent, or null when there is none of the form that we take.</summary>
        public string? BearerText
        {
            get
            {
                const string Scheme = "Bearer ";
                var header = context.Request.Headers.Authorization;
                return header.Count == 1 && header[0]!.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
                    ? header[0]![Scheme.Length..].Trim()
                    : null;
            }
        }
    }
}
