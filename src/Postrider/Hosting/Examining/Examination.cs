using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Doctor;
using Postrider.Mail.Dns;
using Postrider.Messages;
using Postrider.Metrics;
using Postrider.Queue;
using Postrider.Retention;
using Postrider.Routing;
using Postrider.Senders;
using Postrider.Storage;
using Postrider.Storage.Inspection;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Transport = Postrider.Routing.Transport;

namespace Postrider.Hosting.Examining;

/// <summary>Gathers what the doctor judges: of this process, or of an installation whose server does not run.</summary>
/// <param name="Unseen">What could not be looked at, and why.</param>
sealed record Examination(Facts Facts, IReadOnlyList<UnseenThing> Unseen)
{
    const int ShownErrors = 10;

    /// <summary>From settings, files and database, with nobody to ask. Changes nothing.</summary>
    public static async Task<Examination> OfMachineAsync(LoadedConfiguration configuration, TimeProvider clock, CancellationToken ct)
    {
        var options = configuration.Get<PostriderOptions>();
        var unseen = new List<UnseenThing>();
        var facts = MachineLooks.Of(configuration, clock.GetUtcNow());
        facts = facts with { DeafCollectors = await NetworkLooks.DeafAsync(TelemetryExport.Endpoints, ct) };
        facts = await WithTransportsAsync(facts, configuration, clock, unseen, ct);
        if (Stores.Fault(options.Store) is not null)
        {
            unseen.Add(new UnseenThing("database", "POSTRIDER_STORE names none"));
            return new Examination(facts, unseen);
        }
        async Task<Facts> WithStore(InspectedStore store) => store.Tables is { } tables
            ? await WithTablesAsync(facts, store, tables, configuration, clock, unseen, ct)
            : facts with { Store = store.IsInUse ? null : store.Fact, IsSilent = store.IsInUse, Clocks = Clocks(store) };
        if (PostgresDsn.IsDsn(options.Store))
        {
            facts = await StoreInspection.OfPostgresAsync(PostgresDsn.TryParse(options.Store, out _)!, null, clock, WithStore, ct);
            // Nodes elsewhere have the same settings; here nobody answered.
            return new Examination(facts with { ClosedPorts = MachineLooks.ClosedPorts(options) }, unseen);
        }
        facts = await WithStore(await StoreInspection.OpenSqliteAsync(Stores.SqlitePath(options), clock.GetUtcNow(), ct));
        facts = facts with { Nodes = [new NodeFact(Environment.MachineName, options.Roles, ThisProcess.Version)] };
        if (facts.IsSilent)
            unseen.Add(new UnseenThing("database", "another process has it"));
        else
            facts = facts with { ClosedPorts = MachineLooks.ClosedPorts(options) };
        return new Examination(facts, unseen);
    }

    static async Task<Facts> WithTablesAsync(Facts facts, InspectedStore store, ITableStore tables, LoadedConfiguration configuration,
        TimeProvider clock, List<UnseenThing> unseen, CancellationToken ct)
    {
        var options = configuration.Get<PostriderOptions>();
        var resolver = SenderRegistration.Resolver(configuration.Get<SenderOptions>(), clock, Entropy.System);
        var domains = await new SenderTables(tables).LoadAsync(ct);
        var nodes = PostgresDsn.IsDsn(options.Store) ? await StoreInspection.LivingNodesAsync(tables, clock.GetUtcNow(), ct) : [];
        var stored = await new TransportTables(tables).LoadAsync(ct);
        if (stored.Transports.Count > 0)
            unseen.Add(new UnseenThing("transports", $"{stored.Transports.Count} are in the database, and only a running server connects to them"));
        var storage = configuration.Get<StorageOptions>();
        var outlook = new DiskOutlook(new StoreSizeTable(tables, Stores.FolderOf(options) is not null), () => facts.Disk?.FreeBytes,
            facts.Disk?.NeededBytes ?? 0, storage.DatabaseMaxBytes, clock, NullLogger<DiskOutlook>.Instance);
        var growth = Growth(options, await outlook.ForecastAsync(ct), unseen);
        var key = KeyHere.Find(options);
        return facts with
        {
            Store = store.Fact,
            Growth = growth,
            Clocks = Clocks(store),
            MasterKey = key is null && KeyHere.Exists(options) ? SecretFact.Unknown
                : await StoreInspection.JudgeKeyAsync(tables, key, ct),
            Tracks = Tracks(await new TenantTable(tables).ChangedSinceAsync(0, ct)),
            Dns = await NetworkLooks.AskAsync([.. domains.Select(domain => domain.Domain)], resolver,
                SenderRegistration.Checker(resolver, options, clock), unseen, ct),
            Nodes = [.. nodes.Select(Fact)],
            AnyNodeRuns = nodes.Count > 0,
        };
    }

    static async Task<Facts> WithTransportsAsync(
        Facts facts, LoadedConfiguration configuration, TimeProvider clock, List<UnseenThing> unseen, CancellationToken ct)
    {
        var factories = Rooms.ProvidersForChecking.ToDictionary(factory => factory.Scheme, StringComparer.Ordinal);
        if (TransportSetup.Check(configuration.Routing, factories.Values, clock).Count > 0)
        {
            unseen.Add(new UnseenThing("transports", "their settings have faults"));
            return facts;
        }
        var settings = TransportDsn.ParseAll(configuration.Routing.Transports, []);
        var transports = settings.Select(one => new Transport(TransportOptions.From(one, []), new ProviderCapabilities(), clock)).ToList();
        var byKey = settings.ToDictionary(one => one.Key, StringComparer.Ordinal);
        var routes = transports.Count == 0 ? RouteTable.Empty : RouteTable.Build(configuration.Routing, transports, []);
        return facts with
        {
            Routes = NetworkLooks.Of(routes),
            Transports = await NetworkLooks.ConnectAsync(settings.Select(one => NewFact(one.Key, one.Scheme)), async (transport, cancel) =>
            {
                // What has no network has no provider worth making here.
                if (transport.Scheme is "capture" or "sim")
                    return null;
                await using var provider = factories[transport.Scheme].Create(byKey[transport.Key]);
                return await provider.LookAsync(cancel);
            }, ct),
        };
    }

    /// <summary>Of this process, which runs.</summary>
    public static async Task<Examination> OfServerAsync(IServiceProvider services, CancellationToken ct)
    {
        var clock = services.GetRequiredService<TimeProvider>();
        var configuration = services.GetRequiredService<LoadedConfiguration>();
        var router = services.GetRequiredService<Router>();
        var probe = services.GetRequiredService<TransportProbe>();
        var resolver = services.GetRequiredService<DnsResolver>();
        var unseen = new List<UnseenThing>();
        var nodes = await services.GetRequiredService<INodeList>().ListNodesAsync(ct);
        var domains = await services.GetRequiredService<ISenderStore>().LoadAsync(ct);
        // A tenant's own are the tenant's to look after.
        var shared = router.Transports.Where(transport => transport.Options.Owner is null).ToDictionary(transport => transport.Key);
        var facts = MachineLooks.Of(configuration, clock.GetUtcNow()) with
        {
            IsRunning = true,
            AnyNodeRuns = true,
            MasterKey = services.GetService<PostgresOpening>() is { IsKeyInDatabase: true } ? SecretFact.InDatabase : SecretFact.Fits,
            Tracks = Tracks(services.GetRequiredService<TenantDirectory>().All),
            Nodes = [.. nodes.Where(node => node.Alive).Select(Fact)],
            DeafCollectors = await NetworkLooks.DeafAsync(TelemetryExport.Endpoints, ct),
            Routes = NetworkLooks.Of(router.Table),
            Transports = await NetworkLooks.ConnectAsync(shared.Values.Select(Fact),
                (transport, cancel) => probe.LookAsync(shared[transport.Key], cancel), ct),
            Dns = await NetworkLooks.AskAsync(
                [.. domains.Select(domain => domain.Domain)], resolver, services.GetRequiredService<DomainChecker>(), unseen, ct),
        };
        return new Examination(await WithStoreAsync(facts, services, configuration, clock, unseen, ct), unseen);
    }

    static GrowthFact? Growth(PostriderOptions options, DiskForecast forecast, List<UnseenThing> unseen)
    {
        if (forecast.RoomBytes is null && Stores.FolderOf(options) is null)
            unseen.Add(new UnseenThing("room of the database", "its disk is the PostgreSQL server's; POSTRIDER_STORAGE__DATABASE_MAX_BYTES can say "
                + "how large it may become"));
        return forecast.BytesPerDay is { } perDay ? new GrowthFact(perDay, forecast.FullIn) : null;
    }

    static async Task<Facts> WithStoreAsync(Facts facts, IServiceProvider services, LoadedConfiguration configuration, TimeProvider clock,
        List<UnseenThing> unseen, CancellationToken ct)
    {
        Facts With(InspectedStore store) => facts with { Store = store.Fact, Clocks = Clocks(store) };
        try
        {
            var forecast = await services.GetRequiredService<DiskOutlook>().ForecastAsync(ct);
            facts = facts with { Growth = Growth(configuration.Get<PostriderOptions>(), forecast, unseen) };
            return services.GetService<SqliteStore>() is { } sqlite
                ? With(await StoreInspection.OfRunningAsync(sqlite, clock.GetUtcNow(), ct))
                : await StoreInspection.OfPostgresAsync(
                    PostgresDsn.TryParse(configuration.Get<PostriderOptions>().Store, out _)!, services.GetRequiredService<PostgresStore>(),
                    clock,
                    store => Task.FromResult(With(store)), ct);
        }
        catch (Exception e) when (e is TimeoutException or StoreUnavailableException)
        {
            unseen.Add(new UnseenThing("database", e.Message));
            return facts;
        }
    }

    static IReadOnlyList<(string, TimeSpan)> Clocks(InspectedStore store) => store.Clock is { } ahead ? [("the database", ahead)] : [];

    static bool Tracks(IEnumerable<Tenant> tenants) => tenants.Any(tenant =>
        tenant is { ArchivedAt: null, Settings.Tracking: { IsStopped: false } tracking }
            && (tracking.Transactional.Any || tracking.Bulk.Any));

    static NodeFact Fact(NodeView node) => new(node.Name, node.Roles, node.Version);

    static TransportFact NewFact(string key, string scheme) =>
        new(key, scheme) { Reports = scheme is not ("smtp" or "capture" or "sim") };

    static TransportFact Fact(Transport transport)
    {
        var status = transport.GetStatus();
        return NewFact(transport.Key, status.Scheme) with
        {
            IsPaused = status.Paused,
            Trouble = status.Trouble,
            LastErrors = [.. status.LastErrors.Take(ShownErrors).Select(error => AddressMask.InText(error.Reply.Text))],
        };
    }
}
