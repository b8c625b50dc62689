using System.Collections.Concurrent;

namespace Postrider.Tenants;

/// <summary>Keys as last read from the store, never older than half a second, so that a revocation by any node is felt within a
/// second.</summary>
/// <remarks>Only keys that exist are kept: guesses cannot fill it. Many callers that miss the same key share one read.</remarks>
sealed class KeyCache(IKeyStore store, TimeProvider clock)
{
    static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(500);

    /// <summary>About 5 MB. Beyond it everything is forgotten and read again.</summary>
    const int Capacity = 10_000;

    /// <summary>A use within this time of the last noted one is not noted: the entry is shared by all cores.</summary>
    const long NoteEveryMilliseconds = 1_000;

    readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    readonly Lock _lock = new();
    readonly Dictionary<string, Task<StoredKey?>> _reading = new(StringComparer.Ordinal);   // guarded by _lock
    long _trustedFrom = long.MinValue;   // reads that began before it are too old

    /// <summary>Null when there is no such key. Completes at once when the entry is fresh.</summary>
    public ValueTask<StoredKey?> FindAsync(ReadOnlySpan<char> id)
    {
        if (_entries.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(id, out var entry) && clock.GetElapsedTime(entry.ReadAt) < MaxAge
            && entry.ReadAt >= Volatile.Read(ref _trustedFrom))
            return new ValueTask<StoredKey?>(entry.Key);
        return new ValueTask<StoredKey?>(ReadOnceAsync(id.ToString()));
    }

    /// <summary>The next look at any key reads the store.</summary>
    public void Distrust() => Volatile.Write(ref _trustedFrom, clock.GetTimestamp());

    /// <summary>The next look reads the store.</summary>
    public void Forget(string id) => _entries.TryRemove(id, out _);

    public void NoteUse(string id)
    {
        if (!_entries.TryGetValue(id, out var entry))
            return;
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (now - Volatile.Read(ref entry.UsedAt) >= NoteEveryMilliseconds)
            Volatile.Write(ref entry.UsedAt, now);
    }

    /// <summary>Uses since the last call.</summary>
    public IReadOnlyList<KeyUse> TakeUses()
    {
        var uses = new List<KeyUse>();
        foreach (var (id, entry) in _entries)
        {
            var usedAt = Volatile.Read(ref entry.UsedAt);
            if (usedAt <= entry.TakenAt)
                continue;
            entry.TakenAt = usedAt;
            uses.Add(new KeyUse(id, DateTimeOffset.FromUnixTimeMilliseconds(usedAt)));
        }
        return uses;
    }

    Task<StoredKey?> ReadOnceAsync(string id)
    {
        lock (_lock)
        {
            if (_reading.TryGetValue(id, out var running))
                return running;
            var reading = ReadAsync(id);
            // A read that completed at once has taken itself off the list already.
            if (!reading.IsCompleted)
                _reading[id] = reading;
            return reading;
        }
    }

    async Task<StoredKey?> ReadAsync(string id)
    {
        // The age counts from before the read: what it returns may be as old as its start.
        var startedAt = clock.GetTimestamp();
        try
        {
            var key = await store.FindAsync(id, CancellationToken.None);
            if (key is null)
                Forget(id);
            else
                Keep(id, key, startedAt);
            return key;
        }
        finally
        {
            lock (_lock)
                _reading.Remove(id);
        }
    }

    void Keep(string id, StoredKey key, long startedAt)
    {
        if (_entries.Count >= Capacity)
            _entries.Clear();
        _entries.TryGetValue(id, out var old);
        _entries[id] = new Entry(key, startedAt) { UsedAt = old?.UsedAt ?? 0, TakenAt = old?.TakenAt ?? 0 };
    }

    /// <summary>A key and when the read of it began.</summary>
    sealed class Entry(StoredKey key, long readAt)
    {
        public StoredKey Key => key;
        public long ReadAt => readAt;
        public long UsedAt;                       // Unix milliseconds; written by callers
        public long TakenAt { get; set; }         // Unix milliseconds; TakeUses only
    }
}
