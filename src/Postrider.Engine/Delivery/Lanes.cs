using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>The lanes of this node by transport. Owns the providers.</summary>
sealed class Lanes(LaneParts parts) : IAsyncDisposable
{
    readonly Lock _lock = new();
    readonly Dictionary<Transport, (Lane Lane, IProvider Provider)> _lanes = [];

    /// <summary>Makes a transport with its lane. Its routes are the router's matter.</summary>
    public Transport Open(TransportOptions options, IProvider provider)
    {
        var transport = new Transport(options, provider.Capabilities, parts.Clock);
        lock (_lock)
            _lanes.Add(transport, (new Lane(transport, provider, parts), provider));
        return transport;
    }

    /// <summary>Every permit's transport has one: lanes stay until the node ends, though a route may have lost them.</summary>
    public Lane Of(Transport transport)
    {
        lock (_lock)
            return _lanes[transport].Lane;
    }

    public IProvider ProviderOf(Transport transport)
    {
        lock (_lock)
            return _lanes[transport].Provider;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, provider) in _lanes.Values)
            await provider.DisposeAsync();
        _lanes.Clear();
    }
}
