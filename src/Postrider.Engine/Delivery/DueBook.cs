using Postrider.Messages;
using Postrider.Queue;

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
    readonly List<DueGroup> _groups = [];       // transactional before bulk
    readonly PriorityQueue<DueKeyState, DateTimeOffset> _later = new();     // entries whose LaterAt differs from their priority are stale
    readonly List<DueKeyState> _parked = [];
    readonly HashSet<QueueKey> _suspects = [];
    readonly Dictionary<(MailStream Stream, string Transport), Line> _lines = [];     // by a transport's key; empty: workers
    long _served;                               // counts permits: which line had its turn when
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
            // Lines of transports that are gone.
            var used = _groups.Select(group => group.Rotation.Line).ToHashSet();
            foreach (var (key, line) in _lines.ToList())
                if (!used.Contains(line))
                    _lines.Remove(key);
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

    /// <summary>For tests: groups with due keys that are not being leased, transactional first.</summary>
    internal IReadOnlyList<DueGroup> Ready() => [.. Rounds().SelectMany(round => round.Groups)];

    /// <summary>A round for each stream that has due keys which are not being leased, transactional first.</summary>
    public IReadOnlyList<DueRound> Rounds()
    {
        lock (_lock)
        {
            List<DueRound> rounds = [];
            foreach (var group in _groups)
            {
                if (!group.Rotation.Any)
                    continue;
                if (rounds is not [.., var last] || last.Stream != group.Stream)
                    rounds.Add(last = new DueRound(group.Stream));
                last.Add(group);
            }
            return rounds;
        }
    }

    /// <summary>The group that comes next: of the line that was served the longest ago, the one whose key is behind all others'. Null: all
    /// have had what they can use, or what there is.</summary>
    public DueGroup? Next(DueRound round)
    {
        lock (_lock)
            return round.Next();
    }

    /// <summary>The group has had a permit, or its key needed none: while it has more keys, it comes again in this round.</summary>
    public void Served(DueRound round, DueGroup group)
    {
        lock (_lock)
            round.Return(group, ++_served);
    }

    /// <summary>From now on the group's tenants share by weight with all others of its stream that wait for the same.</summary>
    /// <param name="transport">Whose permits it waits for, by key; null: this node's workers.</param>
    public void WaitFor(DueGroup group, string? transport)
    {
        lock (_lock)
        {
            var key = (group.Stream, transport ?? "");
            if (!_lines.TryGetValue(key, out var line))
                _lines[key] = line = new Line();
            group.Rotation.MoveTo(line);
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
            var behind = _groups.FindIndex(other => other.Stream > group.Stream);
            _groups.Insert(behind < 0 ? _groups.Count : behind, group);
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
