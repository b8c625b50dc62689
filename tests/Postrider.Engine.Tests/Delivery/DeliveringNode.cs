using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage;
using Postrider.Storage.Sqlite;
using Postrider.Submission;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>A whole node without HTTP: submitter, SQLite in a file of its own, dispatcher and lanes, under a clock that the test
/// moves.</summary>
sealed class DeliveringNode : IAsyncDisposable
{
    public static readonly SubmissionRequest Mail = new()
    {
        From = new AddressText("sender@example.org"),
        To = [new AddressText("ann@example.com")],
        Subject = "Hello",
        Text = "Hello Ann",
    };

    readonly List<ScriptedProvider> _scripted = [];
    readonly DueBook _due;
    readonly bool _ownsFolder;
    readonly Keeper _keeper;
    readonly Lanes _lanes;
    readonly CancellationTokenSource _stopping = new();
    Task _running = Task.CompletedTask;
    Task _keeping = Task.CompletedTask;

    /// <param name="transports">As in <c>POSTRIDER_TRANSPORTS</c>; every scheme is the scripted provider unless <paramref
    /// name="factories"/> knows it.</param>
    public DeliveringNode(string transports, TimeProvider? clock = null, DeliveryOptions? options = null, string? folder = null,
        Action<RoutingOptions>? routing = null, long incarnation = 1, IEnumerable<IProviderFactory>? factories = null,
        Func<Incarnation, TimeProvider, ThisNode>? thisNode = null, TenantWeight? weights = null)
    {
        Clock = clock ?? new ManualClock();
        _due = new DueBook(weights);
        _ownsFolder = folder is null;
        Folder = folder ?? Directory.CreateTempSubdirectory("postrider-").FullName;
        Options = options ?? new DeliveryOptions();
        Store = SqliteStore.Open(Path.Combine(Folder, "postrider.db"), new StorageOptions(), Clock, NullLogger<SqliteStore>.Instance);
        Queue = new WatchedStore(Store);
        Owner = new Incarnation(0, incarnation);
        var time = new SteadyTime(Clock);
        Flow = new FlowBook(Clock, TimeSpan.FromHours(24));
        var recorder = new Recorder(Queue, _due, time, Clock, Metrics, NullLogger<Recorder>.Instance, Flow);
        Node = thisNode?.Invoke(Owner, Clock) ?? new ThisNode(Owner);
        _lanes = new Lanes(new LaneParts(Queue, recorder, Options, Clock, time, Entropy.System, Node, new AttemptsInHand(),
            NullLogger<Lane>.Instance)
        { MayReceive = address => MayReceive(address) });
        Router = new Router(Table(transports, routing, factories ?? []));
        Waits = new WaitBoard(Router);
        Dispatcher = new Dispatcher(
            new DispatcherParts(Queue, Router, Waits, _lanes, recorder, _due, time, Clock, Options, Metrics, Entropy.System, Node,
                NullLogger<Dispatcher>.Instance));
        _keeper = new Keeper(Queue, Dispatcher, time, Clock, Options, NullLogger<Keeper>.Instance);
        Host = new DeliveryHost(
            Queue, Router, new TransportPauses(Router), Dispatcher, _keeper, time, Options, Clock, NullLogger<DeliveryHost>.Instance);
        Ids = new MessageIds(Clock);
        Submitter = new Submitter(Queue, Store, Dispatcher, Ids, Clock,
            new SubmissionOptions { AllowSingleLabelDomains = true })
        { Router = Router };
    }

    /// <summary>Whom the lanes may write to.</summary>
    public Func<EmailAddress, bool> MayReceive { get; set; } = _ => true;
    public TimeProvider Clock { get; }
    public ManualClock Manual => (ManualClock)Clock;
    public string Folder { get; }
    public DeliveryOptions Options { get; }
    public SqliteStore Store { get; }
    public WatchedStore Queue { get; }
    public Incarnation Owner { get; }
    public ThisNode Node { get; }
    public DeliveryMetrics Metrics { get; } = new();
    public FlowBook Flow { get; }
    public Router Router { get; }
    public Dispatcher Dispatcher { get; }
    public WaitBoard Waits { get; }

    /// <summary>What the process runs in place of <see cref="StartAsync()"/>.</summary>
    public DeliveryHost Host { get; }
    public MessageIds Ids { get; }
    public Submitter Submitter { get; }

    public ScriptedProvider this[string transport] => _scripted.Single(p => p.Name == transport);
    public Transport Transport(string name) => Router.Table.FindTransport(name)!;

    /// <summary>A node whose loops run.</summary>
    public static async Task<DeliveringNode> StartAsync(string transports, TimeProvider? clock = null, DeliveryOptions? options = null,
        string? folder = null,
        Action<RoutingOptions>? routing = null, long incarnation = 1, IEnumerable<IProviderFactory>? factories = null,
        Func<Incarnation, TimeProvider, ThisNode>? thisNode = null)
    {
        var node = new DeliveringNode(transports, clock, options, folder, routing, incarnation, factories, thisNode);
        await node.StartAsync();
        return node;
    }

    public async Task StartAsync()
    {
        await Store.SweepAsync(Owner, Clock.GetUtcNow(), Clock.GetUtcNow() + Options.SettleTransactional, CancellationToken.None);
        _running = Task.Run(Dispatcher.RunAsync);
        _keeping = Task.Run(() => _keeper.RunAsync(_stopping.Token));
        while (!_due.IsClear(default, DateTimeOffset.MinValue))
            await Task.Yield(); // the store was asked once what is due
    }

    /// <summary>Sends one mail by a transport that has sent none yet: after its answer all slots are open.</summary>
    public async Task KnowAsync(string transport)
    {
        await SubmitAsync("first@example.com");
        await UntilAsync(() => Transport(transport).GetStatus() is { InFlight: 0, Tries: > 0 });
    }

    public async Task<MessageId> SubmitAsync(SubmissionRequest request, int tenant = 1)
    {
        var result = await Submitter.SubmitAsync(request, new SubmissionContext(new TenantId(tenant), null, default),
            CancellationToken.None);
        return Assert.IsType<SubmissionResult.Accepted>(result).Receipt.Items[0].Message!.Id;
    }

    public Task<MessageId> SubmitAsync(string to, string? stream = null, int tenant = 1) =>
        SubmitAsync(Mail with { To = [new AddressText(to)], Stream = stream }, tenant);

    public async Task<MessageView> GetAsync(MessageId id, int tenant = 1) =>
        await Store.GetAsync(new TenantId(tenant), id, CancellationToken.None)
            ?? throw new InvalidOperationException($"{id} is not stored");

    /// <summary>The recipients' states in their order.</summary>
    public async Task<IReadOnlyList<RecipientState>> StatesAsync(MessageId id) => [.. (await GetAsync(id)).Recipients.Select(r => r.State)];

    public Task<StateCounts> CountAsync() => Store.CountAsync(TenantId.First, CancellationToken.None);

    /// <summary>Lets real work go on, and virtual time with it in small steps, until the condition holds.</summary>
    public async Task UntilAsync(Func<bool> condition, TimeSpan? within = null, TimeSpan? step = null)
    {
        if (Clock is ManualClock manual)
        {
            await manual.AdvanceUntilAsync(condition, step ?? TimeSpan.FromMilliseconds(5), within ?? TimeSpan.FromMinutes(5));
            return;
        }
        using var limit = new CancellationTokenSource(within ?? TimeSpan.FromSeconds(60), TimeProvider.System);
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, limit.Token);
    }

    public async Task UntilAsync(Func<Task<bool>> condition, TimeSpan? within = null, TimeSpan? step = null)
    {
        var holds = false;
        using var stop = new CancellationTokenSource();
        var asking = Task.Run(async () =>
        {
            while (!Volatile.Read(ref holds) && !stop.IsCancellationRequested)
            {
                Volatile.Write(ref holds, await condition());
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            }
        });
        try
        {
            await UntilAsync(() => Volatile.Read(ref holds) || asking.IsFaulted, within, step);
        }
        finally
        {
            await stop.CancelAsync();
            await asking;
        }
    }

    /// <summary>Lets virtual time pass until then, a second at a step.</summary>
    public Task PassAsync(DateTimeOffset until) =>
        UntilAsync(() => Clock.GetUtcNow() >= until, within: TimeSpan.FromDays(1), step: TimeSpan.FromSeconds(1));

    /// <summary>The process ends without a word: nothing is drained or recorded, what was leased stays leased.</summary>
    /// <remarks>Its attempts hang for ever; its loops never run again, because its clock stands still.</remarks>
    public async Task CrashAsync()
    {
        Queue.IsAway = true;
        await Store.DisposeAsync();
    }

    public Task DrainAsync(CancellationToken now = default) => Dispatcher.DrainAsync(now);

    public async ValueTask DisposeAsync()
    {
        await Dispatcher.DrainAsync(new CancellationToken(canceled: true));
        await _running;
        await _stopping.CancelAsync();
        await _keeping;
        await _lanes.DisposeAsync();
        await Store.DisposeAsync();
        if (_ownsFolder)
            Directory.Delete(Folder, recursive: true);
    }

    RouteTable Table(string transports, Action<RoutingOptions>? routing, IEnumerable<IProviderFactory> factories)
    {
        var faults = new List<TransportFault>();
        var opened = new List<Transport>();
        foreach (var settings in TransportDsn.ParseAll(transports, faults))
        {
            var factory = factories.FirstOrDefault(f => f.Scheme == settings.Scheme);
            var options = TransportOptions.From(settings, faults, factory?.OptionNames ?? []);
            opened.Add(_lanes.Open(options, factory?.Create(settings) ?? Script(settings.Name)));
        }
        Assert.Empty(faults);
        var routeFaults = new List<string>();
        var routes = new RoutingOptions();
        routing?.Invoke(routes);
        var table = RouteTable.Build(routes, opened, routeFaults);
        Assert.Empty(routeFaults);
        return table;
    }

    ScriptedProvider Script(string name)
    {
        var provider = new ScriptedProvider(name, Clock);
        _scripted.Add(provider);
        return provider;
    }
}
