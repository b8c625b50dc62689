using Npgsql;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>How a node presents itself to the others, and to people.</summary>
public sealed record NodeCard(string Name, string Host, string Address, string Roles, string Version);

/// <summary>This node's place among the nodes: a number from 0 to 255 that no other one has while its connection lives, and an incarnation
/// that is new with each start.</summary>
/// <remarks>The number is held by a lock of the session: a process that was killed gives it up at once, so a node that is started again
/// gets its old number, and with it the right to its old leases. The lock is a courtesy; what fences is the incarnation.</remarks>
public sealed class PostgresMember : IAsyncDisposable
{
    /// <summary>A message's id has eight bits for it.</summary>
    const int MostNodes = 256;

    const int JoinLock = 0x6A6F;   // "jo", of the pair (JoinLock, number); -1 while joining

    readonly NpgsqlConnection _connection;

    PostgresMember(NpgsqlConnection connection, Incarnation incarnation) => (_connection, Incarnation) = (connection, incarnation);

    public Incarnation Incarnation { get; }

    internal static async Task<PostgresMember> JoinAsync(
        NpgsqlDataSource source, NodeCard card, TimeProvider clock, CancellationToken ct)
    {
        var connection = await source.OpenConnectionAsync(ct);
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(ct);
            await ScalarAsync(connection, "SELECT pg_advisory_xact_lock($1, -1)", ct, Sql.Int(JoinLock));
            var number = await TakeNumberAsync(connection, card.Name, ct);
            var now = Sql.Long(clock.GetUtcNow().Ms);
            var incarnation = (long)(await ScalarAsync(connection, """
                INSERT INTO nodes AS n (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
                VALUES ($1, 1, 0, true, $2, $3, $4, $5, $6, $7, $7, 0)
                ON CONFLICT (id) DO UPDATE SET incarnation = n.incarnation + 1, beat = 0, alive = true, name = excluded.name,
                    host = excluded.host, address = excluded.address, roles = excluded.roles, version = excluded.version,
                    started = excluded.started, last_beat = excluded.last_beat, in_flight = 0
                RETURNING incarnation
                """, ct, Sql.Int(number), Sql.Text(card.Name), Sql.Text(card.Host), Sql.Text(card.Address), Sql.Text(card.Roles),
                Sql.Text(card.Version), now))!;
            await transaction.CommitAsync(ct);
            return new PostgresMember(connection, new Incarnation(number, incarnation));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>The number of the last start of the same name if it is free, else one that is nobody's, else a dead node's.</summary>
    static async Task<int> TakeNumberAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        var known = new List<(int Id, string Name, bool Alive)>();
        await using (var command = new NpgsqlCommand("SELECT id, name, alive FROM nodes ORDER BY id", connection))
        await using (var reader = await command.ExecuteReaderAsync(ct))
        {
            while (await reader.ReadAsync(ct))
                known.Add((reader.GetInt32(0), reader.GetString(1), reader.GetBoolean(2)));
        }
        var candidates = known.Where(n => n.Name == name).Select(n => n.Id)
            .Concat(Enumerable.Range(0, MostNodes).Except(known.Select(n => n.Id)))
            .Concat(known.Where(n => !n.Alive).Select(n => n.Id));
        foreach (var number in candidates)
        {
            if (await ScalarAsync(connection, "SELECT pg_try_advisory_lock($1, $2)", ct, Sql.Int(JoinLock), Sql.Int(number)) is true)
                return number;
        }
        throw new StoreUnusableException(
            $"There are {MostNodes} nodes already. Stop some; one that has died is forgotten within half a minute.");
    }

    static async Task<object?> ScalarAsync(
        NpgsqlConnection connection, string sql, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteScalarAsync(ct);
    }

    /// <summary>Leaves in order: what is still leased is the others' at once, and the number is free. A server that is away finds out by
    /// itself.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await using var leave = new NpgsqlCommand("UPDATE nodes SET alive = false WHERE id = $1 AND incarnation = $2", _connection);
            leave.Parameters.AddRange((NpgsqlParameter[])[Sql.Int(Incarnation.Node), Sql.Long(Incarnation.Number)]);
            await leave.ExecuteNonQueryAsync();
            // By hand: a connection that goes back to its pool keeps its session, and the lock with it.
            await ScalarAsync(_connection, "SELECT pg_advisory_unlock_all()", CancellationToken.None);
        }
        catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away || e is InvalidOperationException)
        {
            // The others declare this node dead, or its next start takes the number.
        }
        await _connection.DisposeAsync();
    }
}
