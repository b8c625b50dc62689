using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// A queue row whose history of transports is damaged, or of a newer Postrider: it stops nobody else, and is not lost.
public abstract partial class QueueStoreContract
{
    const string Unreadable = "What the queue knows of earlier attempts cannot be read";

    Task DamageAsync(MessageId id) =>
        _under.ExecuteAsync($"UPDATE queue SET history = {_under.Byte("63")} WHERE message = {id.Value}");

    async Task AssertHeldAsync(MessageId id)
    {
        var recipient = await RecipientAsync(id);
        Assert.Equal((RecipientState.Held, HeldReason.Poison), (recipient.State, recipient.HeldReason));
        Assert.StartsWith(Unreadable, (await ViewAsync(id)).Events[^1].Remark, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AmbiguityPolicy.Retry)]
    [InlineData(AmbiguityPolicy.Hold)]
    public async Task A_lease_of_the_dead_whose_history_cannot_be_read_is_held_and_the_others_return(AmbiguityPolicy policy)
    {
        var bad = await AcceptAsync(Message("bad@example.org") with { OnAmbiguous = policy });
        var good = await AcceptAsync(Message("good@example.org") with { OnAmbiguous = policy });
        Assert.Equal(2, (await LeaseAsync()).Count);
        await DamageAsync(bad);

        Assert.Equal(2, await SweepAsync(1));

        await AssertHeldAsync(bad);
        Assert.Equal(good, Assert.Single(await LeaseAsync(owner: Incarnation(1))).Message.Id);
    }

    [Fact]
    public async Task Doubt_whose_history_cannot_be_read_settles_as_held_and_the_rest_is_sent_again()
    {
        var bad = await AcceptAsync("bad@example.org");
        var good = await AcceptAsync("good@example.org");
        foreach (var lease in await LeaseAsync())
            await Store.RecordAsync(Doubtful(lease, TimeSpan.FromSeconds(60)));
        await DamageAsync(bad);
        _clock.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(2, await Store.SettleAsync(Now, 10, default));

        await AssertHeldAsync(bad);
        Assert.Equal(good, (await LeaseOneAsync()).Message.Id);
    }

    [Theory]
    [InlineData(AmbiguityPolicy.Retry, RecipientState.Expired)]
    [InlineData(AmbiguityPolicy.Hold, RecipientState.Held)]
    public async Task Mail_whose_history_cannot_be_read_expires_with_the_rest_and_under_hold_waits_for_a_person(
        AmbiguityPolicy policy, RecipientState state)
    {
        var bad = await AcceptAsync(Message("bad@example.org") with { OnAmbiguous = policy });
        var good = await AcceptAsync(Message("good@example.org") with { OnAmbiguous = policy });
        await DamageAsync(bad);
        _clock.Advance(Day);

        Assert.Equal(2, await Store.ExpireAsync(Now, 10, default));

        Assert.Equal(state, await StateAsync(bad));
        Assert.Equal(RecipientState.Expired, await StateAsync(good));
    }

    [Fact]
    public async Task Mail_whose_history_cannot_be_read_is_held_when_it_is_leased_and_the_rest_goes_on()
    {
        var bad = await AcceptAsync("bad@example.org");
        var good = await AcceptAsync("good@example.org");
        await DamageAsync(bad);

        Assert.Equal(good, (await LeaseOneAsync()).Message.Id);

        Assert.Equal((RecipientState.Held, HeldReason.Poison), ((await RecipientAsync(bad)).State, (await RecipientAsync(bad)).HeldReason));
    }

    [Fact]
    public async Task Mail_whose_history_cannot_be_read_can_be_cancelled_and_may_have_been_sent()
    {
        var bad = await AcceptAsync("bad@example.org");
        await DamageAsync(bad);

        Assert.Equal(1, await Store.CancelAsync(Tenant, bad, Now, default));

        Assert.Equal("Cancelled; an earlier attempt may have been accepted.", await WhyCancelledAsync(bad));
    }

    [Fact]
    public async Task A_report_resolves_mail_whose_history_cannot_be_read()
    {
        var bad = await AcceptAsync("bad@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.Zero, 0)));
        await DamageAsync(bad);

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(bad, FeedbackKind.Delivered)));

        Assert.Equal(RecipientState.Delivered, await StateAsync(bad));
    }
}
