using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>A route that is kept in the database, with the rules that choose it.</summary>
/// <param name="Owner">The tenant whose own it is; null: the installation's.</param>
public sealed record NamedRoute(TenantId? Owner, string Name, RouteOptions Options, IReadOnlyList<RouteRuleOptions> Rules);

/// <summary>What one tenant's mail goes by: its own routes and transports, and those of the installation that it may use.</summary>
/// <remarks>
/// Its own stand in front: a name that both have is its own. A route <c>default</c> of its own, or transports of its own, are what its mail
/// goes by unless its own rules or the message say otherwise, and the installation's rules have no say then. Without either all is as the
/// installation has it, over the transports that it may use.
/// </remarks>
static class TenantRoutes
{
    /// <param name="own">Transports of the tenant's own.</param>
    /// <param name="routes">Of the tenant's own, in the order of their rules.</param>
    /// <param name="allowed">The installation's transports that it may use, by name; null: all.</param>
    public static RouteTable Build(RouteTable installation, IReadOnlyList<Transport> own, IReadOnlyList<NamedRoute> routes,
        IReadOnlyCollection<string>? allowed, string? retry, ICollection<string> faults)
    {
        var names = own.Select(transport => transport.Name).ToHashSet(StringComparer.Ordinal);
        List<Transport> shared = [.. installation.Transports.Where(transport => MayUse(transport.Name) && !names.Contains(transport.Name))];
        IReadOnlyList<Transport> visible = [.. own, .. shared];
        var schedule = RouteTable.ReadRetry("Retry", retry, DeferralSchedule.Default, faults);
        var table = new Dictionary<string, Route>(StringComparer.Ordinal);
        foreach (var route in installation.Routes)
        {
            IReadOnlyList<Transport> left = [.. route.Transports.Where(transport => MayUse(transport.Name))];
            if (left.Count > 0)
                table[route.Name] = left.Count == route.Transports.Count ? route : new Route(route.Settings, left);
        }
        List<RouteRule> rules = [];
        var isOwn = new HashSet<string>(StringComparer.Ordinal);
        foreach (var route in routes)
            if (RouteTable.BuildRoute(route.Name, route.Options, schedule, visible, faults) is { } built)
            {
                table[route.Name] = built;
                isOwn.Add(route.Name);
                rules.AddRange(RouteTable.BuildRules(route, faults));
            }
        if (own.Count > 0 && isOwn.Add(RouteSettings.DefaultName))
            table[RouteSettings.DefaultName] = new Route(new RouteSettings { Name = RouteSettings.DefaultName, Retry = schedule }, own);
        if (!isOwn.Contains(RouteSettings.DefaultName))
            rules.AddRange(installation.Rules.Where(rule => table.ContainsKey(rule.Route) && !isOwn.Contains(rule.Route)));
        return new RouteTable(visible, table, rules);

        bool MayUse(string name) => allowed?.Contains(name) != false;
    }
}
