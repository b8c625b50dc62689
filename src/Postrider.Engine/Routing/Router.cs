namespace Postrider.Routing;

/// <summary>The routes in force on this node and what is paused; the table can be replaced while mail flows.</summary>
public sealed class Router
{
    readonly Lock _lock = new();
    volatile RouteTable _table = RouteTable.Empty;

    /// <param name="pauses">Null: kept in memory only.</param>
    public Router(RouteTable table, Pauses? pauses = null)
    {
        Pauses = pauses ?? new Pauses();
        Pauses.Changed += () => CapacityCame?.Invoke();
        Replace(table);
    }

    public RouteTable Table => _table;
    public Pauses Pauses { get; }

    /// <summary>Capacity may have come at a transport, a pause changed, or the table was replaced: ask again. Raised often,
    /// outside of locks; be quick.</summary>
    public event Action? CapacityCame;

    /// <summary>Of every transport of the table.</summary>
    public event Action<TransportChange>? TransportChanged;

    /// <summary>Puts another table in force. Transports that are in both keep their state;
    /// permits of those that are gone stay valid until disposed.</summary>
    public void Replace(RouteTable table)
    {
        lock (_lock)
        {
            var old = _table;
            foreach (var transport in old.Transports.Except(table.Transports))
            {
                transport.CapacityCame -= OnCapacity;
                transport.Changed -= OnChanged;
            }
            foreach (var transport in table.Transports.Except(old.Transports))
            {
                transport.CapacityCame += OnCapacity;
                transport.Changed += OnChanged;
            }
            _table = table;
        }
        CapacityCame?.Invoke();
    }

    void OnCapacity(Transport transport) => CapacityCame?.Invoke();
    void OnChanged(TransportChange change) => TransportChanged?.Invoke(change);
}
