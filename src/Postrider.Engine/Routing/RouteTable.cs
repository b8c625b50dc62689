using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>What a rule looks at.</summary>
/// <param name="Route">Named by the message; null: the rules choose.</param>
/// <param name="SenderDomain">Of the From address.</param>
/// <param name="RecipientDomains">Of every recipient; repetitions do no harm.</param>
public readonly record struct RouteRequest(
    string? Route, MailStream Stream, IReadOnlyList<string> Tags, string SenderDomain, IEnumerable<string> RecipientDomains);

/// <summary>Chooses a route; parts that are null match everything.</summary>
public sealed record RouteRule(string Route)
{
    public MailStream? Stream { get; init; }
    public string? Tag { get; init; }
    public string? SenderDomain { get; init; }
    public string? RecipientDomain { get; init; }

    public bool Matches(in RouteRequest request) =>
        (Stream is null || Stream == request.Stream)
        && (Tag is null || request.Tags.Contains(Tag))
        && (SenderDomain is null || Same(SenderDomain, request.SenderDomain))
        && (RecipientDomain is not { } domain || request.RecipientDomains.All(recipient => Same(domain, recipient)));

    static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}

/// <summary>All routes and rules at one time: never changes, is replaced as a whole (<see cref="Router.Replace"/>).</summary>
public sealed class RouteTable
{
    readonly Dictionary<string, Route> _routes;
    readonly IReadOnlyList<RouteRule> _rules;

    internal RouteTable(IReadOnlyList<Transport> transports, Dictionary<string, Route> routes, IReadOnlyList<RouteRule> rules) =>
        (Transports, _routes, _rules) = (transports, routes, rules);

    /// <summary>Nothing is configured: no route, not even the default.</summary>
    public static RouteTable Empty { get; } = new([], [], []);

    public IReadOnlyList<Transport> Transports { get; }
    public IReadOnlyCollection<Route> Routes => _routes.Values;

    /// <summary>In the order in which they are tried.</summary>
    internal IReadOnlyList<RouteRule> Rules => _rules;

    /// <summary>Null only where there is no transport at all.</summary>
    public Route? Default => _routes.GetValueOrDefault(RouteSettings.DefaultName);

    public Route? Find(string name) => _routes.GetValueOrDefault(name);

    /// <summary>The route that queued work goes by: that of its name, or the default where a route was removed since.</summary>
    public Route? For(string name) => Find(name) ?? Default;

    public Transport? FindTransport(string name)
    {
        foreach (var transport in Transports)
            if (transport.Name == name)
                return transport;
        return null;
    }

    /// <summary>Meant for when another one fails: behind the first of every route that it is in, all of them by priority. One that is in
    /// no route is meant for nothing.</summary>
    public bool IsStandby(Transport transport)
    {
        var isIn = false;
        foreach (var route in Routes)
        {
            if (!route.Transports.Contains(transport))
                continue;
            if (route.Settings.Strategy != RouteStrategy.Priority || route.Transports[0] == transport)
                return false;
            isIn = true;
        }
        return isIn;
    }

    /// <summary>The route of a new message. Null: it names one that does not exist, or there is no transport at all.</summary>
    public Route? Choose(in RouteRequest request)
    {
        if (request.Route is { } named)
            return Find(named);
        foreach (var rule in _rules)
            if (rule.Matches(request))
                return Find(rule.Route);
        return Default;
    }

    /// <summary>Builds the table; every fault is added to <paramref name="faults"/> in words that name the setting,
    /// and the faulty part is left out.</summary>
    /// <param name="more">Routes beside those of the configuration, which a name that both have belongs to.</param>
    public static RouteTable Build(RoutingOptions options, IReadOnlyList<Transport> transports, ICollection<string> faults,
        IReadOnlyList<NamedRoute>? more = null)
    {
        var retry = ReadRetry("Retry", options.Retry, DeferralSchedule.Default, faults);
        var routes = new Dictionary<string, Route>(StringComparer.Ordinal);
        foreach (var (name, route) in options.Routes)
            if (BuildRoute(name, route, retry, transports, faults) is { } built)
                routes[name] = built;
        var added = (more ?? []).Where(route => !options.Routes.ContainsKey(route.Name)).ToList();
        foreach (var route in added)
            if (BuildRoute(route.Name, route.Options, retry, transports, faults) is { } built)
                routes[route.Name] = built;
        if (transports.Count > 0 && !routes.ContainsKey(RouteSettings.DefaultName)
            && !options.Routes.ContainsKey(RouteSettings.DefaultName))
            routes[RouteSettings.DefaultName] = new Route(new RouteSettings { Name = RouteSettings.DefaultName, Retry = retry },
                transports);
        var rules = new List<RouteRule>();
        foreach (var (index, rule) in options.Rules.Index())
            if (BuildRule(
                $"Rules:{index}", rule, name => name == RouteSettings.DefaultName || options.Routes.ContainsKey(name), faults) is { } built)
                rules.Add(built);
        foreach (var route in added.Where(route => routes.ContainsKey(route.Name)))
            rules.AddRange(BuildRules(route, faults));
        return new RouteTable(transports, routes, rules);
    }

    /// <summary>Routes that are as they were go on as the same: a sticky one stays where it is, a weighted one keeps its shares.</summary>
    internal RouteTable Keeping(RouteTable before)
    {
        foreach (var route in _routes.Values.ToList())
            if (before.Find(route.Name) is { } same && same.Settings == route.Settings && same.Transports.SequenceEqual(route.Transports))
                _routes[route.Name] = same;
        return this;
    }

    internal static IEnumerable<RouteRule> BuildRules(NamedRoute route, ICollection<string> faults)
    {
        foreach (var (index, rule) in route.Rules.Index())
        {
            rule.Route = route.Name;
            if (BuildRule($"Routes:{route.Name}:Rules:{index}", rule, static _ => true, faults) is { } built)
                yield return built;
        }
    }

    /// <summary>What is wrong with a route, each fault beginning with its place: <c>Routes:news:Strategy is …</c>.</summary>
    /// <param name="transports">Those that it may name.</param>
    public static IReadOnlyList<string> Check(NamedRoute route, IReadOnlyList<Transport> transports)
    {
        var faults = new List<string>();
        BuildRoute(route.Name, route.Options, DeferralSchedule.Default, transports, faults);
        _ = BuildRules(route, faults).Count();
        return faults;
    }

    internal static Route? BuildRoute(string name, RouteOptions options, DeferralSchedule retry, IReadOnlyList<Transport> transports,
        ICollection<string> faults)
    {
        var place = $"Routes:{name}";
        var before = faults.Count;
        if (!TransportDsn.IsName(name))
            faults.Add($"{place}: the name of a route consists of a-z, 0-9, '-', '_' and '.' and starts with a letter or digit");
        var chosen = ChooseTransports(place, options.Transports, transports, faults);
        RouteStrategy? strategy = options.Strategy switch
        {
            null or "priority" => RouteStrategy.Priority,
            "sticky" => RouteStrategy.Sticky,
            "round_robin" => RouteStrategy.RoundRobin,
            "weighted" => RouteStrategy.Weighted,
            _ => null,
        };
        if (strategy is null)
            faults.Add($"{place}:Strategy is priority, sticky, round_robin or weighted; not '{options.Strategy}'");
        retry = ReadRetry($"{place}:Retry", options.Retry, retry, faults);
        TimeSpan? spill = TimeSpan.FromSeconds(1);
        if (options.Spill == "off")
            spill = null;
        else if (options.Spill is { } spillText && Durations.TryParse(spillText, out var after))
            spill = after;
        else if (options.Spill is not null)
            faults.Add($"{place}:Spill {Durations.Expected}, or off; not '{options.Spill}'");
        AmbiguityPolicy? policy = options.OnAmbiguous switch
        {
            "retry" => AmbiguityPolicy.Retry,
            "hold" => AmbiguityPolicy.Hold,
            _ => null,
        };
        if (policy is null && options.OnAmbiguous is not null)
            faults.Add($"{place}:OnAmbiguous is retry or hold; not '{options.OnAmbiguous}'");
        if (faults.Count > before)
            return null;
        return new Route(
            new RouteSettings { Name = name, Strategy = strategy!.Value, SpillAfter = spill, Retry = retry, OnAmbiguous = policy }, chosen);
    }

    internal static DeferralSchedule ReadRetry(string place, string? text, DeferralSchedule fallback, ICollection<string> faults)
    {
        var schedule = text is null ? fallback : DeferralSchedule.Parse(text);
        if (schedule is null)
            faults.Add($"{place} {DeferralSchedule.Expected}; not '{text}'");
        return schedule ?? fallback;
    }

    static IReadOnlyList<Transport> ChooseTransports(string place, string? names, IReadOnlyList<Transport> transports,
        ICollection<string> faults)
    {
        if (string.IsNullOrWhiteSpace(names))
        {
            if (transports.Count == 0)
                faults.Add($"{place}: there is no transport; set POSTRIDER_TRANSPORTS");
            return transports;
        }
        var chosen = new List<Transport>();
        foreach (var name in names.Split([' ', '\t', '\r', '\n', ','], StringSplitOptions.RemoveEmptyEntries))
        {
            var transport = transports.FirstOrDefault(transport => transport.Name == name);
            if (transport is null)
                faults.Add($"{place}:Transports names '{name}', which is not configured; there are: "
                    + string.Join(", ", transports.Select(t => t.Name)));
            else if (chosen.Contains(transport))
                faults.Add($"{place}:Transports names '{name}' twice");
            else
                chosen.Add(transport);
        }
        if (chosen.Count == 0 && transports.Count == 0)
            faults.Add($"{place}: there is no transport; set POSTRIDER_TRANSPORTS");
        return chosen;
    }

    static RouteRule? BuildRule(string place, RouteRuleOptions options, Func<string, bool> isRoute, ICollection<string> faults)
    {
        var before = faults.Count;
        if (options.Route is not { } route || !isRoute(route))
            faults.Add($"{place}:Route names a configured route; not '{options.Route}'");
        MailStream? stream = options.Stream switch { "transactional" => MailStream.Transactional, "bulk" => MailStream.Bulk, _ => null };
        if (stream is null && options.Stream is not null)
            faults.Add($"{place}:Stream is transactional or bulk; not '{options.Stream}'");
        if (options is { Stream: null, Tag: null, SenderDomain: null, RecipientDomain: null })
            faults.Add(
                $"{place} matches everything; give Stream, Tag, SenderDomain or RecipientDomain, or configure Routes:default instead");
        return faults.Count > before ? null : new RouteRule(options.Route!)
        {
            Stream = stream,
            Tag = options.Tag,
            SenderDomain = options.SenderDomain,
            RecipientDomain = options.RecipientDomain,
        };
    }
}
