using Postrider.Events;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Postrider.Suppression;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// The suppression list as people keep it, and what it does to mail.
public abstract partial class QueueStoreContract
{
    SuppressionTables Suppressions => new((ITableStore)Store);

    SuppressedAddress Manual(string email, MailStream? stream = null, TimeSpan? lasts = null) =>
        new(email, stream, SuppressionCause.Manual, "asked by phone", null, Now, Now + lasts);

    async Task<IReadOnlyList<RecipientId>> SuppressedOfAsync(string to, MailStream stream)
    {
        var accepted = await Store.AcceptAsync(Accept(Message(to) with { Stream = stream }), default);
        return Assert.IsType<AcceptResult.Accepted>(accepted).Suppressed;
    }

    [Fact]
    public async Task An_address_that_is_put_on_the_list_gets_no_mail_from_then_on()
    {
        var waiting = await AcceptAsync("ann@example.org");

        Assert.Equal(1, await Suppressions.AddAsync(Tenant, [Manual("Ann@Example.org")]));

        Assert.Empty(await LeaseAsync());
        Assert.Equal(RecipientState.Suppressed, await StateAsync(waiting));
        Assert.Single(await SuppressedOfAsync("ann@EXAMPLE.org", MailStream.Transactional));
        Assert.Equal([Manual("Ann@Example.org")], await Suppressions.FindAsync(Tenant, "ann@example.org", default));
    }

    // At accept, at the lease of all of an envelope, and of one of its recipients.
    [Theory]
    [InlineData(SuppressionCause.Bounced, "550 5.1.1 No such user", "(bounced): 550 5.1.1 No such user")]
    [InlineData(SuppressionCause.Bounced, "bounced: 550 5.1.1 No such user", "(bounced): 550 5.1.1 No such user")]
    [InlineData(SuppressionCause.Complained, "complained", "(complained)")]
    [InlineData(SuppressionCause.Unsubscribed, "unsubscribed", "(unsubscribed)")]
    [InlineData(SuppressionCause.Manual, "asked by phone", "(manual): asked by phone")]
    [InlineData(SuppressionCause.Manual, "", "(manual)")]
    public async Task A_recipient_says_why_its_address_gets_no_mail(SuppressionCause cause, string reason, string words)
    {
        var waiting = await AcceptAsync("ann@example.org");
        var shared = await AcceptAsync("bob@example.org", "ann@example.org");
        await Suppressions.AddAsync(Tenant,
            [Manual("ann@example.org") with { Cause = cause, Reason = reason }, Manual("ann@example.org", MailStream.Transactional)]);
        var late = await AcceptAsync("ann@example.org");

        var lease = await LeaseOneAsync();

        var why = $"The address is on the suppression list {words}";
        Assert.Equal(new KeyValuePair<int, string>(1, why), Assert.Single(lease.Suppressed));
        await Store.RecordAsync(Sent(lease) with
        {
            Ends = [new(0, RecipientState.Sent, Accepted, "sent"), new(1, RecipientState.Suppressed, null, lease.Suppressed[1])],
        });
        foreach (var (id, n) in ((MessageId, int)[])[(waiting, 0), (shared, 1), (late, 0)])
        {
            var view = await ViewAsync(id);
            Assert.Equal((RecipientState.Suppressed, why), (view.Recipients[n].State, view.Recipients[n].StatusReason));
            Assert.Equal(why, Assert.Single(view.Events, e => e.Type == MailEventType.Suppressed).Remark);
        }
    }

    [Fact]
    public async Task Recipients_of_one_message_each_say_their_own_reason()
    {
        string[] to = ["ann@example.org", "bob@example.org", "cy@example.org"];
        var waiting = await AcceptAsync(to);
        await Suppressions.AddAsync(Tenant,
        [
            Manual(to[0]), Manual(to[1]) with { Cause = SuppressionCause.Complained, Reason = "complained" }, Manual(to[2]),
        ]);
        var late = await AcceptAsync(to);
        Assert.Empty(await LeaseAsync());
        foreach (var id in (MessageId[])[waiting, late])
        {
            var view = await ViewAsync(id);
            Assert.Equal([[0, 2], [1]], view.Events.Select(e => e.Recipients));
            Assert.Equal(["(manual): asked by phone", "(complained)", "(manual): asked by phone"],
                view.Recipients.Select(r => r.StatusReason!["The address is on the suppression list ".Length..]));
        }
    }

    [Fact]
    public async Task A_stream_has_a_list_of_its_own()
    {
        await Suppressions.AddAsync(Tenant, [Manual("ann@example.org", MailStream.Bulk)]);

        Assert.Single(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
        Assert.Empty(await SuppressedOfAsync("ann@example.org", MailStream.Transactional));
    }

    [Fact]
    public async Task What_is_over_stops_nobody()
    {
        await Suppressions.AddAsync(Tenant,
            [Manual("ann@example.org", lasts: TimeSpan.FromHours(1)), Manual("bob@example.org", lasts: TimeSpan.FromHours(3))]);

        _clock.Advance(TimeSpan.FromHours(2));

        Assert.Empty(await SuppressedOfAsync("ann@example.org", MailStream.Transactional));
        Assert.Single(await SuppressedOfAsync("bob@example.org", MailStream.Transactional));
    }

    [Fact]
    public async Task What_lasts_longer_stays()
    {
        var short_ = Manual("ann@example.org", lasts: TimeSpan.FromHours(1));
        var forGood = short_ with { Until = null, Reason = "for good" };

        Assert.Equal(1, await Suppressions.AddAsync(Tenant, [short_]));
        Assert.Equal(1, await Suppressions.AddAsync(Tenant, [forGood]));
        Assert.Equal(0, await Suppressions.AddAsync(Tenant, [short_]));

        Assert.Equal([forGood], await Suppressions.FindAsync(Tenant, "ann@example.org", default));
    }

    [Fact]
    public async Task An_address_that_is_taken_off_is_mailed_again()
    {
        await Suppressions.AddAsync(Tenant, [Manual("ann@example.org"), Manual("ann@example.org", MailStream.Bulk)]);

        Assert.Equal(1, await Suppressions.RemoveAsync(Tenant, "ann@example.org", MailStream.Bulk));
        Assert.Single(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
        Assert.Equal(0, await Suppressions.RemoveAsync(OtherTenant, "ann@example.org", null));
        Assert.Equal(1, await Suppressions.RemoveAsync(Tenant, "ann@example.org", null));

        Assert.Empty(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
    }

    [Fact]
    public async Task Who_unsubscribes_gets_no_more_of_that_stream_until_he_subscribes_again()
    {
        var id = await AcceptAsync(Message("ann@example.org") with { Stream = MailStream.Bulk });
        await Store.RecordAsync(Sent(Assert.Single(await LeaseAsync(key: Main with { Stream = MailStream.Bulk }))));

        await ApplyAsync(Report(id, FeedbackKind.Unsubscribed));

        Assert.Single(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
        Assert.Empty(await SuppressedOfAsync("ann@example.org", MailStream.Transactional));
        var entry = Assert.Single(await Suppressions.FindAsync(Tenant, "ann@example.org", default));
        Assert.Equal((SuppressionCause.Unsubscribed, id, MailStream.Bulk), (entry.Cause, entry.Message, entry.Stream));

        await ApplyAsync(Report(id, FeedbackKind.Resubscribed));

        Assert.Empty(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
    }

    [Fact]
    public async Task Who_subscribes_again_does_not_undo_what_another_put_on_the_list()
    {
        var id = await AcceptAsync(Message("ann@example.org") with { Stream = MailStream.Bulk });
        await Store.RecordAsync(Sent(Assert.Single(await LeaseAsync(key: Main with { Stream = MailStream.Bulk }))));
        await Suppressions.AddAsync(Tenant, [Manual("ann@example.org", MailStream.Bulk)]);

        await ApplyAsync(Report(id, FeedbackKind.Resubscribed));

        Assert.Single(await SuppressedOfAsync("ann@example.org", MailStream.Bulk));
    }

    [Fact]
    public async Task The_list_is_read_page_by_page_newest_first()
    {
        for (var i = 0; i < 5; i++)
            await Suppressions.AddAsync(Tenant, [Manual($"r{i}@example.org") with { At = Now.AddSeconds(i / 2) }]);
        await Suppressions.AddAsync(OtherTenant, [Manual("other@example.org")]);

        var seen = new List<string?>();
        SuppressionPlace? after = null;
        do
        {
            var page = await Suppressions.ListAsync(Tenant, null, after, 2, default);
            Assert.InRange(page.Items.Count, 1, 2);
            seen.AddRange(page.Items.Select(item => item.Email));
            after = page.Next;
        }
        while (after is not null);

        Assert.Equal("r4@example.org", seen[0]);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"r{i}@example.org"), seen.Order());
        Assert.Empty((await Suppressions.ListAsync(Tenant, SuppressionCause.Bounced, null, 10, default)).Items);
    }
}
