using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Who calls: the tenant that every read and write is bound to, and what they may do. It never comes from the request's
/// content.</summary>
/// <param name="KeyId">The API key presented, or the one that the presented token was made for.</param>
/// <param name="ExpiresAt">When the credential ends; null for never.</param>
/// <param name="IsToken">A short-lived token rather than the key itself.</param>
public sealed record Principal(TenantId Tenant, string KeyId, Scopes Scopes, DateTimeOffset? ExpiresAt, bool IsToken)
{
    public bool May(Scopes scopes) => (Scopes & scopes) == scopes;

    /// <summary>The refusal for a credential without these scopes; null when it has them.</summary>
    public Problem? Missing(Scopes scopes) => May(scopes) ? null : TenantProblems.InsufficientScope(scopes & ~Scopes);
}

/// <summary>A principal, or why there is none; exactly one is set.</summary>
public readonly record struct Authentication
{
    public Authentication(Principal principal) => Principal = principal;
    public Authentication(Problem problem) => Problem = problem;

    public Principal? Principal { get; }
    public Problem? Problem { get; }
}

/// <summary>The names of scopes as the API writes them.</summary>
public static class ScopeNames
{
    static readonly string[] Names = ["send", "read", "manage", "admin"];

    /// <summary>False for a name that is no scope.</summary>
    public static bool TryParse(ReadOnlySpan<char> name, out Scopes scope)
    {
        for (var i = 0; i < Names.Length; i++)
        {
            if (name.SequenceEqual(Names[i]))
            {
                scope = (Scopes)(1 << i);
                return true;
            }
        }
        scope = Scopes.None;
        return false;
    }

    public static IReadOnlyList<string> Of(Scopes scopes)
    {
        var names = new List<string>(Names.Length);
        for (var i = 0; i < Names.Length; i++)
        {
            if (scopes.HasFlag((Scopes)(1 << i)))
                names.Add(Names[i]);
        }
        return names;
    }
}

/// <summary>The refusals of credentials. What they say is the same for every cause that an attacker could learn from.</summary>
public static class TenantProblems
{
    /// <summary>Missing, garbage, unknown, revoked, expired: one and the same.</summary>
    public static Problem Unauthenticated { get; } = new(
        "unauthenticated", 401, "Unauthenticated", "Present a valid API key or token: Authorization: Bearer <key>.");

    /// <summary>Any fault of a token: GET /tokens says which.</summary>
    public static Problem InvalidToken { get; } = new(
        "invalid-token", 401, "Invalid token", "The token is not valid, or no longer. Make a new one with POST /tokens.");

    public static Problem InsufficientScope(Scopes missing) => new(
        "insufficient-scope", 403, "Insufficient scope",
        $"This needs the scope {string.Join(", ", ScopeNames.Of(missing))}, which the credential does not have.");

    /// <summary>The credential is good, but its tenant was stopped.</summary>
    public static Problem TenantArchived { get; } = new(
        "tenant-archived", 403, "Tenant is stopped", "The tenant of this credential was archived. Whoever runs the server can restore it.");

    /// <summary>For what concerns all tenants.</summary>
    public static Problem InstallationOnly { get; } = new(
        "installation-only", 403, "For the installation only",
        "This concerns all tenants: it needs a key of the first tenant with the scope admin.");

    public static Problem Absent { get; } = new("not-found", 404, "Not found", "There is no such tenant.");

    public static Problem NameTaken(string name) => new(
        "tenant-exists", 409, "Tenant exists", $"There is a tenant '{name}' already.");

    public static Problem FirstStays { get; } = new(
        "first-tenant", 409, "The first tenant stays", "The first tenant runs the installation and cannot be archived. POST /pause stops its mail.");

    public static Problem ChangedMeanwhile { get; } = new(
        "changed-meanwhile", 409, "Changed meanwhile", "Somebody else changed the tenant at the same time. Look at it, and try again.");

    public static Problem StorageUnavailable { get; } = new(
        "storage-unavailable", 503, "Storage is unavailable", "The server cannot check credentials now; send it again later.")
    {
        RetryAfter = TimeSpan.FromSeconds(10),
    };

    public static Problem InvalidField(string pointer, string detail) =>
        new("invalid-field", 422, "Invalid field", detail) { Errors = [new(pointer, "invalid-field", detail)] };
}
