using Postrider.Messages;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Mail that is handed over while the wall clock is wrong.</summary>
public sealed class ClockJumpTests
{
    static readonly TimeSpan Day = TimeSpan.FromDays(1);

    [Fact]
    public async Task What_was_taken_in_by_a_clock_that_ran_ahead_does_not_wait_for_its_time()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        await node.KnowAsync("a");
        node.Manual.WallOffset = Day;
        await node.PassAsync(node.Clock.GetUtcNow() + TimeSpan.FromSeconds(10));
        var everything = new PauseScope(TenantId.First, null, null);
        await node.Router.Pauses.AddAsync(new Pause(everything, node.Clock.GetUtcNow(), null), default);
        var waiting = await node.SubmitAsync("ahead@example.com");
        var later = await node.SubmitAsync(DeliveringNode.Mail with { SendAt = $"{node.Clock.GetUtcNow() + TimeSpan.FromHours(1):O}" });

        node.Manual.WallOffset = TimeSpan.Zero;
        await node.PassAsync(node.Clock.GetUtcNow() + TimeSpan.FromSeconds(10));
        await node.Router.Pauses.RemoveAsync(everything, default);

        await node.UntilAsync(async () => (await node.StatesAsync(waiting))[0] == RecipientState.Sent, within: TimeSpan.FromMinutes(5));
        Assert.Equal([RecipientState.Scheduled], await node.StatesAsync(later));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task Short_lived_mail_does_not_expire_because_the_clock_has_just_jumped(int days)
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        await node.KnowAsync("a");
        node.Manual.WallOffset = days * Day;
        var id = await node.SubmitAsync(DeliveringNode.Mail with { ExpiresIn = "1h" });
        await node.UntilAsync(async () => !(await node.StatesAsync(id))[0].IsOpen, within: TimeSpan.FromMinutes(1));
        Assert.Equal([RecipientState.Sent], await node.StatesAsync(id));
    }
}
