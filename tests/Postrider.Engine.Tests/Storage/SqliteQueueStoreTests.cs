using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Feedback;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Sqlite;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The contract on SQLite: each test has a file of its own.</summary>
public sealed class SqliteQueueStoreTests : QueueStoreContract
{
    protected override Task<IStoreUnderTest> OpenAsync(ManualClock clock) => Task.FromResult<IStoreUnderTest>(new SqliteUnderTest(clock));
}

/// <summary>A store in a folder that goes away with it.</summary>
sealed class SqliteUnderTest : IStoreUnderTest
{
    readonly ManualClock _clock;

    public SqliteUnderTest(ManualClock clock, StorageOptions? options = null)
    {
        _clock = clock;
        Options = options ?? new StorageOptions { BallastBytes = 0, MinFreeBytes = 0, NodeName = "here" };
        Sqlite = Open();
    }

    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("postrider-store-");
    public string Path => System.IO.Path.Combine(Folder.FullName, "postrider.db");
    public StorageOptions Options { get; }

    /// <summary>Free disk, as the store is told.</summary>
    public long FreeBytes { get; set; } = 1L << 40;
    public SqliteStore Sqlite { get; private set; }
    public IQueueStore Store => Sqlite;
    public IMessageReader Reader => Sqlite;
    public IFeedbackStore Feedback => Sqlite;

    public SqliteStore Open() => SqliteStore.Open(Path, Options, _clock, NullLogger<SqliteStore>.Instance, () => FreeBytes);

    public async Task ReopenAsync()
    {
        await Sqlite.DisposeAsync();
        Sqlite = Open();
    }

    public Task<IReadOnlyList<string>> OrphansAsync() => Sqlite.ReadAsync<IReadOnlyList<string>>(c => [.. c.Query<string>("""
        SELECT 'recipient ' || message || '-' || n FROM recipients WHERE message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'queue ' || message || '-' || n FROM queue WHERE message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'event ' || id FROM events WHERE message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'count of queue ' || q.message || '-' || q.n FROM queue q
            WHERE q.recipients <> (SELECT count(*) FROM recipients r WHERE r.message = q.message AND r.envelope = q.n AND r.state = 1)
        UNION ALL SELECT 'open recipient without queue row ' || r.message || '-' || r.n FROM recipients r
            WHERE r.state = 1 AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.message = r.message AND q.n = r.envelope)
        UNION ALL SELECT 'gauge of tenant ' || t.tenant || ' state ' || t.state FROM
            (SELECT tenant, state, sum(recipients) AS rows FROM queue GROUP BY tenant, state) t
            WHERE t.rows <> (SELECT coalesce(sum(c.delta), 0) FROM counters c WHERE c.scope = t.tenant AND c.state = t.state)
        """)], default);

    public async ValueTask DisposeAsync()
    {
        await Sqlite.DisposeAsync();
        Folder.Delete(recursive: true);
    }
}
