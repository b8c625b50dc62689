using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Dapper;
using Npgsql;
using Postrider.Storage;
using Postrider.Storage.Migrations;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What the server sees of our sessions, and what a store refuses to start on.</summary>
public sealed class PostgresSessionTests : IAsyncLifetime
{
    readonly ManualClock _clock = new();
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync() => _under = await PostgresUnderTest.OpenAsync(_clock);

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    [Theory]
    [InlineData("writers", "10s 5s 30s")]
    [InlineData("tables", "10s 5s 30s")]
    [InlineData("readers", "10s 5s 5s")]
    public async Task No_session_of_ours_waits_or_holds_rows_for_long(string which, string expected)
    {
        await using var database = new PostgresDatabase(_under.Dsn);
        await using var connection = await Source(database, which).OpenConnectionAsync();

        Assert.Equal(expected, await TimeoutsAsync(connection));
    }

    [Theory]
    [InlineData("writers")]
    [InlineData("tables")]
    public async Task What_somebody_set_in_a_session_is_gone_when_it_comes_from_the_pool_again(string which)
    {
        await using var database = new PostgresDatabase(_under.Dsn);
        int first;
        await using (var connection = await Source(database, which).OpenConnectionAsync())
        {
            await connection.ExecuteAsync("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0");
            first = connection.ProcessID;
        }
        await using var again = await Source(database, which).OpenConnectionAsync();

        Assert.Equal((first, "10s 5s 30s"), (again.ProcessID, await TimeoutsAsync(again)));
    }

    [Fact]
    public async Task A_migration_waits_as_long_as_it_takes_and_leaves_no_session_that_does()
    {
        await using var database = new PostgresDatabase(_under.Dsn);
        Assert.Equal(0, await database.MigrateAsync(PostgresMigrations.All, 0, default));
        await using var connection = await database.Tables.OpenConnectionAsync();

        Assert.Equal("10s 5s 30s", await TimeoutsAsync(connection));
    }

    static NpgsqlDataSource Source(PostgresDatabase database, string which) =>
        which switch { "writers" => database.Writers, "tables" => database.Tables, _ => database.Readers };

    static async Task<string> TimeoutsAsync(NpgsqlConnection connection) => (await connection.ExecuteScalarAsync<string>("""
        SELECT concat_ws(' ', current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'),
            current_setting('statement_timeout'))
        """))!;

    // The tests' server writes without fsync, which is refused where nobody asks for it.
    [Fact]
    public async Task A_store_does_not_open_on_a_server_that_would_lose_mail()
    {
        _under.Administer("ALTER DATABASE {0} SET synchronous_commit = off");

        var refused = await Assert.ThrowsAsync<StoreUnusableException>(
            () => PostgresUnderTest.OpenStoreAsync(_under.Dsn with { IsRelaxed = false }, _clock));

        Assert.Contains("fsync=on", refused.Message, StringComparison.Ordinal);
        Assert.Contains("SET synchronous_commit = on", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_does_not_open_through_a_pooler_that_drops_what_sessions_ask_for()
    {
        await using var pooler = new DroppingPooler(_under.Dsn.Hosts);
        var dsn = _under.Dsn with { Hosts = $"127.0.0.1:{pooler.Port}" };
        await (await PostgresUnderTest.OpenStoreAsync(dsn, _clock)).DisposeAsync();
        pooler.Drops = true;

        var refused = await Assert.ThrowsAsync<StoreUnusableException>(() => PostgresUnderTest.OpenStoreAsync(dsn, _clock));

        Assert.Contains("idle_in_transaction_session_timeout is 0 ms", refused.Message, StringComparison.Ordinal);
        Assert.Contains("pooler in session mode", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Hands connections on to a server, as a pooler in transaction mode without what they ask for at their start.</summary>
    sealed class DroppingPooler : IAsyncDisposable
    {
        const int Version3 = 3 << 16;
        const int HeadBytes = 8;   // length, which counts itself, and version

        readonly string _folder;
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        readonly CancellationTokenSource _closing = new();
        readonly Task _listening;

        /// <param name="folder">Of the server's socket.</param>
        public DroppingPooler(string folder)
        {
            _folder = folder;
            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _listening = ListenAsync();
        }

        public int Port { get; }
        public bool Drops { get; set; }

        async Task ListenAsync()
        {
            try
            {
                while (true)
                    _ = CarryAsync(await _listener.AcceptSocketAsync(_closing.Token));
            }
            catch (OperationCanceledException)
            {
                // The test is over.
            }
        }

        async Task CarryAsync(Socket accepted)
        {
            try
            {
                await using var client = new NetworkStream(accepted, ownsSocket: true);
                var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await server.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(_folder, ".s.PGSQL.5432")), _closing.Token);
                await using var there = new NetworkStream(server, ownsSocket: true);
                await there.WriteAsync(await StartAsync(client), _closing.Token);
                await Task.WhenAny(client.CopyToAsync(there, _closing.Token), there.CopyToAsync(client, _closing.Token));
            }
            catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException)
            {
                // One side left.
            }
        }

        /// <summary>The packet that opens a session: names and values, each with a zero behind it.</summary>
        async Task<byte[]> StartAsync(NetworkStream client)
        {
            while (true)
            {
                var head = new byte[HeadBytes];
                await client.ReadExactlyAsync(head, _closing.Token);
                var body = new byte[BinaryPrimitives.ReadInt32BigEndian(head) - HeadBytes];
                await client.ReadExactlyAsync(body, _closing.Token);
                if (BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) != Version3)
                {
                    // It asks for encryption, or would cancel a statement.
                    await client.WriteAsync("N"u8.ToArray(), _closing.Token);
                    continue;
                }
                if (!Drops)
                    return [.. head, .. body];
                var kept = Encoding.UTF8.GetString(body).TrimEnd('\0').Split('\0').Chunk(2)
                    .Where(pair => pair[0] != "options").SelectMany(pair => pair);
                var rest = Encoding.UTF8.GetBytes(string.Join('\0', kept) + "\0\0");
                BinaryPrimitives.WriteInt32BigEndian(head, HeadBytes + rest.Length);
                return [.. head, .. rest];
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _closing.CancelAsync();
            await _listening;
            _listener.Dispose();
            _closing.Dispose();
        }
    }
}
