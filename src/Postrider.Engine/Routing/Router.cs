using System.Collections.Frozen;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>The routes in force on this node and what is paused; they can be replaced while mail flows.</summary>
public sealed class Router
{
    readonly Lock _lock = new();
    volatile RouteTable _table = RouteTable.Empty;
    volatile FrozenDictionary<TenantId, RouteTable> _own = FrozenDictionary<TenantId, RouteTable>.Empty;
    volatile FrozenDictionary<string, Transport> _transports = FrozenDictionary<string, Transport>.Empty;

    /// <param name="pauses">Null: kept in memory only.</param>
    public Router(RouteTable table, Pauses? pauses = null)
    {
        Pauses = pauses ?? new Pauses();
        Pauses.Changed += () => CapacityCame?.Invoke();
        Replace(table);
    }

    /// <summary>The installation's: of every tenant that has nothing of its own.</summary>
    public RouteTable Table => _table;
    public Pauses Pauses { get; }

    /// <summary>All there are, the tenants' own too.</summary>
    public IReadOnlyCollection<Transport> Transports => _transports.Values;

    /// <summary>What a tenant's mail goes by, and all that it may see.</summary>
    public RouteTable Of(TenantId tenant) => _own.GetValueOrDefault(tenant) ?? _table;

    /// <summary>Whether its routes are not simply the installation's.</summary>
    public bool HasOwn(TenantId tenant) => _own.ContainsKey(tenant);

    /// <param name="key"><see cref="Transport.Key"/>.</param>
    public Transport? FindTransport(string key) => _transports.GetValueOrDefault(key);

    /// <summary>Capacity may have come at a transport, a pause changed, or the routes were replaced: ask again. Raised often,
    /// outside of locks; be quick.</summary>
    public event Action? CapacityCame;

    /// <summary>Of every transport.</summary>
    public event Action<TransportChange>? TransportChanged;

    /// <summary>Raised before a transport is in any route: no permit was taken of it yet.</summary>
    internal event Action<Transport>? TransportAdded;

    /// <summary>Raised when no route has it any more; permits may be out still.</summary>
    internal event Action<Transport>? TransportRemoved;

    /// <summary>Other routes are in force.</summary>
    internal event Action? Replaced;

    /// <summary>Puts other routes in force. Transports that were there already keep their state; permits of those that are gone stay
    /// valid until disposed.</summary>
    /// <param name="own">Of tenants that have something of their own, or may not use all that is the installation's.</param>
    public void Replace(RouteTable table, IReadOnlyDictionary<TenantId, RouteTable>? own = null)
    {
        List<Transport> gone;
        lock (_lock)
        {
            var old = _transports;
            var all = table.Transports.Concat((own ?? FrozenDictionary<TenantId, RouteTable>.Empty).Values.SelectMany(t => t.Transports))
                .Distinct().ToFrozenDictionary(transport => transport.Key);
            gone = [.. old.Values.Except(all.Values)];
            foreach (var transport in gone)
            {
                transport.CapacityCame -= OnCapacity;
                transport.Changed -= OnChanged;
            }
            foreach (var transport in all.Values.Except(old.Values))
            {
                transport.CapacityCame += OnCapacity;
                transport.Changed += OnChanged;
                TransportAdded?.Invoke(transport);
            }
            _transports = all;
            _table = table;
            _own = own?.ToFrozenDictionary() ?? FrozenDictionary<TenantId, RouteTable>.Empty;
        }
        foreach (var transport in gone)
            TransportRemoved?.Invoke(transport);
        Replaced?.Invoke();
        CapacityCame?.Invoke();
    }

    void OnCapacity(Transport transport) => CapacityCame?.Invoke();
    void OnChanged(TransportChange change) => TransportChanged?.Invoke(change);
}
