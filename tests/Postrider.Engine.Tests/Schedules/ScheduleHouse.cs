using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Engine.Tests.Submission;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Schedules;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

/// <summary>Schedules over a real store, which the test has to itself.</summary>
sealed class ScheduleHouse(BatchHouse batches) : IAsyncDisposable
{
    int _mails;

    public static async Task<ScheduleHouse> OpenAsync(StoreEngine engine) => new(await BatchHouse.OpenAsync(engine));

    public BatchHouse Batches => batches;
    public Testing.ManualClock Clock => batches.Clock;
    public DateTimeOffset Now => Clock.GetUtcNow();
    public IScheduleStore Store => new ScheduleTables(batches.Tables);
    public IEventFeed Feed => (IEventFeed)batches.Store;
    public ScheduleOptions Options { get; } = new();

    /// <summary>What the mail of schedules is refused with; null: it is made.</summary>
    public Problem? Refusal { get; set; }

    /// <summary>How often the mail of a run was made.</summary>
    public int Mails => _mails;

    /// <summary>Of the database's clock before this node's, as the book sees it.</summary>
    public TimeSpan Ahead { get; set; }

    public Action? BeforeMail { get; set; }

    /// <summary>The tenant is archived.</summary>
    public bool IsStopped { get; set; }

    /// <summary>Making mail throws, as only a bug does.</summary>
    public bool IsBroken { get; set; }

    public ScheduleBook Book => new(Store, batches.Lists, batches.Submitter, MakeAsync, batches.Ids,
        _ => Task.FromResult(Now + Ahead), Clock, Options);

    public ScheduleRunner NewRunner(IScheduleStore? store = null) => new(
        store ?? Store, MakeAsync, new ScheduleTime(_ => Task.FromResult(Now), Clock), batches.Ids, Options,
        NullLogger<ScheduleRunner>.Instance)
    {
        Teller = store is null ? new ScheduleTeller(Store, Feed, Clock) : null,
        IsStopped = _ => IsStopped,
    };

    public static ScheduleRequest Daily { get; } = new()
    {
        Name = "daily",
        Cron = "0 9 * * *",
        TimeZone = "UTC",
        Email = "{}",
        Recipients = [new Destination(new AddressText("ann@example.com")), new Destination(new AddressText("bob@example.com"))],
    };

    public async Task<Schedule> AddAsync(ScheduleRequest request)
    {
        var result = await Book.AddAsync(TenantId.First, request, null, default);
        Assert.Null(result.Problem);
        return result.Schedule!;
    }

    public async Task<Schedule> FindAsync(MessageId id) => (await Store.FindAsync(TenantId.First, id, default))!;

    /// <summary>Moves on to that instant and lets a runner look until nothing is due.</summary>
    public async Task RunAtAsync(DateTimeOffset instant, ScheduleRunner? runner = null)
    {
        Clock.Advance(instant - Now);
        runner ??= NewRunner();
        do
            await runner.TickAsync(default);
        while (await IsAnyDueAsync());
    }

    /// <summary>Something is due that no node has in hand.</summary>
    public Task<bool> IsAnyDueAsync() => batches.Tables.ReadAsync(connection => connection.ExecuteScalar<long>(
        "SELECT count(*) FROM schedules WHERE due <= @now", new { now = Now.ToUnixTimeMilliseconds() }) > 0, default);

    /// <summary>What became of its times, oldest first.</summary>
    public async Task<List<ScheduleRun>> RunsAsync(MessageId schedule)
    {
        var all = new List<ScheduleRun>();
        MessageId? before = null;
        IReadOnlyList<ScheduleRun> page;
        while ((page = await Store.RunsAsync(schedule, before, 1_000, default)).Count > 0)
        {
            all.AddRange(page);
            before = page[^1].Id;
        }
        all.Reverse();
        return all;
    }

    async Task<(SharedSubmission?, Problem?)> MakeAsync(TenantId tenant, string email)
    {
        Interlocked.Increment(ref _mails);
        BeforeMail?.Invoke();
        return Refusal is { } problem ? (null, problem)
            : IsBroken ? throw new InvalidOperationException("a bug")
            : await batches.Submitter.CheckSharedAsync(BatchHouse.News, SubmissionHouse.With());
    }

    public ValueTask DisposeAsync() => batches.DisposeAsync();
}
