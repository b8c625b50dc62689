using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>How fast mail goes out, in numbers.</summary>
public sealed class FlowBookTests
{
    [Fact]
    public void A_percentile_is_estimated_within_its_bucket()
    {
        var counts = new Dictionary<int, long>
        {
            [FlowDelays.BucketOf(TimeSpan.FromMilliseconds(3))] = 50,
            [FlowDelays.BucketOf(TimeSpan.FromMilliseconds(80))] = 50,
        };
        Assert.Equal(TimeSpan.FromMilliseconds(5), FlowDelays.Percentile(counts, 50));
        Assert.InRange(FlowDelays.Percentile(counts, 95)!.Value.TotalMilliseconds, 50, 100);
        Assert.Null(FlowDelays.Percentile(new Dictionary<int, long>(), 50));
    }

    [Fact]
    public void A_bucket_ends_at_its_bound_and_the_last_has_none()
    {
        Assert.Equal(0, FlowDelays.BucketOf(TimeSpan.FromMilliseconds(5)));
        Assert.Equal(1, FlowDelays.BucketOf(TimeSpan.FromMilliseconds(5.1)));
        var endless = FlowDelays.BucketOf(TimeSpan.FromDays(30));
        Assert.Equal(TimeSpan.FromDays(1), FlowDelays.Percentile(new Dictionary<int, long> { [endless] = 1 }, 50));
    }

    [Fact]
    public async Task What_was_sent_is_counted_with_its_delay_by_tenant_and_transport()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].AnswerAll(ScriptedProvider.Refusing);
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        var taken = node.Flow.Take();
        Assert.Equal(1, Assert.Single(taken, one => one is { Transport: "a", Outcome: OutcomeKind.Unreachable }).Count);
        Assert.Equal(1, Assert.Single(taken, one => one is { Transport: "b", Outcome: OutcomeKind.Accepted }).Count);
        Assert.Equal("b", Assert.Single(taken, one => one.Delay is not null).Transport);
        Assert.Empty(node.Flow.Take());
        node.Flow.PutBack(taken);
        Assert.Equal(taken.Count, node.Flow.Take().Count);
    }
}
