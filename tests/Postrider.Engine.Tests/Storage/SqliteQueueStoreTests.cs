using Dapper;
using Microsoft.Data.Sqlite;
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

    public Task JoinAsync(Incarnation node) => Task.CompletedTask;
    public Task SettleAsync() => Task.CompletedTask;

    public Task PlaceAsync(IReadOnlyDictionary<int, (long Incarnation, bool Alive)> nodes) => Task.CompletedTask;

    public Task<IReadOnlyList<string>> OrphansAsync() =>
        Sqlite.ReadAsync<IReadOnlyList<string>>(c => [.. c.Query<string>(StoreOrphans.Sql)], default);

    public string Byte(string hex) => $"x'{hex}'";

    public async Task ExecuteAsync(string sql)
    {
        await Sqlite.DisposeAsync();
        using (var connection = new SqliteConnection($"Data Source={Path};Pooling=False"))
            await connection.ExecuteAsync(sql);
        Sqlite = Open();
    }

    public async ValueTask DisposeAsync()
    {
        await Sqlite.DisposeAsync();
        Folder.Delete(recursive: true);
    }
}
