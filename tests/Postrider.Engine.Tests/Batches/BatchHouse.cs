using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Batches;
using Postrider.Engine.Tests.Routing;
using Postrider.Engine.Tests.Storage;
using Postrider.Engine.Tests.Submission;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Templates;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

/// <summary>Large batches over a real store, which the test has to itself, without anybody who delivers.</summary>
sealed class BatchHouse : IAsyncDisposable
{
    static readonly Incarnation Node = new(1, 1000);

    readonly IStoreUnderTest _under;
    int _keys;

    BatchHouse(IStoreUnderTest under, ManualClock clock, SubmissionOptions options)
    {
        (_under, Clock) = (under, clock);
        Ids = new MessageIds(clock);
        Router = new Router(Routes("relay"));
        Submitter = new Submitter(under.Store, under.Reader, HandOver, Ids, clock, options)
        {
            Router = Router,
            Templates = new TemplateLibrary(new TemplateTables(Tables), TemplateTime, Entropy.System, new TemplateOptions()),
        };
    }

    /// <summary>A transport, and routes over it beside the default one.</summary>
    public RouteTable Routes(string transport, params string[] routes)
    {
        var faults = new List<string>();
        var options = new RoutingOptions();
        foreach (var route in routes)
            options.Routes[route] = new RouteOptions();
        var table = RouteTable.Build(options, [Clock.Transport(name: transport)], faults);
        Assert.Empty(faults);
        return table;
    }

    public static async Task<BatchHouse> OpenAsync(StoreEngine engine, SubmissionOptions? options = null)
    {
        var clock = new ManualClock();
        var house = new BatchHouse(
            engine == StoreEngine.Sqlite ? new SqliteUnderTest(clock) : await PostgresUnderTest.OpenAsync(clock), clock,
            options ?? new SubmissionOptions());
        await house._under.JoinAsync(Node);
        return house;
    }

    public ManualClock Clock { get; }
    public MessageIds Ids { get; }
    public Router Router { get; }
    public Submitter Submitter { get; }

    /// <summary>By which the filling in of templates is timed.</summary>
    public StallingClock TemplateTime { get; } = new(TimeProvider.System);
    public RecordingHandOver HandOver { get; } = new();
    public ITableStore Tables => (ITableStore)_under.Store;
    public IBatchStore Batches => new BatchTables(Tables);
    public IListStore Lists => new ListTables(Tables);
    public IBatchExpansion Expansion => (IBatchExpansion)_under.Store;
    public IMessageReader Reader => _under.Reader;
    public IQueueStore Store => _under.Store;
    public IFeedbackStore Feedback => _under.Feedback;

    public Expander NewExpander(int maxAhead = 100_000, IBatchExpansion? expansion = null, TimeProvider? clock = null) =>
        new(Batches, expansion ?? Expansion, Submitter, HandOver, Ids, clock ?? Clock, new BatchOptions { MaxAhead = maxAhead },
            NullLogger<Expander>.Instance);

    public static SubmissionRequest News { get; } = new()
    {
        From = new AddressText("news@example.com"),
        Subject = "News",
        Text = "It works.",
    };

    public async Task<NewLargeBatch> DraftAsync(SubmissionRequest? request = null)
    {
        var (shared, problem) = await Submitter.CheckSharedAsync(request ?? News, SubmissionHouse.With());
        Assert.Null(problem);
        return new NewLargeBatch(Ids.Next(), TenantId.First, shared!, Clock.GetUtcNow());
    }

    public async Task<LargeBatch> AddAsync(SubmissionRequest? request = null) =>
        (await Batches.AddAsync(await DraftAsync(request)))!.Value.Batch;

    /// <summary>A batch with so many destinations, which has begun.</summary>
    public async Task<LargeBatch> StartedAsync(int count, SubmissionRequest? request = null, Func<int, string?>? data = null)
    {
        var batch = await AddAsync(request);
        for (var start = 0; start < count; start += 500)
            await AppendAsync(batch.Id, start, Math.Min(500, count - start), data: data);
        Assert.True(await Batches.StartAsync(TenantId.First, batch.Id, Clock.GetUtcNow()));
        return batch;
    }

    /// <param name="tenant">Null: the first.</param>
    public Task<AppendedPart?> AppendAsync(
        MessageId batch, int before, int count, string? key = null, Func<int, string?>? data = null, TenantId? tenant = null,
        UInt128? fingerprint = null, bool isLast = false) =>
        Batches.AppendAsync(tenant ?? TenantId.First, batch, new BatchPart
        {
            Key = key,
            Destinations =
                [.. Enumerable.Range(before + 1, count).Select(i => new StoredDestination(i, Address(i), null, data?.Invoke(i)))],
            LinesBefore = before,
            Lines = before + count,
            Fingerprint = fingerprint,
            IsLast = isLast,
        }, Clock.GetUtcNow());

    public static string Address(int i) => $"r{i}@example.com";

    /// <summary>Expands until nothing is left to do now.</summary>
    public static async Task RunAsync(Expander expander)
    {
        while (await expander.RunOnceAsync(default))
            ;
    }

    public async Task<LargeBatch> FindAsync(MessageId batch) => (await Batches.FindAsync(TenantId.First, batch, default))!;

    /// <summary>The addresses of the batch's messages, each as often as it is there.</summary>
    public async Task<List<string>> AddressesAsync(MessageId batch) =>
        [.. (await MessagesAsync(batch)).SelectMany(m => m.Recipients.Select(r => r.Mailbox.Address.ToString()))];

    public async Task<List<MessageView>> MessagesAsync(MessageId batch)
    {
        var all = new List<MessageView>();
        MessageId? before = null;
        do
        {
            var page = await Reader.ListAsync(TenantId.First, new MessageFilter { Batch = batch, Before = before, Limit = 100 }, default);
            all.AddRange(page.Messages);
            before = page.ContinueBefore;
        }
        while (before is not null);
        return all;
    }

    public Task<IReadOnlyList<Lease>> LeaseAsync(int permits) => Store.LeaseAsync(
        new QueueKey("default", MailStream.Bulk, TenantId.First), permits, Node, Clock.GetUtcNow(), alone: false, default);

    public async Task<StateCounts> CountsAsync(MessageId batch) => (await Reader.GetBatchAsync(TenantId.First, batch, default))!.Counts;

    public Task ReopenAsync() => _under.ReopenAsync();

    public async Task TemplateAsync(string name, string subject) => Assert.NotNull(await new TemplateTables(Tables).AddAsync(
        TenantId.First, $"d-{++_keys}", name, new TemplateContent { Subject = subject, Text = "Hi {{name}}" }, Clock.GetUtcNow()));

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(await _under.OrphansAsync());
        await _under.DisposeAsync();
    }
}

/// <summary>Time that goes on by the same span whenever somebody looks: a process that stands still between two looks.</summary>
/// <param name="wall">What the calendar says.</param>
sealed class StallingClock(TimeProvider wall) : TimeProvider
{
    long _looks;

    public TimeSpan Stall { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override DateTimeOffset GetUtcNow() => wall.GetUtcNow();
    public override long GetTimestamp() => Interlocked.Increment(ref _looks) * Stall.Ticks;
}
