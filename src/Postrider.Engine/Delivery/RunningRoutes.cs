using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Everything that is configured beside the environment and the file, at one time.</summary>
/// <param name="Transports">In the order of preference.</param>
/// <param name="Routes">In the order of their rules.</param>
/// <param name="Allowed">By tenant, the names of the installation's transports that it may use; who is absent may use all.</param>
public sealed record AddedRouting(
    IReadOnlyList<TransportSettings> Transports, IReadOnlyList<NamedRoute> Routes,
    IReadOnlyDictionary<TenantId, IReadOnlyCollection<string>> Allowed);

/// <summary>Brings transports and routes into force on this node while mail flows: opens the new, lets those that are gone finish what they
/// have begun.</summary>
public sealed partial class RunningRoutes
{
    readonly Router _router;
    readonly Lanes _lanes;
    readonly Dictionary<string, IProviderFactory> _factories;
    readonly RoutingOptions _options;
    readonly IReadOnlyList<Transport> _fixed;       // of environment and file
    readonly ILogger _logger;
    readonly Lock _lock = new();

    // Guarded by _lock: those beside the fixed ones, by key, as they were asked for.
    readonly Dictionary<string, (TransportSettings Settings, Transport Transport)> _added = new(StringComparer.Ordinal);

    internal RunningRoutes(
        Router router, Lanes lanes, IEnumerable<IProviderFactory> factories, RoutingOptions options, ILogger<RunningRoutes> logger)
    {
        (_router, _lanes, _options, _logger) = (router, lanes, options, logger);
        _factories = factories.ToDictionary(factory => factory.Scheme, StringComparer.Ordinal);
        _fixed = router.Table.Transports;
    }

    /// <summary>Whether a name is taken by a transport of environment or file, which cannot be changed.</summary>
    public bool IsFixedTransport(string name) => _fixed.Any(transport => transport.Name == name);

    /// <summary>The same of a route.</summary>
    public bool IsFixedRoute(string name) => _options.Routes.ContainsKey(name);

    /// <summary>What is wrong with a transport, in the words of the start. Touches no network.</summary>
    public IReadOnlyList<string> Check(TransportSettings settings)
    {
        if (!_factories.TryGetValue(settings.Scheme, out var factory))
            return [$"{settings.Name}: there is no provider '{settings.Scheme}'; there are: {string.Join(", ", _factories.Keys.Order())}"];
        var faults = new List<TransportFault>();
        TransportOptions.From(settings, faults, factory.OptionNames);
        return
        [
            .. faults.Select(fault => fault.ToString()),
            .. TransportGuard.Check(settings).Concat(factory.Check(settings)).Select(fault => $"{settings.Name}: {fault}"),
        ];
    }

    /// <summary>Brings into force what is added, in place of what was added before. A transport that cannot be used is logged, stands in
    /// its routes and takes nothing: mail waits for it or takes another of the route, and does not leave by somebody else's
    /// account.</summary>
    public void Apply(AddedRouting added)
    {
        lock (_lock)
        {
            var opened = new List<(Transport Transport, Transport? Before)>();
            var kept = new HashSet<string>(StringComparer.Ordinal);
            var transports = new List<Transport>();
            foreach (var settings in added.Transports)
            {
                kept.Add(settings.Key);
                transports.Add(Open_NeedsLock(settings, opened));
            }
            var gone = _added.Where(entry => !kept.Contains(entry.Key)).Select(entry => entry.Value.Transport).ToList();
            foreach (var transport in gone)
                _added.Remove(transport.Key);
            Replace(added, transports);
            foreach (var before in gone.Concat(opened.Select(pair => pair.Before).OfType<Transport>()))
                _lanes.Retire(before);
        }
    }

    Transport Open_NeedsLock(TransportSettings settings, List<(Transport, Transport?)> opened)
    {
        var before = _added.GetValueOrDefault(settings.Key);
        if (before.Transport is { } same && before.Settings.IsConfined == settings.IsConfined
            && before.Settings.Place == settings.Place && TransportDsn.Write(before.Settings) == TransportDsn.Write(settings))
            return same;
        var transport = Make(settings);
        if (before.Transport is { } old)
            transport.Succeed(old, !before.Settings.LeadsWhere(settings));
        _added[settings.Key] = (settings, transport);
        opened.Add((transport, before.Transport));
        return transport;
    }

    Transport Make(TransportSettings settings)
    {
        var fault = string.Join("; ", Check(settings));
        if (fault.Length == 0)
            try
            {
                var factory = _factories[settings.Scheme];
                var made = _lanes.Open(TransportOptions.From(settings, [], factory.OptionNames), factory.Create(settings));
                LogOpened(settings.Key, TransportDsn.Show(settings));
                return made;
            }
            catch (Exception e)
            {
                // What one customer's settings do to a provider must keep neither the node nor the other transports.
                fault = $"{settings.Name}: fault inside the provider: {e.GetType().Name}";
            }
        LogUnusable(settings.Key, fault);
        return _lanes.Open(
            new TransportOptions
            {
                Name = settings.Name,
                Scheme = settings.Scheme,
                Owner = settings.Owner,
                Key = settings.Key,
                Place = settings.Place,
                Fault = fault,
            },
            new UnusableProvider(fault));
    }

    void Replace(AddedRouting added, List<Transport> transports)
    {
        var faults = new List<string>();
        List<NamedRoute> shared = [.. added.Routes.Where(route => route.Owner is null)];
        var table = RouteTable.Build(_options, [.. _fixed, .. transports.Where(t => t.Options.Owner is null)], faults, shared)
            .Keeping(_router.Table);
        var tenants = added.Routes.Select(route => route.Owner).Concat(transports.Select(t => t.Options.Owner)).OfType<TenantId>()
            .Concat(added.Allowed.Keys).Distinct();
        var own = new Dictionary<TenantId, RouteTable>();
        foreach (var tenant in tenants)
            own[tenant] = TenantRoutes.Build(table, [.. transports.Where(t => t.Options.Owner == tenant)],
                [.. added.Routes.Where(route => route.Owner == tenant)], added.Allowed.GetValueOrDefault(tenant), _options.Retry, faults)
                .Keeping(_router.Of(tenant));
        foreach (var fault in faults)
            LogFault(fault);
        _router.Replace(table, own);
    }

    [LoggerMessage(LogLevel.Information, "Transport {Transport} is in force: {Dsn}")]
    partial void LogOpened(string transport, string dsn);

    [LoggerMessage(LogLevel.Error, "Transport {Transport} cannot be used on this node: {Faults}")]
    partial void LogUnusable(string transport, string faults);

    [LoggerMessage(LogLevel.Error, "A route in the database is left out: {Fault}")]
    partial void LogFault(string fault);

    /// <summary>In the place of one that could not be made: it is asked by nobody but who tests it, and says why.</summary>
    sealed class UnusableProvider(string fault) : IProvider
    {
        public ProviderCapabilities Capabilities { get; } = new();

        public ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct) =>
            ValueTask.FromResult<IReadOnlyList<Outcome>>([.. envelope.Recipients.Select(_ =>
                new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport, new Reply(0, null, fault)))]);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
