namespace Postrider.Routing;

/// <summary>A transport that is broken on purpose for a while, inside Postrider only: so many of its tries fail without being
/// made.</summary>
/// <param name="Transport">Its key.</param>
/// <param name="Fail">Share of the tries; above 0, at most 1.</param>
/// <param name="Until">It ends by itself, whatever becomes of who began it.</param>
public sealed record Drill(string Transport, double Fail, DateTimeOffset Since, DateTimeOffset Until)
{
    /// <summary>Longer is an outage of one's own making.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>As shares are of tries, less would show nothing.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    public bool IsOn(DateTimeOffset now) => now < Until;
}

/// <summary>Keeps drills where all nodes see them.</summary>
public interface IDrillStore
{
    Task<IReadOnlyList<Drill>> LoadAsync(CancellationToken ct);

    /// <summary>Keeps it, unless another one of the same transport is on: then that one is the answer, and stays as it is. Those that
    /// have ended are forgotten.</summary>
    Task<Drill?> PutAsync(Drill drill, CancellationToken ct);
    Task RemoveAsync(string transport, CancellationToken ct);
}

/// <summary>The drills that this node knows of. Thread-safe.</summary>
/// <param name="store">Null: they last as long as the process.</param>
public sealed class Drills(IDrillStore? store = null)
{
    readonly Lock _lock = new();
    volatile IReadOnlyList<Drill> _all = [];

    /// <summary>Null: the transport is not broken on purpose.</summary>
    public Drill? Of(string transport, DateTimeOffset now)
    {
        foreach (var drill in _all)
            if (drill.Transport == transport && drill.IsOn(now))
                return drill;
        return null;
    }

    /// <summary>Takes up what is stored: at the start, and whenever a node changed it.</summary>
    public async Task LoadAsync(CancellationToken ct)
    {
        if (store is not null)
            _all = await store.LoadAsync(ct);
    }

    /// <summary>On this node at once, on all others within a second. Null: it has begun; else the one that breaks the transport already,
    /// on whichever node it was begun.</summary>
    public async Task<Drill?> BeginAsync(Drill drill, CancellationToken ct)
    {
        if (store is not null && await store.PutAsync(drill, ct) is { } stored)
            return stored;
        lock (_lock)
        {
            if (store is null && Of(drill.Transport, drill.Since) is { } running)
                return running;
            _all = [.. _all.Where(other => other.Transport != drill.Transport && other.IsOn(drill.Since)), drill];
        }
        return null;
    }

    public async Task EndAsync(string transport, CancellationToken ct)
    {
        if (store is not null)
            await store.RemoveAsync(transport, ct);
        lock (_lock)
            _all = [.. _all.Where(other => other.Transport != transport)];
    }
}
