namespace Postrider.Routing;

/// <summary>Transports, routes and rules as configured; bound to the root of the configuration.</summary>
public sealed class RoutingOptions
{
    /// <summary><c>POSTRIDER_TRANSPORTS</c>: DSNs in the order of preference,
    /// separated by white space (<see cref="TransportDsn"/>).</summary>
    public string? Transports { get; set; }

    /// <summary><c>POSTRIDER_RETRY</c>: after deferrals, where a route does not say (<see cref="DeferralSchedule"/>).
    /// Default <c>10m,10m,10m</c>.</summary>
    public string? Retry { get; set; }

    /// <summary><c>Routes:NAME:…</c>. The route <c>default</c> always exists: unless configured it has all transports in order.</summary>
    public Dictionary<string, RouteOptions> Routes { get; set; } = [];

    /// <summary><c>Rules:0:…</c>: the first that matches chooses the route of a message that names none;
    /// when none does, <c>default</c>.</summary>
    public List<RouteRuleOptions> Rules { get; set; } = [];
}

/// <summary>One route as configured.</summary>
public sealed class RouteOptions
{
    /// <summary>Names in the order of preference, separated by white space or commas. Default: all transports.</summary>
    public string? Transports { get; set; }

    /// <summary><c>priority</c> (default), <c>sticky</c>, <c>round_robin</c> or <c>weighted</c>.</summary>
    public string? Strategy { get; set; }

    /// <summary>Default: <see cref="RoutingOptions.Retry"/>.</summary>
    public string? Retry { get; set; }

    /// <summary>How long a rate limit or a provider's wait must be before the next transport is used,
    /// or <c>off</c> to wait for it. Default <c>1s</c>.</summary>
    public string? Spill { get; set; }

    /// <summary><c>retry</c> or <c>hold</c>. Default: the installation's.</summary>
    public string? OnAmbiguous { get; set; }
}

/// <summary>One rule as configured: every part that is given must match.</summary>
public sealed class RouteRuleOptions
{
    public string? Route { get; set; }

    /// <summary><c>transactional</c> or <c>bulk</c>.</summary>
    public string? Stream { get; set; }

    /// <summary>One of the message's tags.</summary>
    public string? Tag { get; set; }

    /// <summary>Of the From address.</summary>
    public string? SenderDomain { get; set; }

    /// <summary>Of every recipient: a message has one route.</summary>
    public string? RecipientDomain { get; set; }
}
