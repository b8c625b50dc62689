using Postrider.Messages;
using Postrider.Queue;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>What a node sends that may not be one any more: nothing.</summary>
public sealed class StandingTests
{
    static readonly TimeSpan TooLong = ThisNode.Patience + TimeSpan.FromSeconds(1);

    static ThisNode Beating(Incarnation incarnation, TimeProvider clock) =>
        new(incarnation, BeatStart.Of(clock, () => TimeSpan.Zero), clock, () => TimeSpan.Zero);

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Any_clock_that_ran_too_long_since_the_last_beat_closes_the_fence(bool time, bool boot)
    {
        var clock = new ManualClock();
        var booted = TimeSpan.Zero;
        var node = new ThisNode(new Incarnation(3, 7), BeatStart.Of(clock, () => booted), clock, () => booted);
        Assert.True(node.MayAct);

        if (time)
            clock.Advance(TooLong);
        if (boot)
            booted += TooLong;
        Assert.False(node.MayAct);

        node.Beaten(node.Begin());
        Assert.True(node.MayAct);
    }

    [Fact]
    public void A_beat_counts_from_when_it_was_sent()
    {
        var clock = new ManualClock();
        var node = Beating(new Incarnation(3, 7), clock);
        var began = node.Begin();
        clock.Advance(TooLong);

        node.Beaten(began);

        Assert.False(node.MayAct);
    }

    [Fact]
    public void The_boot_time_clock_of_the_system_moves()
    {
        var first = BeatStart.Of(TimeProvider.System);
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the clock is Linux's");
        Assert.True(first.Boot > TimeSpan.FromSeconds(1));
        Assert.True(BeatStart.Of(TimeProvider.System).Boot >= first.Boot);
    }

    [Theory]
    [InlineData(AmbiguityPolicy.Retry)]
    [InlineData(AmbiguityPolicy.Hold)]
    public async Task What_was_frozen_before_its_last_byte_is_not_sent_until_the_next_beat_and_then_once(AmbiguityPolicy policy)
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", thisNode: Beating);
        var frozen = new TaskCompletionSource();
        var waiting = new TaskCompletionSource();
        node["a"].Prepare = () =>
        {
            waiting.TrySetResult();
            return frozen.Task;
        };
        var id = await node.SubmitAsync(DeliveringNode.Mail with { OnAmbiguous = policy == AmbiguityPolicy.Hold ? "hold" : "retry" });
        await waiting.Task;
        node.Manual.Advance(TooLong);
        frozen.SetResult();
        await node.UntilAsync(() => node.Dispatcher.InFlight == 0);
        Assert.Empty(node["a"].Taken);
        Assert.Equal([RecipientState.Queued], await node.StatesAsync(id));
        Assert.Single(node["a"].Asked);

        node.Node.Beaten(node.Node.Begin());
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, step: TimeSpan.FromMilliseconds(1));
        Assert.Single(node["a"].Taken);
        Assert.Equal(1, (await node.GetAsync(id)).Recipients[0].Tries);
    }

    // As by SMTP where the server answers 452 to the later recipients: they go in a second transaction.
    [Theory]
    [InlineData(OutcomeKind.Accepted, RecipientState.Sent)]
    [InlineData(OutcomeKind.Unknown, RecipientState.Unknown)]
    public async Task What_was_taken_before_the_node_closed_its_fence_is_recorded_and_only_the_rest_is_sent_again(
        OutcomeKind first, RecipientState state)
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", thisNode: Beating);
        var taken = new Outcome(first, OutcomeScope.Recipient, new Reply(250, "2.0.0", "ok", "."));
        node["a"].Answer = (envelope, _) =>
        {
            node.Manual.Advance(TooLong); // frozen between two transactions
            return new((IReadOnlyList<Outcome>)[taken, envelope.MaySend!() ? ScriptedProvider.Accepted : ScriptedProvider.Refusing]);
        };
        var id = await node.SubmitAsync(
            DeliveringNode.Mail with { To = [new AddressText("ann@example.com"), new AddressText("ben@example.com")] });
        await node.UntilAsync(() => node.Dispatcher.InFlight == 0 && node["a"].Asked.Count == 1, step: TimeSpan.FromMilliseconds(1));
        Assert.Equal([state, RecipientState.Queued], await node.StatesAsync(id));
        Assert.Equal(0, node.Transport("a").GetStatus().Outcomes[OutcomeKind.Unreachable]);

        node["a"].AnswerAll(ScriptedProvider.Accepted);
        node.Node.Beaten(node.Node.Begin());
        await node.UntilAsync(async () => (await node.StatesAsync(id))[1] == RecipientState.Sent, step: TimeSpan.FromMilliseconds(1));
        Assert.Equal([state, RecipientState.Sent], await node.StatesAsync(id));
        Assert.Equal(["ben@example.com"], node["a"].Asked.Last().Recipients);
        Assert.Equal(2, node["a"].Asked.Count);
    }

    [Fact]
    public async Task Without_a_beat_nothing_begins()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", thisNode: Beating);
        node.Manual.Advance(TooLong);
        var id = await node.SubmitAsync("ann@example.com");
        Assert.Equal([RecipientState.Queued], await node.StatesAsync(id)); // not born leased
        for (var i = 0; i < 50; i++)
            node.Manual.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Empty(node["a"].Asked);
        Assert.Empty(node.Queue.Leases);

        node.Node.Beaten(node.Node.Begin());
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
    }

    [Fact]
    public async Task A_node_that_is_given_up_cuts_its_attempts_records_them_and_goes_on_as_another_incarnation()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", thisNode: Beating);
        node["a"].NeverAnswer();
        var cut = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);

        Assert.True(await node.Dispatcher.StandDownAsync(TimeSpan.FromSeconds(10)));

        Assert.Equal(0, node.Dispatcher.InFlight);
        Assert.Equal([RecipientState.Unknown], await node.StatesAsync(cut));
        var next = await node.SubmitAsync("ben@example.com");
        Assert.Single(node["a"].Asked);
        node["a"].AnswerAll(ScriptedProvider.Accepted);
        node.Node.Rejoined(new Incarnation(0, 2), node.Node.Begin());
        node.Dispatcher.Resume();
        await node.UntilAsync(() =>
        {
            node.Node.Beaten(node.Node.Begin());
            return node["a"].Asked.Count >= 2;
        });
        await node.UntilAsync(async () => (await node.StatesAsync(next))[0] == RecipientState.Sent, step: TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task An_attempt_that_does_not_end_is_told_to_who_waits()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", thisNode: Beating);
        var never = new TaskCompletionSource();
        node["a"].Prepare = () => never.Task;
        await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);

        var standing = node.Dispatcher.StandDownAsync(TimeSpan.FromSeconds(3)); // a provider is left behind after 5 s
        await node.UntilAsync(() => standing.IsCompleted);

        Assert.False(await standing);
        never.SetResult();
        await node.UntilAsync(() => node.Dispatcher.InFlight == 0);
    }
}
