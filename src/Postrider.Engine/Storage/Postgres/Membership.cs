using Microsoft.Extensions.Logging;
using Npgsql;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>What a node does to stay one: it beats, watches the beats of the others, and hears of work that they took in.</summary>
/// <param name="inFlight">Attempts under way, for people.</param>
/// <param name="sweep">Returns the leases of the dead.</param>
/// <param name="dueElsewhere">Another node took in work of this key.</param>
public sealed partial class Membership(
    PostgresStore store, Func<int> inFlight, Func<CancellationToken, Task> sweep, Action<QueueKey> dueElsewhere, TimeProvider clock,
    ILogger<Membership> log)
{
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(3);

    /// <summary>Partitions are made three days ahead.</summary>
    static readonly TimeSpan TidyEvery = TimeSpan.FromHours(1);

    public const string Beat = """
        UPDATE nodes SET beat = beat + 1, last_beat = $3, in_flight = $4 WHERE id = $1 AND incarnation = $2 AND alive
        """;

    // A beat in between and it lives: nothing happens.
    public const string DeclareDead = """
        UPDATE nodes SET alive = false, incarnation = incarnation + 1 WHERE id = $1 AND incarnation = $2 AND beat = $3 AND alive
        """;

    const string SelectOthers = "SELECT id, incarnation, beat FROM nodes WHERE alive AND id <> $1";

    readonly DeathWatch _watch = new(clock);
    long _tidiedAt = clock.GetTimestamp();

    Incarnation Own => store.Member.Incarnation;

    /// <summary>Until stopped, or until the others have declared this node dead.</summary>
    /// <returns>False: fenced. Whatever this node still does changes nothing; it must end and join anew.</returns>
    public async Task<bool> RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var listening = store.Signals.ListenAsync(Own.Node, dueElsewhere, ended.Token);
        try
        {
            using var timer = new PeriodicTimer(BeatEvery, clock);
            do
            {
                if (!await TickAsync(stopping))
                    return false;
            }
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
        finally
        {
            await ended.CancelAsync();
            await listening;
        }
        return true;
    }

    internal async Task<bool> TickAsync(CancellationToken ct)
    {
        try
        {
            if (!await BeatAsync(ct))
            {
                LogFenced(Own.Node, Own.Number);
                return false;
            }
            await WatchAsync(ct);
            await TidyAsync(ct);
            store.IsAway = false;
        }
        catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away || e is StoreUnavailableException)
        {
            store.IsAway = true;
            _watch.Missed();
            LogAway(PostgresFault.Words(e));
        }
        return true;
    }

    async Task<bool> BeatAsync(CancellationToken ct)
    {
        await using var beat = store.Tables.CreateCommand(Beat);
        beat.Parameters.AddRange((NpgsqlParameter[])
            [Sql.Int(Own.Node), Sql.Long(Own.Number), Sql.Long(clock.GetUtcNow().Ms), Sql.Int(inFlight())]);
        return await beat.ExecuteNonQueryAsync(ct) == 1;
    }

    async Task WatchAsync(CancellationToken ct)
    {
        var others = new List<SeenNode>();
        await using (var select = store.Tables.CreateCommand(SelectOthers))
        {
            select.Parameters.Add(Sql.Int(Own.Node));
            await using var reader = await select.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                others.Add(new SeenNode(reader.GetInt32(0), reader.GetInt64(1), reader.GetInt64(2)));
        }
        foreach (var dead in _watch.Look(others))
        {
            await using var declare = store.Tables.CreateCommand(DeclareDead);
            declare.Parameters.AddRange((NpgsqlParameter[])[Sql.Int(dead.Id), Sql.Long(dead.Incarnation), Sql.Long(dead.Beat)]);
            if (await declare.ExecuteNonQueryAsync(ct) == 1)
                LogDead(dead.Id, dead.Incarnation);
        }
        // At each beat, whoever found them dead: rows that someone held for a moment are passed over.
        await sweep(ct);
    }

    async Task TidyAsync(CancellationToken ct)
    {
        if (clock.GetElapsedTime(_tidiedAt) < TidyEvery)
            return;
        _tidiedAt = clock.GetTimestamp();
        await EventPartitions.MakeAsync(store.Tables, clock.GetUtcNow(), ct);
    }

    [LoggerMessage(LogLevel.Error,
        "The others have declared this node ({Node}, start {Incarnation}) dead: it ends and must be started again")]
    partial void LogFenced(int node, long incarnation);

    [LoggerMessage(LogLevel.Warning, "Node {Node} (start {Incarnation}) does not beat any more: it is declared dead, its leases are swept")]
    partial void LogDead(int node, long incarnation);

    [LoggerMessage(LogLevel.Warning, "No beat: {Reason}")]
    partial void LogAway(string reason);
}
