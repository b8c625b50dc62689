using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>What this node knows of due work, per key: never forgets work that may be there, sometimes remembers work that is
/// gone.</summary>
/// <remarks>
/// Signals come from callers, the rest from the dispatcher's loop. A key is cleared only when the store, asked after its last signal, had
/// nothing due:
/// that is what lets a hand-over pass by the queue without overtaking anything. Thread-safe.
/// </remarks>
/// <param name="weightOf">Null: all tenants have the same share.</param>
sealed class DueBook(TenantWeight? weightOf = null)
{
    /// <summary>Stale entries of <see cref="_later"/> that are not worth a sweep.</summary>
    const int MostStale = 64;

    readonly Lock _lock = new();
    readonly Dictionary<QueueKey, DueKeyState> _keys = [];
    readonly List<DueGroup> _groups = [];       // transactional before bulk; among equals the one served last is last
    readonly PriorityQueue<DueKeyState, DateTimeOffset> _later = new();     // entries whose LaterAt differs from their priority are stale
    readonly List<DueKeyState> _parked = [];
    readonly HashSet<QueueKey> _suspects = [];
    bool _loaded;
    Func<TenantId, bool> _isApart = static _ => false;

    /// <summary>Tenants that are apart have permits of their own to wait for; the others share theirs.</summary>
    public void Regroup(Func<TenantId, bool> isApart)
    {
        lock (_lock)
        {
            _isApart = isApart;
            foreach (var state in _keys.Values)
            {
                var group = GroupOf_NeedsLock(state.Key);
                if (group == state.Group)
                    continue;
                var wasReady = state.IsReady;
                state.Group.Rotation.Remove(state);
                state.Group = group;
                group.Rotation.Join(state);
                if (wasReady)
                    group.Rotation.PutBack(state);
            }
        }
        Changed?.Invoke();
    }

    /// <summary>Whether nothing of the key can be due: only then may a submission pass by the queue. False until the store was asked
    /// once.</summary>
    public bool IsClear(QueueKey key, DateTimeOffset now)
    {
        lock (_lock)
            return _loaded && (!_keys.TryGetValue(key, out var state) || (!state.MayBeDue && state.LaterAt > now));
    }

    /// <summary>Work was added, or can be leased again: look. Raised outside of the lock.</summary>
    public event Action? Changed;

    /// <summary>Something may have become due of a key that nobody here can name: the store must be asked.</summary>
    public event Action? StoreWanted;

    public void AskStore() => StoreWanted?.Invoke();

    /// <summary>There is work of this key, due at that time.</summary>
    public void Add(QueueKey key, DateTimeOffset dueAt, DateTimeOffset now)
    {
        lock (_lock)
        {
            var state = Get_NeedsLock(key);
            state.Version++;
            Note_NeedsLock(state, dueAt, now, hint: 1);
        }
        Changed?.Invoke();
    }

    /// <summary>What the store says is due, asked at some time after <see cref="Add"/> was called for everything in it or not: only
    /// adds.</summary>
    public void Merge(IReadOnlyList<DueKey> found, DateTimeOffset now)
    {
        lock (_lock)
        {
            foreach (var due in found)
            {
                if (!due.Alone)
                    Note_NeedsLock(Get_NeedsLock(due.Key), due.DueAt, now, hint: 0);
                else if (due.DueAt <= now)
                    _suspects.Add(due.Key);
            }
            _loaded = true;
        }
    }

    /// <summary>A key with envelopes to be attempted alone, forgotten with that: the store says again when there are more. Null: none that
    /// could start.</summary>
    public QueueKey? TakeSuspect(Func<QueueKey, bool> couldStart)
    {
        QueueKey[] suspects;
        lock (_lock)
            suspects = [.. _suspects];
        foreach (var key in suspects)
        {
            if (!couldStart(key))
                continue;
            lock (_lock)
                _suspects.Remove(key);
            return key;
        }
        return null;
    }

    /// <summary>Work that was due later and is due now.</summary>
    public void Ripen(DateTimeOffset now)
    {
        lock (_lock)
        {
            while (_later.TryPeek(out var state, out var at) && at <= now)
            {
                _later.Dequeue();
                if (state.LaterAt != at)
                    continue;
                state.LaterAt = DateTimeOffset.MaxValue;
                MarkDue_NeedsLock(state);
            }
        }
    }

    /// <summary>When the next work becomes due; null when none is known.</summary>
    public DateTimeOffset? NextDueAt
    {
        get
        {
            lock (_lock)
            {
                while (_later.TryPeek(out var state, out var at))
                {
                    if (state.LaterAt == at)
                        return at;
                    _later.Dequeue();
                }
                return null;
            }
        }
    }

    /// <summary>Groups with due keys that are not being leased, transactional first.</summary>
    public IReadOnlyList<DueGroup> Ready()
    {
        lock (_lock)
            return [.. _groups.Where(group => group.Rotation.Any)];
    }

    /// <summary>The group has had permits: other routes of its stream, which may use the same transports, come first the next
    /// time.</summary>
    public void EndTurn(DueGroup group)
    {
        lock (_lock)
        {
            _groups.Remove(group);
            PutLast_NeedsLock(group);
        }
    }

    /// <summary>Takes the key whose turn it is out of the rotation of tenants; null when none is ready.</summary>
    public DueKeyState? Take(DueGroup group)
    {
        lock (_lock)
            return group.Rotation.Take();
    }

    /// <summary>Puts a key back: where its share puts it after a permit, or first when it could not have its turn.</summary>
    public void PutBack(DueKeyState state, bool first)
    {
        lock (_lock)
        {
            if (state.IsReady || state.IsLeasing)
                return;
            if (first)
                state.Group.Rotation.PutBack(state);
            else
                state.Group.Rotation.Pass(state, weightOf?.Invoke(state.Key.Tenant) ?? 1);
        }
    }

    /// <summary>Sets a paused key aside: it costs nothing until <see cref="Unpark"/>.</summary>
    public void Park(DueKeyState state)
    {
        lock (_lock)
        {
            if (!state.IsParked)
                _parked.Add(state);
            state.IsParked = true;
        }
    }

    /// <summary>Pauses have changed: every key that was set aside has its turn again.</summary>
    public void Unpark()
    {
        lock (_lock)
        {
            foreach (var state in _parked)
            {
                state.IsParked = false;
                MarkDue_NeedsLock(state);
            }
            _parked.Clear();
        }
        Changed?.Invoke();
    }

    /// <summary>A lease for the key begins: it stays out of the rotation until <see cref="EndLease"/>.</summary>
    /// <returns>The version to hand to it.</returns>
    public long BeginLease(DueKeyState state)
    {
        lock (_lock)
        {
            // Its last turn gave no permit, so it stands in the rotation still; left there, it would be leased again for nothing, for ever.
            state.Group.Rotation.Remove(state);
            state.IsLeasing = true;
            return state.Version;
        }
    }

    /// <param name="asked">Permits it was made with; 0 when the store was not to be had.</param>
    /// <param name="leased">Fewer than asked: nothing more was due then.</param>
    /// <returns>Whether the store should be asked when the next of this key is due.</returns>
    public bool EndLease(DueKeyState state, long version, int asked, int leased)
    {
        lock (_lock)
        {
            state.IsLeasing = false;
            var exhausted = leased < asked;
            state.Ask = exhausted ? DueKeyState.FirstAsk : Math.Min(Math.Max(state.Ask, asked) * 2, DueKeyState.MostAsked);
            if (exhausted)
                state.Hint = 0;
            if (!exhausted || state.Version != version)
            {
                MarkDue_NeedsLock(state);
                return false;
            }
            state.MayBeDue = false;
            var others = state.HasOthersLater;
            state.HasOthersLater = false;
            return others;
        }
    }

    /// <summary>For tests: times kept in mind, stale ones included.</summary>
    internal int TimesKept
    {
        get
        {
            lock (_lock)
                return _later.Count;
        }
    }

    /// <summary>For work that is handed over and comes back.</summary>
    public DueKeyState Get(QueueKey key)
    {
        lock (_lock)
            return Get_NeedsLock(key);
    }

    DueKeyState Get_NeedsLock(QueueKey key)
    {
        if (_keys.TryGetValue(key, out var state))
            return state;
        return _keys[key] = new DueKeyState(key, GroupOf_NeedsLock(key));
    }

    DueGroup GroupOf_NeedsLock(QueueKey key)
    {
        TenantId? own = _isApart(key.Tenant) ? key.Tenant : null;
        var group = _groups.Find(g => g.Route == key.Route && g.Stream == key.Stream && g.Tenant == own);
        if (group is null)
        {
            group = new DueGroup(key.Route, key.Stream, own);
            PutLast_NeedsLock(group);
        }
        return group;
    }

    void Note_NeedsLock(DueKeyState state, DateTimeOffset dueAt, DateTimeOffset now, int hint)
    {
        if (dueAt <= now)
        {
            state.Hint += hint;
            MarkDue_NeedsLock(state);
        }
        else
        {
            // Only the earliest is kept; that there are others is what a lease that empties the key asks the store about.
            state.HasOthersLater |= state.LaterAt != DateTimeOffset.MaxValue && state.LaterAt != dueAt;
            if (dueAt >= state.LaterAt)
                return;
            state.LaterAt = dueAt;
            _later.Enqueue(state, dueAt);
            // A time that an earlier one replaced stays behind until it comes: for a mail scheduled for next month that is one for every
            // retry until then.
            if (_later.Count > 2 * _keys.Count + MostStale)
                ForgetStale_NeedsLock();
        }
    }

    void ForgetStale_NeedsLock()
    {
        _later.Clear();
        foreach (var state in _keys.Values)
        {
            if (state.LaterAt != DateTimeOffset.MaxValue)
                _later.Enqueue(state, state.LaterAt);
        }
    }

    void PutLast_NeedsLock(DueGroup group)
    {
        var behind = _groups.FindIndex(other => other.Stream > group.Stream);
        _groups.Insert(behind < 0 ? _groups.Count : behind, group);
    }

    static void MarkDue_NeedsLock(DueKeyState state)
    {
        var wasIdle = !state.MayBeDue;
        state.MayBeDue = true;
        if (!state.IsReady && !state.IsLeasing && !state.IsParked)
            state.Group.Rotation.Add(state, wasIdle);
    }
}

/// <summary>A tenant's share beside others: twice the weight, twice the permits. At least 1. Must be fast and must not wait.</summary>
public delegate int TenantWeight(TenantId tenant);

/// <summary>The keys of one route and stream, tenants in rotation: they ask for the same permits.</summary>
/// <param name="tenant">The only one in it, as it has routes of its own; null: those of the installation's.</param>
sealed class DueGroup(string route, MailStream stream, TenantId? tenant)
{
    public string Route => route;
    public MailStream Stream => stream;
    public TenantId? Tenant => tenant;

    internal Rotation Rotation { get; } = new();   // guarded by the book's lock
}

/// <summary>One key in the <see cref="DueBook"/>; all guarded by the book's lock, except what the loop alone touches.</summary>
sealed class DueKeyState
{
    /// <summary>Permits asked for when nothing is known of how much is due; doubles while there is more.</summary>
    public const int FirstAsk = 4;

    /// <summary>No node has so many permits.</summary>
    public const int MostAsked = 1 << 20;

    public DueKeyState(QueueKey key, DueGroup group) => (Key, Group) = (key, group);

    public QueueKey Key { get; }
    public DueGroup Group { get; set; }

    /// <summary>Its place in the rotation of its group; written by the rotation alone.</summary>
    internal TurnAt Turn;

    /// <summary>Work may be due; cleared only by a lease that found nothing more.</summary>
    internal bool MayBeDue;

    /// <summary>The earliest work known to be due later.</summary>
    internal DateTimeOffset LaterAt = DateTimeOffset.MaxValue;

    /// <summary>More is due later than <see cref="LaterAt"/> tells.</summary>
    internal bool HasOthersLater;
    internal bool IsReady;
    internal bool IsLeasing;
    internal bool IsParked;

    /// <summary>Counts signals, so that a lease made before a signal does not clear what came after.</summary>
    internal long Version;

    /// <summary>Signals of due work since the key was last empty: at least so many rows.</summary>
    internal int Hint;
    internal int Ask = FirstAsk;

    /// <summary>Grows while leases have to be given back for want of another transport; touched by the lease under way alone.</summary>
    public TimeSpan ReleaseDelay { get; set; }

    /// <summary>Permits in hand for the next lease; the dispatcher's loop alone.</summary>
    public List<Permit> Hand { get; set; } = [];

    /// <summary>How many permits are worth asking for.</summary>
    public int Want => Math.Max(Hint, Ask);
}
