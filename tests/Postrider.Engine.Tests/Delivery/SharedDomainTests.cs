using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Two nodes that send to one recipient domain over one real database, on the real clock.</summary>
public sealed class SharedDomainTests : IAsyncLifetime
{
    const int PerSecond = 200;

    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Span = 5 * Second;

    readonly List<Node> _nodes = [];
    readonly ConcurrentQueue<(int Node, TimeSpan At)> _sent = new();
    long _origin;
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync()
    {
        _under = await PostgresUnderTest.OpenAsync(new ManualClock());
        for (var n = 0; n < 2; n++)
        {
            _nodes.Add(new Node(await _under.OpenStoreAsync($"node {n}")));
            await _nodes[n].StartAsync();
        }
        _origin = TimeProvider.System.GetTimestamp();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        await _under.DisposeAsync();
    }

    TimeSpan Now => TimeProvider.System.GetElapsedTime(_origin);

    [Fact]
    public async Task A_domain_gets_its_rate_from_all_nodes_together_and_other_domains_are_not_kept()
    {
        var workers = Enumerable.Range(0, 16).Select(n => Task.Run(() => SendAsync(n % 2, "d.example"))).ToList();
        await Task.Delay(Second, TimeProvider.System, TestContext.Current.CancellationToken);
        foreach (var node in _nodes)
        {
            using var permit = node.Take("other.example")!;
            Assert.Equal(TimeSpan.Zero, permit.Charge(1, null, ["other.example"]));
        }
        await Task.WhenAll(workers);

        var times = _sent.Select(sent => sent.At).Order().ToList();
        Assert.InRange(times.Count, 0.6 * PerSecond * Span.TotalSeconds, 1.05 * PerSecond * (Span.TotalSeconds + 0.1));
        for (int first = 0, last = 0; last < times.Count; last++)
        {
            while (times[last] - times[first] >= Second)
                first++;
            Assert.InRange(last - first + 1, 1, 1.25 * PerSecond);
        }
        Assert.All(_sent.CountBy(sent => sent.Node), node => Assert.InRange(node.Value, 0.2 * times.Count, 0.8 * times.Count));
        Assert.InRange(_nodes.Sum(node => node.Limits.Statements), 1, times.Count / 2);
    }

    // Within seconds of each other, by one mail each: nothing is kept of a domain that would let the second through.
    [Fact]
    public async Task A_slow_domain_is_slow_for_all_nodes()
    {
        await Task.WhenAll(SendAsync(0, "slow.example"), SendAsync(1, "slow.example"));
        Assert.InRange(_sent.Count, 1, 3);
    }

    async Task SendAsync(int node, string domain)
    {
        while (Now < Span)
            if (_nodes[node].Take(domain) is not { } permit || !await TryAsync(node, permit, domain))
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
    }

    /// <summary>As a lane does.</summary>
    async Task<bool> TryAsync(int node, Permit permit, string domain)
    {
        using (permit)
        {
            while (permit.Charge(1, null, [domain]) is var wait && wait != TimeSpan.Zero)
            {
                if (wait is not { } limited || limited > 2 * Second)
                    return false;
                await Task.Delay(limited, TimeProvider.System);
            }
            _sent.Enqueue((node, Now));
            permit.Report(Routing.Transports.Outcome(OutcomeKind.Accepted));
            return true;
        }
    }

    sealed class Node : IAsyncDisposable
    {
        readonly SharedLimitsHost _host;
        readonly PostgresStore _store;
        readonly Transport _transport;

        public Node(PostgresStore store)
        {
            _store = store;
            Limits = new CountingLimits(new PostgresLimits(store));
            var settings = TransportDsn.ParseAll(
                $"a=smtp://localhost?concurrency=100&domains=d.example:-,{PerSecond}/s;slow.example:-,20/m", []).Single();
            _transport = new Transport(TransportOptions.From(settings, [], ["domains"]), Routing.Transports.Anything, TimeProvider.System)
            { IsKnown = true };
            var router = new Router(RouteTable.Build(new RoutingOptions(), [_transport], []));
            _host = new SharedLimitsHost(
                router, Limits, store.Notices, TimeProvider.System, NullLogger<SharedLimitsHost>.Instance);
        }

        public CountingLimits Limits { get; }

        public Permit? Take(string domain) =>
            _transport.TryTake(MailStream.Transactional, new EnvelopeNeeds { RecipientDomains = [domain] }, out _);

        public Task StartAsync() => _host.StartAsync(default);

        public async ValueTask DisposeAsync()
        {
            await _host.StopAsync(default);
            _host.Dispose();
            await _store.DisposeAsync();
        }
    }

    sealed class CountingLimits(ISharedLimits limits) : ISharedLimits
    {
        int _statements;

        public int Statements => _statements;

        public Task<IReadOnlyList<RateGrant>> TakeAsync(IReadOnlyList<RateAsk> asks, CancellationToken ct)
        {
            Interlocked.Increment(ref _statements);
            return limits.TakeAsync(asks, ct);
        }

        public Task GiveBackAsync(IReadOnlyList<RateAsk> unused, CancellationToken ct) => limits.GiveBackAsync(unused, ct);

        public Task<IReadOnlyList<SharedState>> LoadAsync(CancellationToken ct) => limits.LoadAsync(ct);

        public Task<bool> TellAsync(SharedChange change) => limits.TellAsync(change);
    }
}
