using System.Text;
using Microsoft.Extensions.Logging;
using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Transports;

/// <summary>Transports and routes that are kept in the database: changes them, and brings what any node changed into force on this
/// one.</summary>
public sealed partial class TransportBook(
    ITransportStore store, Sealer sealer, TenantDirectory tenants, RunningRoutes running, Router router, TimeProvider clock,
    ILogger<TransportBook> logger) : IDisposable
{
    /// <summary>Under which DSNs are sealed.</summary>
    internal const string Column = "transports.dsn";

    const int MaxTransports = 50;
    const int MaxRoutes = 100;

    /// <summary>Longer than any DSN of a vendor with its keys.</summary>
    const int MaxDsn = 4_000;

    /// <summary>More mail than this is "more than 1,000" to whoever would remove its route.</summary>
    const int CountedWaiting = 1_001;

    readonly SemaphoreSlim _reading = new(1, 1);
    readonly Lock _lock = new();
    volatile StoredRouting _stored = new([], []);
    volatile IReadOnlyList<TransportSettings> _settings = [];   // those of _stored that open
    string _ofTenants = "";                                     // guarded by _lock: what of the tenants' settings is in force

    /// <summary>With their secrets, in the order in which they count. A new list after each change.</summary>
    public IReadOnlyList<TransportSettings> Settings => _settings;

    public bool HasTransport(TenantId? owner, string name) =>
        _stored.Transports.Any(transport => transport.Owner == owner && transport.Name == name);

    public StoredRoute? FindRoute(TenantId? owner, string name) =>
        _stored.Routes.FirstOrDefault(route => route.Owner == owner && route.Name == name);

    /// <summary>For people: no secret is in it. Null: it is not in the database.</summary>
    public string? DsnOf(Transport transport) =>
        _settings.FirstOrDefault(settings => settings.Key == transport.Key) is { } found ? TransportDsn.Show(found) : null;

    /// <summary>Takes up what is stored: before anything is delivered, and whenever a node changed it.</summary>
    public async Task RefreshAsync(CancellationToken ct)
    {
        await _reading.WaitAsync(ct);
        try
        {
            _stored = await store.LoadAsync(ct);
            lock (_lock)
                Apply_NeedsLock();
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>For <see cref="TenantDirectory.Changed"/>: what they may use counts here.</summary>
    public void HearTenants()
    {
        lock (_lock)
            if (OfTenants() != _ofTenants)
                Apply_NeedsLock();
    }

    public async Task<Problem?> AddAsync(TenantId? owner, TenantId caller, string name, string dsn)
    {
        if (Read(owner, name, dsn, out var settings) is { } problem)
            return problem;
        if (router.Of(caller).FindTransport(name) is not null || (owner is null && router.Table.FindTransport(name) is not null))
            return TransportProblems.TransportExists(name);
        if (_stored.Transports.Count(transport => transport.Owner == owner) >= MaxTransports)
            return TransportProblems.TooMany("transports", MaxTransports);
        var now = clock.GetUtcNow();
        if (!await store.AddAsync(new StoredTransport(owner, name, Seal(settings!), 0, now, now.ToUnixTimeMilliseconds()), MaxTransports))
            return TransportProblems.TransportExists(name);
        await RefreshAsync(CancellationToken.None);
        router.FindTransport(settings!.Key)?.Renew();
        return null;
    }

    /// <param name="dsn">The whole new one; null: as it is, but for the options.</param>
    /// <param name="options">Where there is no DSN: those to set, and with null to remove.</param>
    public async Task<Problem?> ChangeAsync(
        TenantId? owner, string name, string? dsn, IReadOnlyDictionary<string, string?>? options)
    {
        var before = _stored.Transports.FirstOrDefault(transport => transport.Owner == owner && transport.Name == name);
        if (before is null)
            return TransportProblems.AbsentTransport;
        var settings = Open(before);
        if (dsn is null)
        {
            if (settings is null)
                return TransportProblems.Invalid("/dsn", "Give the whole dsn: the one that is stored cannot be read any more.");
            // With them the secrets that stay would go to another place.
            if (options?.Keys.FirstOrDefault(option => option == "endpoint" || TransportDsn.IsSecret(option)) is { } elsewhere)
                return TransportProblems.Invalid($"/options/{elsewhere}", "Give the whole dsn, with its secrets, to change this.");
            var changed = new Dictionary<string, string>(settings.Options, StringComparer.Ordinal);
            foreach (var (option, value) in options ?? new Dictionary<string, string?>())
                if (value is null)
                    changed.Remove(option);
                else
                    changed[option] = value;
            dsn = WithoutName(TransportDsn.Write(settings with { Options = changed }));
        }
        if (TransportDsn.ParseAll($"{name}={dsn}", []) is [var typed] && TransportDsn.HasHidden(typed))
        {
            // A secret that stays goes nowhere else: whoever may change a transport does not come to know it.
            if (settings?.IsServedBy(typed) != true)
                return TransportProblems.Invalid("/dsn", "It leads elsewhere: give the secrets too. Those that are stored stay where they are.");
            dsn = WithoutName(TransportDsn.Write(TransportDsn.WithHidden(typed, settings)));
        }
        if (Read(owner, name, dsn, out var next) is { } problem)
            return problem;
        var isMoved = settings?.LeadsWhere(next!) != true;
        var place = isMoved ? Math.Max(clock.GetUtcNow().ToUnixTimeMilliseconds(), before.Place + 1) : before.Place;
        if (!await store.ReplaceAsync(before with { Sealed = Seal(next!), Place = place }))
            return TransportProblems.ChangedMeanwhile;
        await RefreshAsync(CancellationToken.None);
        // What it is known to fail at, on any node, is no longer known.
        if (isMoved)
            router.FindTransport(next!.Key)?.Reset();
        return null;
    }

    public async Task<Problem?> RemoveAsync(TenantId? owner, string name)
    {
        var users = _stored.Routes.Where(route => (owner is null || route.Owner == owner) && route.Terms.Transports.Contains(name))
            .Select(route => route.Name).Distinct().ToList();
        if (users.Count > 0)
            return TransportProblems.TransportInUse(name, users);
        if (!await store.RemoveTransportAsync(owner, name))
            return TransportProblems.AbsentTransport;
        await RefreshAsync(CancellationToken.None);
        return null;
    }

    public async Task<Problem?> AddRouteAsync(TenantId? owner, TenantId caller, string name, RouteTerms terms)
    {
        if (Refuse(owner, caller, name, terms) is { } problem)
            return problem;
        if (FindRoute(owner, name) is not null || (owner is null && running.IsFixedRoute(name)))
            return TransportProblems.RouteExists(name);
        if (_stored.Routes.Count(route => route.Owner == owner) >= MaxRoutes)
            return TransportProblems.TooMany("routes", MaxRoutes);
        if (!await store.AddAsync(new StoredRoute(owner, name, terms, 0, clock.GetUtcNow()), MaxRoutes))
            return TransportProblems.RouteExists(name);
        await RefreshAsync(CancellationToken.None);
        return null;
    }

    public async Task<Problem?> ChangeRouteAsync(TenantId? owner, TenantId caller, string name, Func<RouteTerms, RouteTerms> change)
    {
        if (FindRoute(owner, name) is not { } before)
            return TransportProblems.AbsentRoute;
        var terms = change(before.Terms);
        if (Refuse(owner, caller, name, terms) is { } problem)
            return problem;
        if (!await store.ReplaceAsync(before with { Terms = terms }))
            return TransportProblems.ChangedMeanwhile;
        await RefreshAsync(CancellationToken.None);
        return null;
    }

    /// <param name="mayMove">What waits on it goes by the default route; otherwise the route stays while anything does.</param>
    public async Task<Problem?> RemoveRouteAsync(TenantId? owner, string name, bool mayMove, CancellationToken ct)
    {
        if (FindRoute(owner, name) is null)
            return TransportProblems.AbsentRoute;
        if (!mayMove && await store.CountWaitingAsync(owner, name, CountedWaiting, ct) is > 0 and var waiting)
            return TransportProblems.RouteInUse(name, waiting < CountedWaiting ? $"{waiting}" : $"more than {CountedWaiting - 1}");
        if (!await store.RemoveRouteAsync(owner, name))
            return TransportProblems.AbsentRoute;
        await RefreshAsync(CancellationToken.None);
        return null;
    }

    public void Dispose() => _reading.Dispose();

    Problem? Refuse(TenantId? owner, TenantId caller, string name, RouteTerms terms)
    {
        var usable = owner is null ? router.Table.Transports : router.Of(caller).Transports;
        var faults = RouteTable.Check(terms.Named(owner, name), usable);
        return faults.Count == 0 ? null : TransportProblems.OfRoute(name, faults);
    }

    Problem? Read(TenantId? owner, string name, string dsn, out TransportSettings? settings)
    {
        settings = null;
        if (!TransportDsn.IsName(name))
            return TransportProblems.Invalid("/name",
                "A name consists of a-z, 0-9, '-', '_' and '.', starts with a letter or digit and has at most 63 characters.");
        var faults = new List<TransportFault>();
        var end = dsn.IndexOf("://", StringComparison.Ordinal);
        if (dsn.Length > MaxDsn)
            return TransportProblems.Invalid("/dsn", $"Is longer than {MaxDsn} characters.");
        if (end < 0 || dsn.Any(char.IsWhiteSpace) || dsn.AsSpan(0, end).Contains('='))
            return TransportProblems.Invalid("/dsn", "Is written scheme://user:password@host:port?option=value, without a name in front.");
        var read = TransportDsn.ParseAll($"{name}={dsn}", faults);
        if (faults.Count > 0 || read is not [var one])
            return TransportProblems.Invalid("/dsn", [.. faults.Select(fault => fault.ToString())]);
        settings = Placed(one, owner);
        return running.Check(settings) is { Count: > 0 } wrong ? TransportProblems.Invalid("/dsn", wrong) : null;
    }

    TransportSettings Placed(TransportSettings settings, TenantId? owner) => settings with
    {
        Owner = owner,
        IsConfined = owner is { } tenant && tenant != TenantId.First && tenants.SettingsOf(tenant).AllowPrivateHosts != true,
    };

    byte[] Seal(TransportSettings settings) => sealer.Seal(
        Encoding.UTF8.GetBytes(TransportDsn.Write(settings)), settings.Owner ?? default, Column, settings.Key);

    TransportSettings? Open(StoredTransport transport)
    {
        var owner = transport.Owner ?? default;
        var key = transport.Owner is null ? transport.Name : $"{owner}/{transport.Name}";
        if (sealer.TryOpen(transport.Sealed.Span, owner, Column, key, out var secret)
            && TransportDsn.ParseAll(Encoding.UTF8.GetString(secret), []) is [var settings] && settings.Name == transport.Name)
            return Placed(settings, transport.Owner) with { Place = transport.Place };
        LogUnopened(key);
        return null;
    }

    /// <summary>It keeps its place, and cannot be used.</summary>
    static TransportSettings Unreadable(StoredTransport transport) =>
        new() { Name = transport.Name, Owner = transport.Owner, Scheme = "unreadable", Place = transport.Place };

    void Apply_NeedsLock()
    {
        var (stored, allowed) = (_stored, new Dictionary<TenantId, IReadOnlyCollection<string>>());
        foreach (var tenant in tenants.All)
            if (tenant.Settings.Transports is { } names)
                allowed[tenant.Id] = names.ToHashSet(StringComparer.Ordinal);
        _ofTenants = OfTenants();
        List<TransportSettings> settings = [.. stored.Transports.Select(one => Open(one) ?? Unreadable(one))
            .Where(one => one.Owner is not null || !running.IsFixedTransport(one.Name))];
        _settings = settings;
        running.Apply(new AddedRouting(
            settings, [.. stored.Routes.Select(route => route.Terms.Named(route.Owner, route.Name))], allowed));
    }

    string OfTenants() => string.Join('\n', tenants.All
        .Where(tenant => tenant.Settings.Transports is not null || tenant.Settings.AllowPrivateHosts is not null)
        .Select(tenant => $"{tenant.Id} {tenant.Settings.AllowPrivateHosts} {tenant.Settings.Transports is null}"
            + $" {string.Join(' ', tenant.Settings.Transports ?? [])}"));

    static string WithoutName(string dsn) => dsn[(dsn.IndexOf('=', StringComparison.Ordinal) + 1)..];

    [LoggerMessage(LogLevel.Error, "The DSN of transport {Transport} cannot be opened with the master key of this node")]
    partial void LogUnopened(string transport);
}
