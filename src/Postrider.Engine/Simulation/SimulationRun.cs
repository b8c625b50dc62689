using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Simulated;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Submission;

namespace Postrider.Simulation;

/// <summary>Runs a scenario through the delivery that the server has: only time, chance, store and providers are others.</summary>
public sealed class SimulationRun(Scenario scenario, IEnumerable<IProviderFactory> providers, OpenStores open)
{
    SimulationBook? _book;
    IReadOnlyList<Transport>? _transports;

    /// <summary>Null: it has not begun. From any thread.</summary>
    public SimulationProgress? Progress => Volatile.Read(ref _book)?.Progress;

    /// <summary>What an interrupted run came to so far; null: to nothing.</summary>
    public SimulationResult? SoFar => Volatile.Read(ref _transports) is { } transports ? _book!.Close(transports, Outages) : null;

    /// <summary>All faults of the scenario's transports and routes in words; empty: it can be run.</summary>
    public IReadOnlyList<SettingFault> Check()
    {
        var faults = TransportSetup.Check(scenario.Routing, Factories(TimeProvider.System), TimeProvider.System);
        return faults.Count > 0 || scenario.Route is not { } route || Routes.Contains(route)
            ? faults : [new SettingFault("Routes", $"there is no route '{route}'; there are {string.Join(", ", Routes)}")];
    }

    IEnumerable<string> Routes => scenario.Routing.Routes.Keys.Append(RouteSettings.DefaultName).Distinct().Order(StringComparer.Ordinal);

    /// <summary>In the order of their configuration.</summary>
    IReadOnlyList<VendorOutage> Outages =>
    [
        .. TransportDsn.ParseAll(scenario.Routing.Transports, new List<TransportFault>()).SelectMany(transport =>
            SimulatedOptions.Read(TrialProviderFactory.Simulated(transport, scenario), []).Outages
                .Select(outage => new VendorOutage(transport.Name, outage))),
    ];

    /// <summary>Runs until every mail has ended.</summary>
    public Task<SimulationResult> RunAsync(CancellationToken ct)
    {
        if (scenario.RealTime)
            return Task.Run(() => SimulateAsync(TimeProvider.System, TaskScheduler.Default, () => { }, ct), ct);
        var clock = new VirtualClock(scenario.Start);
        var thread = new OneThread(clock);
        return Task.Run(() => thread.Run(
            () => SimulateAsync(clock, TaskScheduler.FromCurrentSynchronizationContext(), thread.End, ct), ct), ct);
    }

    async Task<SimulationResult> SimulateAsync(TimeProvider clock, TaskScheduler scheduler, Action end, CancellationToken ct)
    {
        var book = new SimulationBook(scenario, clock);
        Volatile.Write(ref _book, book);
        var stores = open(clock, new StoreWatch(book.Recorded, book.Ended));
        var factories = Factories(clock);
        using var metrics = new DeliveryMetrics();
        var (router, parts) = Assemble(clock, scheduler, stores.Queue, factories, metrics);
        router.TransportChanged += book.Note;
        Volatile.Write(ref _transports, router.Table.Transports);
        await using var lanes = parts.Lanes;
        using var dispatcher = new Dispatcher(parts);
        var keeper = new Keeper(stores.Queue, dispatcher, parts.Time, clock, scenario.Delivery, NullLogger<Keeper>.Instance);
        using var quotas = new QuotaHost(router, stores.Quotas, clock, NullLogger<QuotaHost>.Instance);
        using var stopping = new CancellationTokenSource();
        Task[] running =
        [
            dispatcher.RunAsync(),
            keeper.RunAsync(stopping.Token),
            quotas.RunAsync(stopping.Token),
        ];
        await ArriveAsync(new Acceptor(stores.Queue, NothingIsLost, dispatcher, clock, new SubmissionOptions()), router, clock, book, ct);
        // None of the loops ends before it is told to, unless by a fault.
        await await Task.WhenAny([book.AllEndedAsync(ct), .. running]);
        var result = book.Close(router.Table.Transports, Outages);

        end();
        await dispatcher.DrainAsync(new CancellationToken(canceled: true));
        await stopping.CancelAsync();
        await Task.WhenAll(running);
        foreach (var factory in factories)
            await factory.DisposeAsync();
        return result;
    }

    List<TrialProviderFactory> Factories(TimeProvider clock) =>
        [.. providers.Select(real => new TrialProviderFactory(real, scenario, clock))];

    /// <summary>As <see cref="DeliveryRegistration"/> does it for the server.</summary>
    (Router Router, DispatcherParts Parts) Assemble(TimeProvider clock, TaskScheduler scheduler, IQueueStore store,
        IEnumerable<IProviderFactory> factories, DeliveryMetrics metrics)
    {
        var entropy = new SeededEntropy(scenario.Seed);
        var node = new ThisNode(new Incarnation(0, 1));
        var time = new SteadyTime(clock);
        var due = new DueBook();
        var recorder = new Recorder(store, due, time, clock, metrics, NullLogger<Recorder>.Instance, flow: null);
        var lanes = new Lanes(new LaneParts(
            store, recorder, scenario.Delivery, clock, time, entropy, node, new AttemptsInHand(), NullLogger<Lane>.Instance));
        var router = new Router(TransportSetup.Open(scenario.Routing, factories, lanes));
        return (router, new DispatcherParts(store, router, new WaitBoard(router), lanes, recorder, due, time, clock, scenario.Delivery,
            metrics, entropy, node, NullLogger<Dispatcher>.Instance)
        {
            Scheduler = scheduler,
        });
    }

    async Task ArriveAsync(Acceptor acceptor, Router router, TimeProvider clock, SimulationBook book, CancellationToken ct)
    {
        var ids = new MessageIds(clock);
        var start = clock.GetUtcNow();
        for (var number = 1; number <= scenario.Mails; number++)
        {
            var wait = start + scenario.FirstAfter + scenario.Between * (number - 1) - clock.GetUtcNow();
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, clock, ct);
            var message = Mail(number, ids.Next(), router, clock.GetUtcNow());
            book.Accepted(message.Id);
            await acceptor.AcceptOneAsync(
                message, message.Content!, new SubmissionContext(TenantId.First, null, default), new SubmissionReceipt(null, []));
        }
    }

    NewMessage Mail(int number, MessageId id, Router router, DateTimeOffset now)
    {
        var to = EmailAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"customer-{number}@example.net"));
        var request = new RouteRequest(scenario.Route, scenario.Stream, [], scenario.From.AsciiDomain, [to.AsciiDomain]);
        var route = router.Table.Choose(request)?.Settings
            ?? throw new TransportSetupException([$"there is no route '{scenario.Route ?? RouteSettings.DefaultName}'"]);
        return new NewMessage
        {
            Id = id,
            Stream = scenario.Stream,
            Route = route.Name,
            Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, to))],
            Content = new MessageContent
            {
                From = new Mailbox("Postrider", scenario.From),
                Subject = string.Create(CultureInfo.InvariantCulture, $"Simulated mail {number}"),
                Text = "Nothing of this leaves.",
            },
            ExpiresAt = now + scenario.ExpiresIn,
            OnAmbiguous = route.OnAmbiguous ?? AmbiguityPolicy.Retry,
        };
    }

    /// <summary>The store in memory answers every commit.</summary>
    static Task<bool> NothingIsLost(MessageId id, CancellationToken ct) => Task.FromResult(false);
}
