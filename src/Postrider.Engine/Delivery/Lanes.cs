using System.Runtime.CompilerServices;
using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>The lanes of this node by transport. Owns the providers.</summary>
sealed class Lanes(LaneParts parts) : IAsyncDisposable
{
    readonly Lock _lock = new();
    readonly ConditionalWeakTable<Transport, Entry> _lanes = [];    // for as long as anybody has the transport in hand
    readonly HashSet<Entry> _open = [];                             // guarded by _lock

    /// <summary>Makes a transport with its lane. Its routes are the router's matter.</summary>
    public Transport Open(TransportOptions options, IProvider provider)
    {
        var transport = new Transport(options, provider.Capabilities, parts.Clock);
        var entry = new Entry(new Lane(transport, provider, parts), provider);
        _lanes.Add(transport, entry);
        lock (_lock)
            _open.Add(entry);
        return transport;
    }

    /// <summary>Every permit's transport has one, though its routes may have lost it.</summary>
    public Lane Of(Transport transport) => Find(transport).Lane;

    public IProvider ProviderOf(Transport transport) => Find(transport).Provider;

    /// <summary>Begins nothing more at a transport that the router has no longer, and closes its connections when the last attempt has
    /// ended.</summary>
    public void Retire(Transport transport)
    {
        transport.CapacityCame += CloseDrained;
        transport.Retire();
    }

    void CloseDrained(Transport transport)
    {
        if (!transport.IsDrained)
            return;
        var entry = Find(transport);
        lock (_lock)
            if (!_open.Remove(entry))
                return;
        transport.CapacityCame -= CloseDrained;
        // Who returns the last permit must not wait for a peer's goodbye.
        _ = Task.Run(() => entry.Provider.DisposeAsync().AsTask());
    }

    Entry Find(Transport transport) => _lanes.TryGetValue(transport, out var entry)
        ? entry : throw new InvalidOperationException($"{transport.Key} has no lane.");

    public async ValueTask DisposeAsync()
    {
        Entry[] open;
        lock (_lock)
        {
            open = [.. _open];
            _open.Clear();
        }
        foreach (var entry in open)
            await entry.Provider.DisposeAsync();
    }

    sealed class Entry(Lane lane, IProvider provider)
    {
        public Lane Lane => lane;
        public IProvider Provider => provider;
    }
}
