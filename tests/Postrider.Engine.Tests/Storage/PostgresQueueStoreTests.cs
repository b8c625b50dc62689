using System.Collections.Concurrent;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Postrider.Feedback;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The contract on PostgreSQL: each test has a database of its own.</summary>
public sealed class PostgresQueueStoreTests : QueueStoreContract
{
    protected override async Task<IStoreUnderTest> OpenAsync(ManualClock clock) => await PostgresUnderTest.OpenAsync(clock);
}

/// <summary>A store in a database that goes away with it.</summary>
sealed class PostgresUnderTest : IStoreUnderTest
{
    // Its schema is made once and copied.
    static readonly Lazy<Task<string>> Template = new(async () =>
    {
        var name = PostgresCluster.Shared.Create();
        await PostgresStore.MigrateAsync(Parse(name), TimeProvider.System, default);
        NpgsqlConnection.ClearAllPools();
        return name;
    });

    readonly ManualClock _clock;
    readonly string _database;
    readonly ConcurrentDictionary<Incarnation, bool> _joined = [];
    readonly Dictionary<int, (long Incarnation, bool Alive)> _placed = [];

    PostgresUnderTest(ManualClock clock, string database) => (_clock, _database) = (clock, database);

    public PostgresStore Postgres { get; private set; } = null!;
    public IQueueStore Store => Postgres;
    public IMessageReader Reader => Postgres;
    public IFeedbackStore Feedback => Postgres;

    public static async Task<PostgresUnderTest> OpenAsync(ManualClock clock)
    {
        var under = new PostgresUnderTest(clock, PostgresCluster.Shared.Create(await Template.Value));
        under.Postgres = await under.OpenStoreAsync();
        return under;
    }

    public PostgresDsn Dsn => Parse(_database);

    static PostgresDsn Parse(string database) => PostgresDsn.TryParse(PostgresCluster.Shared.Dsn(database), out _)!;

    public Task<PostgresStore> OpenStoreAsync(string name = "the store") => OpenStoreAsync(Parse(_database), _clock, name);

    /// <summary>Another node on the same database, with a clock of its own.</summary>
    public Task<PostgresStore> OpenOtherAsync(TimeProvider clock) => OpenStoreAsync(Parse(_database), clock, "another");

    public static Task<PostgresStore> OpenStoreAsync(PostgresDsn dsn, TimeProvider clock, string name = "here") => PostgresStore.OpenAsync(
        dsn, new NodeCard(name, "localhost", "", "all", "test"), clock, NullLogger<PostgresStore>.Instance, default);

    /// <summary>Ends every session on the database, as a restarted server or a firewall does.</summary>
    public void CutConnections() => Administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'");

    /// <param name="sql">{0}: the database.</param>
    public void Administer(string sql) => PostgresCluster.Shared.Execute(sql.Replace("{0}", _database, StringComparison.Ordinal));

    /// <summary>Since the database was made, as far as sessions have told.</summary>
    public int Deadlocks() =>
        PostgresCluster.Shared.Count($"SELECT deadlocks FROM pg_stat_database WHERE datname = '{_database}'");

    public async Task UntilAsync(Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60));
            _clock.Advance(TimeSpan.FromMilliseconds(60));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    public async Task ReopenAsync()
    {
        await Postgres.DisposeAsync();
        Postgres = await OpenStoreAsync();
    }

    public async Task JoinAsync(Incarnation node)
    {
        if (!_joined.TryAdd(node, true))
            return;
        await Postgres.WriteAsync(c => c.Execute("""
            INSERT INTO nodes AS n (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
            VALUES (@Node, @Number, 0, true, 'here', '', '', '', '', 0, 0, 0)
            ON CONFLICT (id) DO UPDATE SET incarnation = greatest(n.incarnation, excluded.incarnation)
            """, new { node.Node, node.Number }));
    }

    public async Task PlaceAsync(IReadOnlyDictionary<int, (long Incarnation, bool Alive)> nodes)
    {
        foreach (var (node, place) in nodes.Where(n => _placed.GetValueOrDefault(n.Key) != n.Value))
        {
            await Postgres.WriteAsync(c => c.Execute("""
                INSERT INTO nodes AS n (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
                VALUES (@node, @Incarnation, 0, @Alive, 'here', '', '', '', '', 0, 0, 0)
                ON CONFLICT (id) DO UPDATE SET incarnation = excluded.incarnation, alive = excluded.alive
                """, new { node, place.Incarnation, place.Alive }));
            _placed[node] = place;
        }
    }

    public Task<IReadOnlyList<string>> OrphansAsync() => Postgres.ReadAsync<IReadOnlyList<string>>(c =>
        [.. c.Query<string>(StoreOrphans.Sql), .. c.Query<string>("""
        SELECT 'ended ' || message || '-' || n FROM ended e WHERE NOT EXISTS
            (SELECT 1 FROM recipients r WHERE r.message = e.message AND r.n = e.n AND r.state = e.state)
        UNION ALL SELECT 'not in ended ' || message || '-' || n FROM recipients r WHERE state IN (4, 12, 13, 14, 15, 16) AND NOT EXISTS
            (SELECT 1 FROM ended e WHERE r.message = e.message AND r.n = e.n AND r.state = e.state)
        """)], default);

    public async Task SettleAsync()
    {
        var newest = await Postgres.ReadAsync(
            c => c.ExecuteScalar<long>("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"), default);
        await Eventually.GetAsync(() => Postgres.ReadAsync(
            c => c.ExecuteScalar<long>("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"), default), oldest => oldest >= newest);
    }

    public string Byte(string hex) => $"'\\x{hex}'::bytea";

    public Task ExecuteAsync(string sql) => Postgres.WriteAsync(c => c.Execute(sql));

    public async ValueTask DisposeAsync()
    {
        await Postgres.DisposeAsync();
        PostgresCluster.Shared.Drop(_database);
    }
}
