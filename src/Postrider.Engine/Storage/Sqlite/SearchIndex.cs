using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>A message under the hash of one of its addresses or tags.</summary>
readonly record struct SearchEntry(long Hash, long Message) : IComparable<SearchEntry>
{
    public int CompareTo(SearchEntry other) => Hash != other.Hash ? Hash.CompareTo(other.Hash) : Message.CompareTo(other.Message);
}

/// <summary>A sorted run of the index, and the range of message ids in it.</summary>
readonly record struct SearchRun(long Bucket, long Low, long High);

/// <summary>The index of addresses and tags, written in arrears: in sorted runs, so that inserts go to the end of the table.</summary>
/// <remarks>
/// An entry in random order dirties a page of its own, a quarter of all that SQLite does for a mail. So entries wait in memory, where
/// searches
/// find them too, until there are enough for a run; the run is written in pieces of about 1 ms. After a crash the waiting ones are made
/// again from
/// the rows of messages from <c>progress('search.low')</c> on: the lowest id that waits, written when it changes.
/// </remarks>
sealed class SearchIndex : ISearchEntries
{
    /// <summary>10 million recipients are then 1,220 runs, each probed once by a search.</summary>
    const int RunLength = 8192;
    const int PieceLength = 1024;
    const string LowName = "search.low";

    readonly Lock _lock = new();

    // Guarded by _lock: read by searches, written by the writer.
    List<SearchEntry> _waiting = [];
    SearchEntry[] _flushing = [];
    readonly List<SearchRun> _runs = [];
    bool _flushRunning;

    // Writer only.
    readonly List<SearchEntry> _staged = [];   // of the running transaction
    readonly Statement _setLow;
    readonly Statement _insert;
    readonly Statement _insertRun;
    long _low = long.MaxValue;       // as committed
    long _newLow = long.MaxValue;    // as the running transaction leaves it

    public SearchIndex(Statements statements)
    {
        _setLow = statements.Prepare(
            $"INSERT INTO progress (name, value) VALUES ('{LowName}', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
        _insert = statements.Prepare("INSERT OR IGNORE INTO search (bucket, hash, message) VALUES (?1, ?2, ?3)");
        _insertRun = statements.Prepare("INSERT INTO search_runs (bucket, low, high) VALUES (?1, ?2, ?3)");
        Load(statements);
    }

    public void Add(PreparedMessage message)
    {
        foreach (var hash in message.SearchHashes)
            _staged.Add(new SearchEntry(hash, message.Id));
        _newLow = Math.Min(_newLow, message.Id);
    }

    /// <summary>Still inside the transaction.</summary>
    public void BeforeCommit()
    {
        if (_newLow != _low)
            _setLow.With().Add(_newLow).Run();
    }

    /// <summary>Returns true when a run is to be written: then <see cref="SortForFlush"/> off the writer, and <see cref="WritePiece"/> on
    /// it until it returns null.</summary>
    public bool AfterCommit()
    {
        _low = _newLow;
        lock (_lock)
        {
            _waiting.AddRange(_staged);
            _staged.Clear();
            if (_flushRunning || _waiting.Count < RunLength)
                return false;
            _flushRunning = true;
            if (_flushing.Length == 0)
                (_flushing, _waiting) = ([.. _waiting], []);
            return true;
        }
    }

    public void AfterRollback()
    {
        _staged.Clear();
        _newLow = _low;
    }

    public void SortForFlush()
    {
        SearchEntry[] sorted;
        lock (_lock)
            sorted = [.. _flushing];
        Array.Sort(sorted);
        lock (_lock)
            _flushing = sorted;
    }

    /// <summary>Writes the piece that starts at <paramref name="start"/>. Returns where the next one starts; null after the last.</summary>
    public int? WritePiece(int start)
    {
        var bucket = NextBucket;
        var end = Math.Min(start + PieceLength, _flushing.Length);
        for (var i = start; i < end; i++)
            _insert.With().Add(bucket).Add(_flushing[i].Hash).Add(_flushing[i].Message).Run();
        if (end < _flushing.Length)
            return end;
        var run = RunOf(bucket, _flushing);
        _insertRun.With().Add(bucket).Add(run.Low).Add(run.High).Run();
        // What waits now is all that a crash would lose: in the list, or staged by this transaction.
        _newLow = Math.Min(Lowest(_waiting), Lowest(_staged));
        return null;
    }

    /// <summary>The last piece is committed, or one could not be written: then the run is tried again when another one has
    /// gathered.</summary>
    public void FlushEnded(bool written)
    {
        lock (_lock)
        {
            _flushRunning = false;
            if (!written)
                return;
            _runs.Add(RunOf(NextBucket, _flushing));
            _flushing = [];
        }
    }

    /// <summary>Stable while a run is being written.</summary>
    long NextBucket => _runs.Count == 0 ? 1 : _runs[^1].Bucket + 1;

    /// <summary>What searches look at: the runs, and which messages that are not in one yet have the hash.</summary>
    public (SearchRun[] Runs, List<long> Waiting) Look(long hash)
    {
        lock (_lock)
        {
            var waiting = new List<long>();
            foreach (var entry in _flushing)
            {
                if (entry.Hash == hash)
                    waiting.Add(entry.Message);
            }
            foreach (var entry in _waiting)
            {
                if (entry.Hash == hash)
                    waiting.Add(entry.Message);
            }
            return ([.. _runs], waiting);
        }
    }

    static SearchRun RunOf(long bucket, ReadOnlySpan<SearchEntry> entries)
    {
        var (low, high) = (long.MaxValue, long.MinValue);
        foreach (var entry in entries)
            (low, high) = (Math.Min(low, entry.Message), Math.Max(high, entry.Message));
        return new SearchRun(bucket, low, high);
    }

    static long Lowest(List<SearchEntry> entries)
    {
        var low = long.MaxValue;
        foreach (var entry in entries)
            low = Math.Min(low, entry.Message);
        return low;
    }

    void Load(Statements statements)
    {
        var runs = statements.Prepare("SELECT bucket, low, high FROM search_runs ORDER BY bucket").With();
        while (runs.Step())
            _runs.Add(new SearchRun(runs.Long(0), runs.Long(1), runs.Long(2)));
        _low = _newLow = statements.Prepare($"SELECT value FROM progress WHERE name = '{LowName}'").With().Scalar() ?? long.MaxValue;
        if (_low == long.MaxValue)
            return;
        // Some of these may be in a run already: a message found twice is shown once.
        var recipients = statements.Prepare("""
            SELECT m.tenant, r.message, r.address FROM recipients r JOIN messages m ON m.id = r.message WHERE r.message >= ?1
            """).With().Add(_low);
        while (recipients.Step())
            _waiting.Add(new SearchEntry(
                StoredAddress.SearchHash(new(recipients.Int(0)), StoredAddress.Parse(recipients.Text(2))), recipients.Long(1)));
        var tagged = statements.Prepare("SELECT tenant, id, tags FROM messages WHERE id >= ?1 AND tags IS NOT NULL").With().Add(_low);
        while (tagged.Step())
        {
            foreach (var tag in LabelText.ReadTags(tagged.Text(2)))
                _waiting.Add(new SearchEntry(StoredAddress.SearchHash(new(tagged.Int(0)), tag), tagged.Long(1)));
        }
    }
}
