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
        await node.UntilAsync(() => node.Host.ExecuteTask is { IsFaulted: true });
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => node.Host.ExecuteTask!);
        Assert.Equal("a row that cannot be read", fault.Message);
        await node.Host.StopAsync(TestContext.Current.CancellationToken);
    }
}
