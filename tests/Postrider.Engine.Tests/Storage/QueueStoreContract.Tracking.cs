using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// What our own addresses in a mail were asked for.
public abstract partial class QueueStoreContract
{
    static readonly TrackingOptions Tracking = new();

    /// <summary>By way of the book, as the requests of one second.</summary>
    async Task<IReadOnlyList<FeedbackResult>> HitAsync(params (MessageId Message, HitKind Kind, string Target, string? WhyMachine)[] hits)
    {
        var book = new HitBook(Tracking, _clock);
        foreach (var (message, kind, target, why) in hits)
            book.Add(new Hit(new TrackingToken(kind, Tenant, message, 0, target), Now, why, "Firefox", null));
        return await _under.Feedback.ApplyAsync(book.Take(hits.Length), Now, default);
    }

    [Fact]
    public async Task Opens_and_clicks_are_on_the_timeline_and_prove_that_it_arrived()
    {
        var id = await SentAsync("ann@example.org");

        Assert.Equal([FeedbackResult.Moved, FeedbackResult.Noted],
            await HitAsync((id, HitKind.Open, "", null), (id, HitKind.Click, "https://example.com/", "scanner")));

        var view = await ViewAsync(id);
        Assert.Equal(RecipientState.Delivered, view.Recipients[0].State);
        Assert.Equal([MailEventType.Attempt, MailEventType.Opened, MailEventType.Clicked], view.Events.Select(e => e.Type));
        var (open, click) = (view.Events[1].Feedback!, view.Events[2].Feedback!);
        Assert.Equal(("tracking", false, null), (open.Source, open.IsMachine, open.Url));
        Assert.Equal((true, "https://example.com/"), (click.IsMachine, click.Url));
    }

    [Fact]
    public async Task The_same_within_seconds_is_one_whichever_node_it_came_to()
    {
        var id = await SentAsync("ann@example.org");
        await HitAsync((id, HitKind.Open, "", null));
        Assert.Equal([FeedbackResult.Duplicate], await HitAsync((id, HitKind.Open, "", null)));
        Assert.Equal(2, (await ViewAsync(id)).Events.Count);
    }

    [Fact]
    public async Task What_machines_do_is_kept_and_proves_nothing()
    {
        var id = await SentAsync("ann@example.org");
        Assert.Equal([FeedbackResult.Noted], await HitAsync((id, HitKind.Open, "", "privacy-proxy")));
        Assert.Equal(RecipientState.Sent, (await ViewAsync(id)).Recipients[0].State);
    }

    [Fact]
    public async Task An_open_undoes_no_bounce_and_of_a_message_that_is_gone_nothing_is_kept()
    {
        var id = await SentAsync("ann@example.org");
        await ApplyAsync(Report(id, FeedbackKind.BouncedHard));
        Assert.Equal([FeedbackResult.Noted], await HitAsync((id, HitKind.Open, "", null)));
        Assert.Equal(RecipientState.Bounced, (await ViewAsync(id)).Recipients[0].State);

        Assert.Equal([FeedbackResult.Ignored], await HitAsync((id.Plus(1_000), HitKind.Open, "", null)));
        Assert.Empty((await _under.Feedback.ListQuarantineAsync(null, 10, default)).Reports);
    }
}
