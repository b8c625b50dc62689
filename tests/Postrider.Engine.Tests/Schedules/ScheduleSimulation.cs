using Dapper;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Schedules;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class SqliteScheduleSimulation() : ScheduleSimulation(StoreEngine.Sqlite);

public sealed class PostgresScheduleSimulation() : ScheduleSimulation(StoreEngine.Postgres);

/// <summary>Two years of schedules in four zones, with eight nodes that die before, in and after any write: each time has one batch, and
/// the times are those that a look at every minute of the years finds.</summary>
public abstract class ScheduleSimulation(StoreEngine engine)
{
    static readonly string[] Zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"];

    static readonly TimeSpan Span = TimeSpan.FromDays(730);

    [Fact]
    public async Task Each_time_has_one_batch_whoever_dies()
    {
        await using var run = await Simulated.StartAsync(engine, seed: 1, Span, advancesApart: false);
        await run.GoAsync();
        Assert.True(run.Deaths > 300, $"Only {run.Deaths} nodes died.");
        Assert.Empty(await run.FaultsAsync());
    }

    /// <summary>What the test is worth: with the advance in a transaction of its own, times are lost.</summary>
    [Fact]
    public async Task With_the_advance_in_another_transaction_times_are_lost()
    {
        await using var run = await Simulated.StartAsync(engine, seed: 2, TimeSpan.FromDays(60), advancesApart: true);
        await run.GoAsync();
        Assert.Contains(await run.FaultsAsync(), fault => fault.Contains("no batch", StringComparison.Ordinal));
    }

    sealed class Simulated : IAsyncDisposable
    {
        readonly ScheduleHouse _house;
        readonly Random _dice;
        readonly Lock _lock = new();
        readonly TimeSpan _span;
        readonly bool _advancesApart;
        readonly List<(Schedule Schedule, MinuteByMinute Oracle, string Zone)> _schedules = [];
        readonly DateTimeOffset _start;
        int _deaths;

        Simulated(ScheduleHouse house, int seed, TimeSpan span, bool advancesApart)
        {
            (_house, _dice, _span, _advancesApart) = (house, new Random(seed), span, advancesApart);
            _start = house.Now;
        }

        public int Deaths => _deaths;

        public static async Task<Simulated> StartAsync(StoreEngine engine, int seed, TimeSpan span, bool advancesApart)
        {
            var run = new Simulated(await ScheduleHouse.OpenAsync(engine), seed, span, advancesApart);
            foreach (var zone in Zones)
                foreach (var oracle in Lines)
                    run._schedules.Add((await run._house.AddAsync(ScheduleHouse.Daily with
                    {
                        Cron = oracle.Text,
                        TimeZone = zone,
                        Missed = "all",
                    }), oracle, zone));
            return run;
        }

        /// <summary>Times of day where clocks are changed, and every so often there.</summary>
        static MinuteByMinute[] Lines { get; } =
        [
            Line([30], [2], [.. Enumerable.Range(0, 7)], false, "30 2 * * *"),
            Line([0, 45], [1], [.. Enumerable.Range(0, 7)], false, "0,45 1 * * *"),
            Line([0, 20, 40], [1, 2, 3], [0], true, "*/20 1-3 * * 0"),
        ];

        static MinuteByMinute Line(int[] minutes, int[] hours, int[] weekdays, bool isInterval, string text) => new(
            [.. minutes], [.. hours], [.. Enumerable.Range(1, 31)], [.. Enumerable.Range(1, 12)], [.. weekdays], isInterval, false, text);

        public async Task GoAsync()
        {
            var nodes = Enumerable.Range(0, 8).Select(_ => NewNode()).ToArray();
            while (_house.Now < _start + _span)
            {
                // Now and then nobody is there for days.
                _house.Clock.Advance(Chance(200) ? TimeSpan.FromHours(_dice.Next(72)) : TimeSpan.FromMinutes(_dice.Next(600)));
                if (Chance(20))
                    await ReckonWronglyAsync();
                await Task.WhenAll(nodes.Select(async (node, i) =>
                {
                    if (!await LivesAsync(node))
                        nodes[i] = NewNode();
                }));
            }
            // What the dead had in hand is anybody's by then.
            await _house.RunAtAsync(_house.Now + ScheduleRunner.InHand);
        }

        /// <summary>False: it died.</summary>
        async Task<bool> LivesAsync(ScheduleRunner node)
        {
            try
            {
                await node.ReckonAsync(default);
                while (await node.TickAsync(default) || await _house.IsAnyDueAsync())
                    ;
                return true;
            }
            catch (NodeDiedException)
            {
                Interlocked.Increment(ref _deaths);
                return false;
            }
        }

        ScheduleRunner NewNode() => _house.NewRunner(new MortalStore(_house.Store, () => Chance(15), _advancesApart));

        /// <summary>As a node does whose zones are of another year.</summary>
        async Task ReckonWronglyAsync()
        {
            var (schedule, _, _) = _schedules[_dice.Next(_schedules.Count)];
            var now = await _house.FindAsync(schedule.Id);
            var next = now.Next!.Value;
            await _house.Store.ReplaceAsync(now with { Next = next with { At = next.At.AddHours(_dice.Next(3) - 1) }, Edition = "1999a" });
        }

        public async Task<List<string>> FaultsAsync()
        {
            var faults = new List<string>();
            foreach (var (schedule, oracle, zone) in _schedules)
            {
                var times = oracle.Between(ZoneFile.Read(zone), _start, _house.Now).Select(o => (o.Local, o.Fold, o.At)).ToHashSet();
                var runs = await _house.RunsAsync(schedule.Id);
                var batches = (await _house.Batches.Tables.ReadAsync(connection => connection.Query<long>(
                    "SELECT batch FROM expansions WHERE source = @source", new { source = schedule.Recipients.Source.Value }), default))
                    .ToHashSet();
                foreach (var run in runs)
                    if (run.State != RunState.Enqueued || run.RanAt < run.DueAt)
                        faults.Add($"{oracle.Text} in {zone}: {run.Time.Local:s} was {run.State}.");
                    else if (!times.Remove((run.Time.Local, run.Time.Fold, run.DueAt)))
                        faults.Add($"{oracle.Text} in {zone}: {run.Time.Local:s} at {run.DueAt:s} should not have come.");
                    else if (!batches.Remove(run.Id.Value))
                        faults.Add($"{oracle.Text} in {zone}: {run.Time.Local:s} has no batch.");
                faults.AddRange(times.Select(time => $"{oracle.Text} in {zone}: {time.Local:s} has no batch and no run."));
                faults.AddRange(batches.Select(batch => $"{oracle.Text} in {zone}: the batch {batch} is of no time."));
            }
            return faults;
        }

        bool Chance(int oneIn)
        {
            lock (_lock)
                return _dice.Next(oneIn) == 0;
        }

        public ValueTask DisposeAsync() => _house.DisposeAsync();
    }

    // As a store that is away: the node does not take it for a fault of its own.
    sealed class NodeDiedException : TimeoutException;

    /// <summary>A node's way to the store, at any point of which it may die: what it asked for was done or was not.</summary>
    sealed class MortalStore(IScheduleStore store, Func<bool> dies, bool advancesApart) : IScheduleStore
    {
        public Task<bool> ReplaceAsync(Schedule schedule) => LiveAsync(() => store.ReplaceAsync(schedule));

        public async Task<StepResult> StepAsync(ScheduleStep step)
        {
            if (!advancesApart)
                return await LiveAsync(() => store.StepAsync(step));
            if (!await LiveAsync(() => store.ReplaceAsync(step.Schedule)))
                return StepResult.Stale;
            return await LiveAsync(() => store.StepAsync(step with
            {
                Schedule = step.Schedule with { Change = step.Schedule.Change + 1 },
            }));
        }

        public Task<IReadOnlyList<Schedule>> TakeDueAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct) =>
            LiveAsync(() => store.TakeDueAsync(now, until, limit, ct));

        public Task<IReadOnlyList<Schedule>> OfOtherEditionAsync(string edition, int limit, CancellationToken ct) =>
            store.OfOtherEditionAsync(edition, limit, ct);

        public Task<bool> IsSendingAsync(MessageId schedule, CancellationToken ct) => store.IsSendingAsync(schedule, ct);
        public Task<AddedSchedule?> AddAsync(Schedule schedule, int limit, ScheduleKey? key) => throw new NotSupportedException();
        public Task<AddedSchedule?> FindAsync(TenantId tenant, ScheduleKey key, CancellationToken ct) => throw new NotSupportedException();
        public Task<Schedule?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct) => throw new NotSupportedException();

        public Task<IReadOnlyList<Schedule>> ListAsync(
            TenantId tenant, ScheduleState? state, MessageId? before, int limit, CancellationToken ct) => throw new NotSupportedException();

        public Task<IReadOnlyList<ScheduleRun>> RunsAsync(MessageId schedule, MessageId? before, int limit, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<ScheduleRun?> FindRunAsync(MessageId schedule, MessageId run, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<ScheduleRun?> FindRunAsync(MessageId schedule, string key, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<MailReport> CountAsync(TenantId tenant, MessageId run, CancellationToken ct) => throw new NotSupportedException();

        public Task<ScheduleReport> ReportAsync(MessageId schedule, int mostRuns, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<IReadOnlyList<(TenantId Tenant, ScheduleRun Run)>> UntoldAsync(
            DateTimeOffset before, int limit, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task TellAsync(MessageId run) => throw new NotSupportedException();

        async Task<T> LiveAsync<T>(Func<Task<T>> call)
        {
            if (dies())
                throw new NodeDiedException();
            var result = await call();
            return dies() ? throw new NodeDiedException() : result;
        }
    }
}
