using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Engine.Tests.Routing;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Three nodes with the same transport over one real database, on the real clock.</summary>
public sealed class SharedCircuitTests : IAsyncLifetime
{
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    readonly List<Node> _nodes = [];
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync()
    {
        _under = await PostgresUnderTest.OpenAsync(new ManualClock());
        for (var n = 0; n < 3; n++)
            await StartNodeAsync($"node {n}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        await _under.DisposeAsync();
    }

    [Fact]
    public async Task A_circuit_that_opens_on_one_node_is_open_on_all_within_a_second()
    {
        Fail(_nodes[0]);
        await AllAsync(status => status.Circuit != CircuitPosition.Closed);
    }

    [Fact]
    public async Task One_probe_is_made_in_all_the_cluster_and_what_it_finds_holds_for_all()
    {
        Fail(_nodes[0]);
        await AllAsync(status => status.Circuit != CircuitPosition.Closed);
        var probes = await ProbesAsync(TimeSpan.FromSeconds(3));
        var probe = Assert.Single(probes);
        Assert.Equal(TimeSpan.Zero, probe.Charge(1));
        probe.Report(Routing.Transports.Outcome(OutcomeKind.Accepted));
        probe.Dispose();
        await AllAsync(status => status.Circuit == CircuitPosition.Closed);
    }

    [Fact]
    public async Task A_probe_without_a_result_leaves_it_to_another_node()
    {
        Fail(_nodes[0]);
        await AllAsync(status => status.Circuit != CircuitPosition.Closed);
        for (var round = 0; round < 3; round++)
        {
            var probe = await FirstProbeAsync(_nodes);
            probe.Dispose();
        }
    }

    [Fact]
    public async Task The_probe_of_a_node_that_dies_is_free_once_it_is_declared_dead()
    {
        Fail(_nodes[0]);
        await AllAsync(status => status.Circuit != CircuitPosition.Closed);
        await FirstProbeAsync(_nodes[1..2]);
        var node = _nodes[1].Store.Member.Incarnation.Node;
        await _under.ExecuteAsync($"UPDATE nodes SET alive = false, incarnation = incarnation + 1 WHERE id = {node}");
        using var again = await FirstProbeAsync([_nodes[0], _nodes[2]]);
    }

    [Fact]
    public async Task What_a_provider_asks_for_reaches_all_nodes()
    {
        _nodes[1].Transport.Attempt(OutcomeKind.Refused, OutcomeScope.SenderDomain, senderDomain: "example.com");
        await AllAsync(status => status.RefusedSenderDomains.ContainsKey("example.com"));

        _nodes[2].Transport.Attempt(OutcomeKind.Throttled, retryAfter: TimeSpan.FromMinutes(2));
        await AllAsync(status => status.ThrottledUntil is { } until && until > TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(100));
        _nodes[0].Transport.Reset();
        await AllAsync(status => status.RefusedSenderDomains.Count == 0 && status.ThrottledUntil is null);
    }

    [Fact]
    public async Task A_pause_holds_on_all_nodes_and_on_one_that_starts_later()
    {
        _nodes[0].Transport.Pause();
        await AllAsync(status => status.Paused);
        await StartNodeAsync("late");
        Assert.True(_nodes[^1].Transport.GetStatus().Paused);
        _nodes[1].Transport.Resume();
        await AllAsync(status => !status.Paused);
    }

    [Fact]
    public async Task An_own_opening_that_is_not_told_yet_is_not_undone_by_what_others_told_before()
    {
        await _under.Postgres.WriteAsync(c => c.Execute("INSERT INTO transport_states (name, version) VALUES ('a', 5)"));
        var transport = new ManualClock().Transport("circuit=3,30s,5s");
        transport.Share();
        transport.OpenCircuit();
        transport.Adopt(Assert.Single(await new PostgresLimits(_under.Postgres).LoadAsync(default)));
        Assert.Equal(CircuitPosition.Open, transport.GetStatus().Circuit);
    }

    static void Fail(Node node) => node.Transport.OpenCircuit();

    Task AllAsync(Func<TransportStatus, bool> holds) =>
        Eventually.HoldsAsync(() => _nodes.TrueForAll(node => holds(node.Transport.GetStatus())), Second);

    /// <summary>All nodes ask again and again; who gets leave keeps it.</summary>
    async Task<List<Permit>> ProbesAsync(TimeSpan span)
    {
        var probes = new List<Permit>();
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < span)
        {
            probes.AddRange(_nodes.Select(node => node.Transport.TryTake(MailStream.Transactional)).OfType<Permit>());
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
        return probes;
    }

    static async Task<Permit> FirstProbeAsync(IReadOnlyList<Node> nodes)
    {
        var permit = await Eventually.GetAsync(
            () => Task.FromResult(nodes.Select(node => node.Transport.TryTake(MailStream.Transactional))
                .FirstOrDefault(p => p is not null)),
            permit => permit is not null, TimeSpan.FromSeconds(10));
        Assert.True(permit!.IsProbe);
        return permit;
    }

    async Task StartNodeAsync(string name)
    {
        var node = new Node(await _under.OpenStoreAsync(name));
        _nodes.Add(node);
        await node.StartAsync();
    }

    sealed class Node : IAsyncDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly SharedLimitsHost _host;
        Task _running = Task.CompletedTask;

        public Node(PostgresStore store)
        {
            Store = store;
            var faults = new List<TransportFault>();
            var settings = TransportDsn.ParseAll("a=smtp://localhost?circuit=3,30s,500ms", faults).Single();
            Transport = new Transport(TransportOptions.From(settings, faults, []), Routing.Transports.Anything, TimeProvider.System)
            { IsKnown = true };
            var router = new Router(RouteTable.Build(new RoutingOptions(), [Transport], []));
            _host = new SharedLimitsHost(
                router, new PostgresLimits(store), store.Notices, TimeProvider.System, NullLogger<SharedLimitsHost>.Instance);
        }

        public PostgresStore Store { get; }
        public Transport Transport { get; }

        public async Task StartAsync()
        {
            await _host.StartAsync(default);
            _running = Task.WhenAll(
                Store.Notices.RunAsync(_stop.Token), Store.Signals.ListenAsync(static _ => { }, _stop.Token));
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            await _host.StopAsync(default);
            _host.Dispose();
            _stop.Dispose();
            await Store.DisposeAsync();
        }
    }
}
