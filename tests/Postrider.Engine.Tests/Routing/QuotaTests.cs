using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Delivery;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class SqliteQuotaTests() : QuotaContract(StoreEngine.Sqlite);

public sealed class PostgresQuotaTests() : QuotaContract(StoreEngine.Postgres);

/// <summary>Quotas of transports over both engines.</summary>
public abstract class QuotaContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset Noon = new(2026, 2, 28, 12, 0, 0, TimeSpan.Zero);
    static readonly QuotaAsk Daily = new("transport a", new Quota(100, QuotaSpan.Day), Noon, 1);

    readonly ManualClock _clock = new(Noon);

    QuotaTable Store => new(Tables);

    [Fact]
    public async Task Exactly_the_quota_is_handed_out_whoever_takes_it_at_the_same_time_and_over_a_restart()
    {
        var quota = Daily with { Quota = new Quota(500, QuotaSpan.Day) };
        var parts = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Store.TakeAsync([quota, quota with { Scope = "b" }])));
        var taken = parts.Sum(part => part[0]);
        await ReopenAsync();
        var statements = 0;
        while ((await Store.TakeAsync([quota]))[0] is var part and > 0)
            (taken, statements) = (taken + part, statements + 1);
        Assert.Equal(500, taken);
        Assert.InRange(statements, 1, 400);
        Assert.Equal([500], await Store.UsedAsync([quota], default));
    }

    [Fact]
    public async Task What_is_given_back_is_had_again_and_each_window_begins_anew()
    {
        Assert.Equal([100L], await Store.TakeAsync([Daily with { Count = 1_000 }]));
        Assert.Equal([0L], await Store.TakeAsync([Daily]));
        await Store.GiveBackAsync([Daily with { Count = 30 }]);
        Assert.Equal([30L], await Store.TakeAsync([Daily with { Count = 30 }]));
        Assert.Equal([7L], await Store.TakeAsync([Daily with { WindowStart = Noon.AddDays(1), Count = 7 }]));
        Assert.Equal([0L], await Store.UsedAsync([Daily], default));
    }

    [Fact]
    public async Task A_transport_takes_no_more_than_its_quota_says_until_when_and_goes_on_the_next_day()
    {
        var transport = _clock.Transport("quota=25/d");
        var host = HostOf(transport);
        Assert.Equal(25, await SendAllAsync(transport, host));
        var wait = transport.WhyNot(MailStream.Transactional);
        Assert.Equal((WaitCause.QuotaSpent, Noon.Date.AddDays(1)), (wait.Cause, wait.Until!.Value.UtcDateTime));
        Assert.Equal("the quota of a, which is used up (until 2026-03-01T00:00:00Z)", wait.Describe());
        _clock.Advance(TimeSpan.FromHours(12));
        Assert.Equal(25, await SendAllAsync(transport, host));
    }

    [Fact]
    public async Task Two_nodes_share_a_quota_and_one_that_dies_makes_it_less_and_never_more()
    {
        var (one, two) = (_clock.Transport("quota=1000/month"), _clock.Transport("quota=1000/month"));
        var (hostOfOne, hostOfTwo) = (HostOf(one), HostOf(two));
        var sent = await SendAllAsync(one, hostOfOne, most: 300);
        Assert.Equal(300, sent);
        sent += await SendAllAsync(two, hostOfTwo); // the first is never heard of again
        Assert.InRange(sent, 990, 1_000);
    }

    [Fact]
    public async Task A_node_that_stops_gives_back_what_it_holds()
    {
        var one = _clock.Transport("quota=1000/d");
        var host = HostOf(one);
        await SendAllAsync(one, host, most: 5);
        await host.StoppedAsync(default);
        var ask = Daily with { Quota = new Quota(1_000, QuotaSpan.Day), WindowStart = Noon.Date };
        Assert.Equal([5], await Store.UsedAsync([ask], default));
    }

    [Theory]
    [InlineData(false, 8)]
    [InlineData(true, 10)] // never given back twice: that would be more than the quota
    public async Task What_could_not_be_given_back_is_given_back_later_unless_it_may_have_been(bool mayHaveCommitted, long used)
    {
        var transport = _clock.Transport("quota=10/d");
        var away = new AwayOnce(Store, mayHaveCommitted);
        var host = HostOf(transport, away);
        await SendAllAsync(transport, host, most: 8);
        using var permit = await TakeAsync(transport, host);
        Assert.True(permit!.Charge(5) > TimeSpan.Zero);

        Assert.False(await host.RoundAsync(all: false)); // of two that are left none is enough
        Assert.True(await host.RoundAsync(all: false));

        Assert.Equal([used], await Store.UsedAsync(
            [Daily with { Quota = new Quota(10, QuotaSpan.Day), WindowStart = Noon.Date }], default));
    }

    sealed class AwayOnce(IQuotaStore store, bool mayHaveCommitted) : IQuotaStore
    {
        bool _wasAway;

        public Task<IReadOnlyList<long>> TakeAsync(IReadOnlyList<QuotaAsk> asks) => store.TakeAsync(asks);
        public Task<IReadOnlyList<long>> UsedAsync(IReadOnlyList<QuotaAsk> quotas, CancellationToken ct) => store.UsedAsync(quotas, ct);

        public Task GiveBackAsync(IReadOnlyList<QuotaAsk> unused)
        {
            if (_wasAway)
                return store.GiveBackAsync(unused);
            _wasAway = true;
            throw new StoreUnavailableException("away", new IOException(), mayHaveCommitted);
        }
    }

    [Fact]
    public async Task An_envelope_of_more_recipients_than_are_left_does_not_go()
    {
        var transport = _clock.Transport("quota=10/d");
        var host = HostOf(transport);
        Assert.Equal(8, await SendAllAsync(transport, host, most: 8));
        using var permit = await TakeAsync(transport, host);
        Assert.NotNull(permit);
        Assert.True(permit.Charge(5) > TimeSpan.Zero);
        await host.RoundAsync(all: false);
        Assert.Null(permit.Charge(5));
    }

    [Fact]
    public async Task A_transport_whose_quota_is_spent_is_passed_over()
    {
        var (first, second) = (_clock.Transport("quota=3/d"), _clock.Transport(name: "b"));
        var host = HostOf(first);
        var route = new Route(new RouteSettings { Name = "default" }, [first, second]);
        Assert.Equal(3, await SendAllAsync(first, host));
        using var permit = Assert.Single(route.Take(MailStream.Transactional, 1));
        Assert.Equal("b", permit.Transport.Name);
    }

    QuotaHost HostOf(Transport transport, IQuotaStore? quotas = null) => new(
        new Router(RouteTable.Build(new RoutingOptions(), [transport], [])), quotas ?? Store, _clock, NullLogger<QuotaHost>.Instance);

    /// <summary>One recipient after the other until it gives no more permits.</summary>
    static async Task<int> SendAllAsync(Transport transport, QuotaHost host, int most = int.MaxValue)
    {
        for (var sent = 0; ; sent++)
        {
            if (sent == most || await TakeAsync(transport, host) is not { } permit)
                return sent;
            Assert.Equal(TimeSpan.Zero, permit.Charge(1));
            permit.Report(Transports.Outcome(OutcomeKind.Accepted));
            permit.Dispose();
        }
    }

    static async Task<Permit?> TakeAsync(Transport transport, QuotaHost host)
    {
        if (transport.TryTake(MailStream.Transactional) is { } permit)
            return permit;
        await host.RoundAsync(all: false);
        return transport.TryTake(MailStream.Transactional);
    }
}
