using System.Data;
using Npgsql;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>How a node presents itself to the others, and to people.</summary>
public sealed record NodeCard(string Name, string Host, string Address, string Roles, string Version);

/// <summary>This node's place among the nodes: a number from 0 to 255 that no other one has while its connection lives, and an incarnation
/// that is new whenever it joins.</summary>
/// <remarks>The number is held by a lock of the session: a process that was killed gives it up at once, so a node that is started again
/// gets its old number, and with it the right to its old leases. The lock is a courtesy; what fences is the incarnation. Beats go over the
/// same session: one that is lost is replaced at the next. Not thread-safe but for <see cref="Node"/>.</remarks>
public sealed class PostgresMember : IAsyncDisposable
{
    /// <summary>A message's id has eight bits for it.</summary>
    const int MostNodes = 256;

    const int JoinLock = 0x6A6F;   // "jo", of the pair (JoinLock, number); -1 while joining

    /// <summary>Seconds; a beat that takes longer has missed its time.</summary>
    const int BeatTimeout = 5;

    public const string Beat = """
        UPDATE nodes SET beat = beat + 1, last_beat = $3, in_flight = $4, draining = $5 WHERE id = $1 AND incarnation = $2 AND alive
        """;

    const string Enter = """
        INSERT INTO nodes AS n (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
        VALUES ($1, 1, 0, true, $2, $3, $4, $5, $6, $7, $8, 0)
        ON CONFLICT (id) DO UPDATE SET incarnation = n.incarnation + 1, beat = 0, alive = true, name = excluded.name,
            host = excluded.host, address = excluded.address, roles = excluded.roles, version = excluded.version,
            started = excluded.started, last_beat = excluded.last_beat, in_flight = 0
        RETURNING incarnation
        """;

    // Its only incarnation, and nothing was done in it: no lease and no id is anybody's. Else the incarnations must go on counting.
    const string Forget = "DELETE FROM nodes WHERE id = $1 AND incarnation = $2 AND incarnation = 1 AND beat = 0";

    const string Leave = "UPDATE nodes SET alive = false WHERE id = $1 AND incarnation = $2";

    readonly NpgsqlDataSource _source;
    readonly NodeCard _card;
    readonly TimeProvider _clock;
    readonly long _startedAt;
    NpgsqlConnection? _connection;   // null: lost
    long _drainingAt;                // Unix milliseconds; 0: it does not drain
    bool _disposed;
    bool _withdrawn;

    PostgresMember(NpgsqlDataSource source, NodeCard card, TimeProvider clock) =>
        (_source, _card, _clock, _startedAt) = (source, card, clock, clock.GetUtcNow().Ms);

    /// <summary>Under which number and incarnation, and whether that may be believed.</summary>
    public ThisNode Node { get; private set; } = null!;

    public Incarnation Incarnation => Node.Incarnation;

    internal static async Task<PostgresMember> JoinAsync(
        NpgsqlDataSource source, NodeCard card, TimeProvider clock, CancellationToken ct)
    {
        var member = new PostgresMember(source, card, clock);
        var began = BeatStart.Of(clock);
        member.Node = new ThisNode(await member.EnterAsync(left: null, ct), began, clock);
        return member;
    }

    /// <summary>Joins anew after the others have declared this node dead: under its number where that is still free, as a new
    /// incarnation.</summary>
    /// <param name="number">Called before it counts as joined: what is made under the node's number is made under the new one by
    /// then.</param>
    internal async Task RejoinAsync(Func<Incarnation, Task> number, CancellationToken ct)
    {
        var began = Node.Begin();
        var next = await EnterAsync(Incarnation, ct);
        await number(next);
        Node.Rejoined(next, began);
    }

    /// <param name="left">What it was before: nobody's from now on.</param>
    async Task<Incarnation> EnterAsync(Incarnation? left, CancellationToken ct)
    {
        try
        {
            var connection = _connection ??= await _source.OpenConnectionAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(ct);
            await ScalarAsync("SELECT pg_advisory_xact_lock($1, -1)", ct, Sql.Int(JoinLock));
            await ScalarAsync("SELECT pg_advisory_unlock_all()", ct);
            if (left is { } old)
                await ScalarAsync(Leave, ct, Sql.Int(old.Node), Sql.Long(old.Number));
            var number = await TakeNumberAsync(connection, ct);
            var incarnation = (long)(await ScalarAsync(Enter, ct, Sql.Int(number), Sql.Text(_card.Name), Sql.Text(_card.Host),
                Sql.Text(_card.Address), Sql.Text(_card.Roles), Sql.Text(_card.Version), Sql.Long(_startedAt),
                Sql.Long(_clock.GetUtcNow().Ms)))!;
            await transaction.CommitAsync(ct);
            return new Incarnation(number, incarnation);
        }
        catch
        {
            await DropConnectionAsync();
            throw;
        }
    }

    /// <summary>The number of the last start of the same name if it is free, else one that is nobody's, else a dead node's.</summary>
    async Task<int> TakeNumberAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var known = new List<(int Id, string Name, bool Alive)>();
        await using (var command = new NpgsqlCommand("SELECT id, name, alive FROM nodes ORDER BY id", connection))
        await using (var reader = await command.ExecuteReaderAsync(ct))
        {
            while (await reader.ReadAsync(ct))
                known.Add((reader.GetInt32(0), reader.GetString(1), reader.GetBoolean(2)));
        }
        var candidates = known.Where(n => n.Name == _card.Name).Select(n => n.Id)
            .Concat(Enumerable.Range(0, MostNodes).Except(known.Select(n => n.Id)))
            .Concat(known.Where(n => !n.Alive).Select(n => n.Id));
        foreach (var number in candidates)
        {
            if (await HoldAsync(number, ct))
                return number;
        }
        throw new StoreUnusableException(
            $"There are {MostNodes} nodes already. Stop some; one that has died is forgotten within half a minute.");
    }

    async Task<bool> HoldAsync(int number, CancellationToken ct) =>
        await ScalarAsync("SELECT pg_try_advisory_lock($1, $2)", ct, Sql.Int(JoinLock), Sql.Int(number)) is true;

    /// <summary>False: the others have declared this node dead, or its number is another's.</summary>
    internal async Task<bool> BeatAsync(int inFlight, bool isDraining, CancellationToken ct)
    {
        var began = Node.Begin();
        if (isDraining && _drainingAt == 0)
            _drainingAt = _clock.GetUtcNow().Ms;
        try
        {
            if (_connection is null)
            {
                _connection = await _source.OpenConnectionAsync(ct);
                // Where the server has not noticed yet that the old session is dead, it still holds the number; the incarnation decides.
                await HoldAsync(Incarnation.Node, ct);
            }
            await using var beat = new NpgsqlCommand(Beat, _connection) { CommandTimeout = BeatTimeout };
            beat.Parameters.AddRange((NpgsqlParameter[])
                [Sql.Int(Incarnation.Node), Sql.Long(Incarnation.Number), Sql.Long(_clock.GetUtcNow().Ms), Sql.Int(inFlight),
                    Sql.Long(_drainingAt)]);
            if (await beat.ExecuteNonQueryAsync(ct) == 0)
                return false;
        }
        catch
        {
            await DropConnectionAsync();
            throw;
        }
        Node.Beaten(began);
        return true;
    }

    async Task<object?> ScalarAsync(string sql, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, _connection) { CommandTimeout = BeatTimeout };
        command.Parameters.AddRange(parameters);
        return await command.ExecuteScalarAsync(ct);
    }

    /// <summary>By hand: a connection that goes back to its pool keeps its session, and the lock with it.</summary>
    async Task DropConnectionAsync()
    {
        if (_connection is not { } dropped)
            return;
        try
        {
            if (dropped.State == ConnectionState.Open)
                await ScalarAsync("SELECT pg_advisory_unlock_all()", CancellationToken.None);
        }
        catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away || e is InvalidOperationException or PostgresException)
        {
            // It is dead, or in a transaction that failed: then it is reset before anybody has it again.
        }
        _connection = null;
        await dropped.DisposeAsync();
    }

    /// <summary>Before it has done anything, the process finds that it cannot start: no trace of it is to stay.</summary>
    internal void Withdraw() => _withdrawn = true;

    /// <summary>Leaves in order: what is still leased is the others' at once, and the number is free. A server that is away finds out by
    /// itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            _connection ??= await _source.OpenConnectionAsync();
            if (_withdrawn)
                await ScalarAsync(Forget, CancellationToken.None, Sql.Int(Incarnation.Node), Sql.Long(Incarnation.Number));
            await ScalarAsync(Leave, CancellationToken.None, Sql.Int(Incarnation.Node), Sql.Long(Incarnation.Number));
        }
        catch (Exception e) when (PostgresFault.IsPassing(e) || e is InvalidOperationException)
        {
            // The others declare this node dead, or its next start takes the number.
        }
        await DropConnectionAsync();
    }
}
