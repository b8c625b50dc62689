using Microsoft.Extensions.Logging;
using Npgsql;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Postgres;

/// <summary>What a node does to stay one: it beats, watches the beats of the others, hears of work that they took in, and joins anew when
/// they have given it up.</summary>
/// <param name="inFlight">Attempts under way, for people.</param>
/// <param name="isDraining">The process ends when they have, for people too.</param>
/// <param name="sweep">Returns the leases of the dead.</param>
/// <param name="dueElsewhere">Another node took in work of this key.</param>
public sealed partial class Membership(
    PostgresStore store, Func<int> inFlight, Func<bool> isDraining, Func<CancellationToken, Task> sweep, Action<QueueKey> dueElsewhere,
    TimeProvider clock, ILogger<Membership> log)
{
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(3);

    /// <summary>Partitions are made three days ahead.</summary>
    static readonly TimeSpan TidyEvery = TimeSpan.FromHours(1);

    // A beat in between and it lives: nothing happens.
    public const string DeclareDead = """
        UPDATE nodes SET alive = false, incarnation = incarnation + 1 WHERE id = $1 AND incarnation = $2 AND beat = $3 AND alive
        """;

    public const string SelectOthers = "SELECT id, incarnation, beat FROM nodes WHERE alive AND id <> $1";

    readonly DeathWatch _watch = new(clock);
    long _tidiedAt = clock.GetTimestamp();

    Incarnation Own => store.Member.Incarnation;

    /// <summary>Until stopped, or until the others have declared this node dead. A fault of its watching or listening ends it at once:
    /// a node that beats, and sweeps nobody, would look well to all.</summary>
    /// <returns>False: fenced. Whatever this node still does changes nothing; what runs must end, and then it joins anew.</returns>
    public async Task<bool> RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var listening = store.Signals.ListenAsync(dueElsewhere, ended.Token);
        // Beats wait for nothing: a sweep in a busy database must not look like a death.
        var watching = EveryAsync(WatchAsync, ended.Token);
        try
        {
            using var timer = new PeriodicTimer(BeatEvery, clock);
            Task<bool> tick;
            do
            {
                if (!await BeatAsync(stopping))
                    return false;
                tick = timer.WaitForNextTickAsync(stopping).AsTask();
                await await Task.WhenAny(tick, listening, watching);
            }
            while (await tick);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(listening, watching);
        }
        return true;
    }

    /// <summary>Joins as a new incarnation, as soon as the database lets it. Nothing of the old one may be under way any more.</summary>
    public async Task RejoinAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        while (true)
        {
            try
            {
                await store.RejoinAsync(stopping);
                LogRejoined(Own.Node, Own.Number);
                return;
            }
            catch (Exception e) when (PostgresFault.IsPassing(e))
            {
                store.IsAway = true;
                LogAway(PostgresFault.Words(e));
            }
            await timer.WaitForNextTickAsync(stopping);
        }
    }

    async Task EveryAsync(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        try
        {
            using var timer = new PeriodicTimer(BeatEvery, clock);
            do
                await work(ct);
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The node stops, or has been fenced.
        }
    }

    async Task<bool> BeatAsync(CancellationToken ct)
    {
        try
        {
            if (!await store.Member.BeatAsync(inFlight(), isDraining(), ct))
            {
                LogFenced(Own.Node, Own.Number);
                return false;
            }
            store.IsAway = false;
        }
        catch (Exception e) when (PostgresFault.IsPassing(e))
        {
            store.IsAway = true;
            LogAway(PostgresFault.Words(e));
        }
        return true;
    }

    async Task WatchAsync(CancellationToken ct)
    {
        try
        {
            await LookAsync(ct);
            // At each look, whoever found them dead: rows that someone held for a moment are passed over.
            await sweep(ct);
            await TidyAsync(ct);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or StoreUnavailableException)
        {
            LogBlind(PostgresFault.Words(e));
            _watch.Missed();
        }
    }

    async Task LookAsync(CancellationToken ct)
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
    }

    async Task TidyAsync(CancellationToken ct)
    {
        if (clock.GetElapsedTime(_tidiedAt) < TidyEvery)
            return;
        _tidiedAt = clock.GetTimestamp();
        await EventPartitions.MakeAsync(store.Tables, clock.GetUtcNow(), ct);
    }

    [LoggerMessage(LogLevel.Error,
        "The others have declared this node ({Node}, incarnation {Incarnation}) dead: its attempts are cut, its leases are theirs")]
    partial void LogFenced(int node, long incarnation);

    [LoggerMessage(LogLevel.Warning, "Joined the nodes again as {Node}, incarnation {Incarnation}")]
    partial void LogRejoined(int node, long incarnation);

    [LoggerMessage(LogLevel.Warning,
        "Node {Node} (incarnation {Incarnation}) does not beat any more: it is declared dead, its leases are swept")]
    partial void LogDead(int node, long incarnation);

    [LoggerMessage(LogLevel.Warning, "The other nodes could not be watched: {Reason}")]
    partial void LogBlind(string reason);

    [LoggerMessage(LogLevel.Warning, "No beat: {Reason}")]
    partial void LogAway(string reason);
}
