using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Nodes;

/// <summary>What is kept in memory by every node and can be changed by any. Stored by name.</summary>
public enum Topic : byte
{
    /// <summary>Mail that an operator stopped.</summary>
    Pauses,
    /// <summary>Sender domains and their DKIM keys.</summary>
    SenderDomains,
    /// <summary>API keys.</summary>
    Keys,
    /// <summary>Circuits, waits and pauses of transports, sender domains that they refuse.</summary>
    Transports,
    /// <summary>Which transports and routes there are, beside those of the configuration.</summary>
    Routes,
    /// <summary>Transports that are broken on purpose.</summary>
    Drills,
}

/// <summary>What the topics' versions were at one moment; those that never changed are absent.</summary>
public delegate Task<IReadOnlyDictionary<Topic, long>> ReadVersions(CancellationToken ct);

/// <summary>Tells who keeps something in memory that it was changed in the store, by this node or another.</summary>
/// <remarks>
/// A change raises its topic's version in its own transaction (<c>ITableStore.ChangeAsync</c>), so none can be missed. On PostgreSQL the
/// transaction also notifies all nodes; what they hear only makes them look at the versions, and they look every half second anyway. On
/// SQLite there is nobody else to tell. Whoever subscribes reads again all that it keeps: it may be told more often than something changed.
/// </remarks>
public sealed partial class Notices : IDisposable
{
    /// <summary>With the reading itself well below the second within which every node knows.</summary>
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    readonly ReadVersions? _read;
    readonly TimeProvider _clock;
    readonly ILogger _log;
    readonly SemaphoreSlim _signal = new(0);
    readonly Lock _lock = new();
    readonly List<(Topic Topic, Func<CancellationToken, Task> Look)> _subscribers = [];   // guarded by _lock
    readonly HashSet<Topic> _told = [];                                                   // guarded by _lock; by this process
    readonly Dictionary<Topic, long> _seen = [];                                          // the loop's
    bool _isDeaf;                                                                         // the loop's
    int _awake;                                                                           // 1: the signal is given and not taken yet

    /// <param name="read">Null: this process is all there is.</param>
    public Notices(ReadVersions? read, TimeProvider clock, ILogger log) => (_read, _clock, _log) = (read, clock, log);

    /// <summary>From now on <paramref name="look"/> is called, one at a time, after changes of the topic; once at the start too, for what
    /// changed since it was first read. What it throws for want of the store is tried again.</summary>
    public void Subscribe(Topic topic, Func<CancellationToken, Task> look)
    {
        lock (_lock)
        {
            _subscribers.Add((topic, look));
            _told.Add(topic);
        }
        Wake();
    }

    /// <summary>This process changed it; the change is on disk.</summary>
    internal void Tell(Topic topic)
    {
        lock (_lock)
            _told.Add(topic);
        Wake();
    }

    /// <summary>Somebody changed something: look now.</summary>
    internal void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _signal.Release();
    }

    /// <summary>Until stopped. Throws for bugs only.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var timer = _clock.CreateTimer(_ => Wake(), null, Between, Between);
        try
        {
            while (true)
            {
                await _signal.WaitAsync(stopping);
                Volatile.Write(ref _awake, 0);
                await LookAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>One round: everything that changed since the last is looked at.</summary>
    internal async Task LookAsync(CancellationToken ct)
    {
        HashSet<Topic> changed;
        lock (_lock)
        {
            changed = [.. _told];
            _told.Clear();
        }
        try
        {
            if (_read is not null)
            {
                foreach (var (topic, version) in await _read(ct))
                {
                    if (_seen.GetValueOrDefault(topic) != version)
                        changed.Add(topic);
                    _seen[topic] = version;
                }
            }
            foreach (var topic in changed.Order())
            {
                foreach (var look in SubscribersOf(topic))
                    await look(ct);
                changed.Remove(topic);
            }
            _isDeaf = false;
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            lock (_lock)
                _told.UnionWith(changed);
            if (!_isDeaf)
                LogDeaf(e.Message);
            _isDeaf = true;
        }
    }

    List<Func<CancellationToken, Task>> SubscribersOf(Topic topic)
    {
        lock (_lock)
            return [.. _subscribers.Where(subscriber => subscriber.Topic == topic).Select(subscriber => subscriber.Look)];
    }

    public void Dispose() => _signal.Dispose();

    [LoggerMessage(LogLevel.Warning, "What other nodes change is not seen for now: {Reason}")]
    partial void LogDeaf(string reason);
}
