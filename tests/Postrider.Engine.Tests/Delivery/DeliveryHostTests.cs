using Xunit;

namespace Postrider.Engine.Tests.Delivery;

public sealed class DeliveryHostTests
{
    [Fact]
    public async Task A_fault_where_mail_is_settled_and_expired_ends_delivery_instead_of_going_unnoticed()
    {
        await using var node = new DeliveringNode("a=script://x");
        node.Queue.SettlingFault = new InvalidOperationException("a row that cannot be read");
        await node.Host.StartAsync(TestContext.Current.CancellationToken);
        await node.Host.StartedAsync(TestContext.Current.CancellationToken);
        await node.UntilAsync(() => node.Host.ExecuteTask is { IsFaulted: true });
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => node.Host.ExecuteTask!);
        Assert.Equal("a row that cannot be read", fault.Message);
        await node.Host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_store_that_is_away_at_the_start_is_waited_for()
    {
        await using var node = new DeliveringNode("a=script://x");
        var id = await node.SubmitAsync("ann@example.com");
        node.Queue.IsAway = true;
        await node.Host.StartAsync(TestContext.Current.CancellationToken);
        await node.Host.StartedAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < 3; i++)
            node.Manual.Advance(TimeSpan.FromSeconds(1));
        Assert.False(node.Host.ExecuteTask!.IsFaulted);

        node.Queue.IsAway = false;
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == Messages.RecipientState.Sent);
        await node.Host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_process_that_never_came_up_has_sent_nothing()
    {
        await using var node = new DeliveringNode("a=script://x");
        await node.SubmitAsync("ann@example.com");
        await node.Host.StartAsync(TestContext.Current.CancellationToken);
        await node.Host.StopAsync(TestContext.Current.CancellationToken); // without StartedAsync: something else failed to start
        Assert.True(node.Host.ExecuteTask!.IsCanceled);
        Assert.Empty(node["a"].Asked);
    }
}
