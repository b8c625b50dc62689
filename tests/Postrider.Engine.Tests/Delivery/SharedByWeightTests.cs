using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Tenants with routes and transports of their own: where they want the same, their weights decide; elsewhere none keeps
/// another.</summary>
public sealed class SharedByWeightTests
{
    const int Each = 100;    // mails of each tenant

    static readonly TenantId One = new(1), Two = new(2);

    /// <summary>A node on which each tenant has the transports and routes given; bulk mail waits in its queue, and every transport
    /// rests.</summary>
    static async Task<DeliveringNode> BacklogAsync(string transports, (string? One, string? Two) routes, (string? One, string? Two) own,
        int workers = 0)
    {
        var node = new DeliveringNode(transports, options: new DeliveryOptions { Concurrency = workers },
            weights: tenant => tenant == Two ? 9 : 1);
        await node.StartAsync();
        foreach (var transport in node.Router.Transports)
        {
            node[transport.Name].Answer = async (envelope, ct) =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), node.Clock, ct);
                return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
            };
            transport.Pause();
        }
        var tables = new Dictionary<TenantId, RouteTable>();
        foreach (var (tenant, route, mine) in new[] { (One, routes.One, own.One), (Two, routes.Two, own.Two) })
            if ((route ?? mine) is not null)
                tables[tenant] = TableOf(node, tenant, route, mine);
        node.Router.Replace(node.Router.Table, tables);
        for (var i = 0; i < Each; i++)
        {
            await node.SubmitAsync($"of1-{i}@example.com", "bulk", tenant: 1);
            await node.SubmitAsync($"of2-{i}@example.com", "bulk", tenant: 2);
        }
        return node;
    }

    static RouteTable TableOf(DeliveringNode node, TenantId tenant, string? route, string? own)
    {
        var faults = new List<string>();
        IReadOnlyList<NamedRoute> named = route is null ? []
            : [new NamedRoute(tenant, RouteSettings.DefaultName, new RouteOptions { Transports = route }, [])];
        var table = TenantRoutes.Build(
            node.Router.Table, own is null ? [] : [node.Transport(own)], named, allowed: null, retry: null, faults);
        Assert.Empty(faults);
        return table;
    }

    static int Asked(DeliveringNode node, int tenant) => node.Router.Transports.Sum(transport =>
        node[transport.Name].Asked.Count(sending => sending.Recipients[0].StartsWith($"of{tenant}-", StringComparison.Ordinal)));

    /// <summary>Of the first mails that leave while both have some waiting, how many are the second tenant's.</summary>
    static async Task<double> ShareOfTwoAsync(DeliveringNode node)
    {
        await node.UntilAsync(() => Asked(node, 2) >= 90, step: TimeSpan.FromMilliseconds(20));
        var (one, two) = (Asked(node, 1), Asked(node, 2));
        return (double)two / (one + two);
    }

    [Theory]
    [InlineData("shared", "shared", 1)]          // each a route of its own
    [InlineData("shared", "shared", 3)]
    [InlineData(null, "shared", 1)]              // one goes by the installation's
    [InlineData("shared", null, 4)]
    [InlineData(null, "other shared", 1)]        // one has come by another transport, which rests
    [InlineData("other shared", "shared", 4)]
    public async Task Routes_of_their_own_over_one_transport_share_it_by_weight(string? one, string? two, int concurrency)
    {
        await using var node = await BacklogAsync(
            $"shared=script://x?concurrency={concurrency} other=script://x", (one, two), (null, null));
        node.Transport("shared").Resume();
        // Several slots come free at one moment of virtual time; while one tenant's lease is being asked for, which takes the longer the
        // busier the machine, the other has some of them. Half would be no weights at all.
        Assert.InRange(await ShareOfTwoAsync(node), concurrency == 1 ? 0.84 : 0.6, 0.95);
    }

    [Theory]
    [InlineData("own1", "own2")]
    [InlineData(null, "own2")]
    public async Task Transports_of_their_own_share_the_workers_by_weight(string? one, string? two)
    {
        await using var node = await BacklogAsync("shared=script://x own1=script://x own2=script://x", (null, null), (one, two), workers: 2);
        foreach (var transport in node.Router.Transports)
            transport.Resume();
        Assert.InRange(await ShareOfTwoAsync(node), 0.6, 0.95);
    }

    // Nothing is kept for those who are heavier: there is enough for both.
    [Fact]
    public async Task Transports_of_their_own_with_workers_enough_keep_nobody_back()
    {
        await using var node = await BacklogAsync(
            "own1=script://x?concurrency=2 own2=script://x?concurrency=2", (null, null), ("own1", "own2"));
        foreach (var transport in node.Router.Transports)
            transport.Resume();
        await node.UntilAsync(() => Asked(node, 1) >= 50 || Asked(node, 2) >= Each, step: TimeSpan.FromMilliseconds(20));
        Assert.InRange(Asked(node, 1), 40, 60);
        Assert.InRange(Asked(node, 2), 40, 60);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_heavy_tenant_whose_transport_does_not_answer_keeps_nobody(int workers)
    {
        await using var node = await BacklogAsync(
            "shared=script://x?concurrency=2 own2=script://x?concurrency=2", (null, null), (null, "own2"), workers);
        node["own2"].NeverAnswer();
        foreach (var transport in node.Router.Transports)
            transport.Resume();
        await node.UntilAsync(() => Asked(node, 1) == Each, within: TimeSpan.FromSeconds(25), step: TimeSpan.FromMilliseconds(20));
        Assert.InRange(Asked(node, 2), 1, 2);
    }
}
