namespace Postrider.Routing;

/// <summary>Keeps which transports an operator paused, by their keys, over a restart: mail must not leave by one because a process
/// ended.</summary>
public interface ITransportPauseStore
{
    /// <summary>Keys of those that are paused.</summary>
    Task<IReadOnlyList<string>> PausedAsync(CancellationToken ct);

    /// <summary>On disk when the task completes; where there are more nodes, they know within a second.</summary>
    Task KeepAsync(string transport, bool isPaused);
}

/// <summary>Pauses transports so that it lasts.</summary>
/// <param name="store">Null: pauses last as long as the process.</param>
public sealed class TransportPauses(Router router, ITransportPauseStore? store = null)
{
    /// <summary>Takes up what is stored: before anything is delivered.</summary>
    public async Task LoadAsync(CancellationToken ct)
    {
        if (store is null)
            return;
        foreach (var key in await store.PausedAsync(ct))
            router.FindTransport(key)?.Pause();
    }

    /// <summary>A pause holds at once, and over a restart when the task completes; it ends when that is on disk.</summary>
    /// <exception cref="Messages.StoreUnavailableException">A pause holds all the same, for as long as the process lasts.</exception>
    public async Task SetAsync(Transport transport, bool isPaused)
    {
        if (isPaused)
            transport.Pause();
        if (store is not null)
            await store.KeepAsync(transport.Key, isPaused);
        if (!isPaused)
            transport.Resume();
    }
}
