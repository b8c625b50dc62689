using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Access;

/// <summary>Who looks: of one request, or of one open page. What a screen reads and changes is bound to it, never to what the browser
/// says.</summary>
sealed class Viewer
{
    LiveSession? _session;

    /// <summary>Null: nobody is signed in, as on the page that asks for it.</summary>
    public User? SignedInUser => _session?.Current.User;

    public User User => SignedInUser ?? throw new InvalidOperationException("A screen was shown to nobody.");
    public Session Session => _session?.Current.Session ?? throw new InvalidOperationException("A screen was shown to nobody.");
    public TenantId Tenant => User.Tenant;
    public Principal Principal => User.ToPrincipal();

    /// <summary>The browser's; UTC where it did not tell.</summary>
    public TimeZoneInfo Zone { get; private set; } = TimeZoneInfo.Utc;

    /// <summary>Where the browser reached us: <c>https://host</c>, for lines to paste.</summary>
    public string Origin { get; private set; } = "";

    /// <summary>Where the browser is; null where that is not known.</summary>
    public string? Address { get; private set; }

    /// <summary>Cancelled when the session is over.</summary>
    public CancellationToken Ended => _session?.Ended ?? CancellationToken.None;

    /// <summary>Runs the installation.</summary>
    public bool IsInstaller => Tenant == TenantId.First && User.Role == UserRole.Admin;

    public bool May(Scopes scopes) => (User.Scopes & scopes) == scopes;

    public bool May(NeedsAttribute needs) => May(needs.Scopes) && (!needs.Installation || IsInstaller);

    public void Begin(LiveSession session, string? zone, string origin, string? address)
    {
        (_session, Origin, Address) = (session, origin, address);
        if (zone is not null && TimeZoneInfo.TryFindSystemTimeZoneById(zone, out var found))
            Zone = found;
    }
}

/// <summary>What a viewer must be allowed for a screen to be shown. A screen that does not say is shown to nobody.</summary>
[AttributeUsage(AttributeTargets.Class)]
sealed class NeedsAttribute(Scopes scopes) : Attribute
{
    public Scopes Scopes { get; } = scopes;

    /// <summary>What its address that ends in <c>/new</c> takes beyond that: whoever looks may not make one.</summary>
    public Scopes New { get; init; }

    /// <summary>Concerns all tenants: only for administrators of the first.</summary>
    public bool Installation { get; init; }
}

/// <summary>A page that is shown without a session: plain HTML, never interactive.</summary>
[AttributeUsage(AttributeTargets.Class)]
sealed class OpenToAllAttribute : Attribute;
