using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task A_sent_message_tells_its_whole_story()
    {
        var id = await AcceptAsync("ann@example.org");
        var lease = await LeaseOneAsync();
        _clock.Advance(TimeSpan.FromMilliseconds(40));
        await Store.RecordAsync(Sent(lease) with { Remarks = ["failed over from a to b"] });

        var recipient = await RecipientAsync(id);
        var happened = Assert.Single((await ViewAsync(id)).Events);

        Assert.Equal((RecipientState.Sent, 1, 250, "2.0.0", "OK queued as 4XyZ", "relay", "4XyZ", "here"),
            (recipient.State, recipient.Tries, recipient.StatusCode, recipient.EnhancedCode, recipient.StatusReason, recipient.Transport,
                recipient.ProviderId, recipient.Worker));
        Assert.Null(recipient.NextAttemptAt);
        Assert.Equal((MailEventType.Attempt, "failed over from a to b", "here"), (happened.Type, happened.Remark, happened.Worker));
        Assert.Equal(("relay", TimeSpan.FromMilliseconds(12)), (happened.Attempt!.Transport, happened.Attempt.Duration));
        Assert.Equal(new AttemptOutcome(0, Accepted, Ended: RecipientState.Sent), Assert.Single(happened.Attempt.Outcomes));
        Assert.Empty(await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task Three_recipients_of_one_envelope_end_in_three_ways()
    {
        var id = await AcceptAsync("ok@example.org", "defer@example.org", "bounce@example.org");
        var lease = await LeaseOneAsync();

        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Accepted), (1, Deferred), (2, Rejected)),
            Ends = [new(0, RecipientState.Sent, Accepted, "sent"), new(2, RecipientState.Bounced, Rejected, "no such user")],
            Continues = [Later(lease, TimeSpan.FromMinutes(10), 1)],
        });

        var view = await ViewAsync(id);
        Assert.Equal([RecipientState.Sent, RecipientState.Queued, RecipientState.Bounced], view.Recipients.Select(r => r.State));
        Assert.Equal([250, 450, 550], view.Recipients.Select(r => r.StatusCode));
        Assert.Equal((WaitReason.Deferred, Now + TimeSpan.FromMinutes(10)),
            (view.Recipients[1].WaitReason, view.Recipients[1].NextAttemptAt));
        _clock.Advance(TimeSpan.FromMinutes(10));
        var again = await LeaseOneAsync();
        Assert.Equal(1, Assert.Single(again.Recipients).N);
        Assert.Equal((lease.Envelope.Id, 2, 2, 1, 1),
            (again.Envelope.Id, again.Envelope.Claim, again.Envelope.Tries, again.Envelope.Deferrals, again.Envelope.RecipientCount));
        Assert.Equal("relay", again.Envelope.History.Last);
        Assert.Equal(3, again.Message.Recipients.Count);
    }

    [Fact]
    public async Task An_envelope_splits_where_its_recipients_part()
    {
        var id = await AcceptAsync("a@example.org", "b@example.org", "c@example.org");
        var lease = await LeaseOneAsync();

        // The first part does not contain the number of the row: the other one does.
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.FromMinutes(1), 1, 2), Later(lease, TimeSpan.FromMinutes(2), 0)));
        _clock.Advance(TimeSpan.FromMinutes(2));

        var parts = await LeaseAsync();
        Assert.Equal([[1, 2], [0]], parts.Select(p => p.Recipients.Select(r => r.N).ToArray()));
        Assert.Equal([new EnvelopeId(id, 1), new EnvelopeId(id, 0)], parts.Select(p => p.Envelope.Id));
        foreach (var part in parts)
            Assert.Equal(RecordResult.Applied, await Store.RecordAsync(Sent(part)));
        Assert.All((await ViewAsync(id)).Recipients, r => Assert.Equal(RecipientState.Sent, r.State));
    }

    [Fact]
    public async Task Splits_of_splits_never_meet_in_one_number()
    {
        var id = await AcceptAsync("a@example.org", "b@example.org", "c@example.org", "d@example.org");
        var whole = await LeaseOneAsync();
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = whole,
            Attempt = Attempt((0, Accepted), (1, Rejected), (2, Deferred), (3, Deferred)),
            Ends = [new(0, RecipientState.Sent, Accepted, "sent"), new(1, RecipientState.Failed, Rejected, "refused")],
            Continues = [Later(whole, TimeSpan.Zero, 2), Later(whole, TimeSpan.Zero, 3)],
        });
        // Recipient 0's row number is now that of the row of recipient 2.
        Assert.Equal(1, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));
        var leases = await LeaseAsync();

        Assert.Equal([1, 2, 3], leases.SelectMany(l => l.Recipients.Select(r => r.N)).Order());
        Assert.Equal(3, leases.Select(l => l.Envelope.Id).Distinct().Count());
        foreach (var lease in leases)
            await Store.RecordAsync(Sent(lease));
        Assert.All((await ViewAsync(id)).Recipients, r => Assert.Equal(RecipientState.Sent, r.State));
    }

    [Fact]
    public async Task A_recipient_sent_again_finds_a_free_number_when_an_older_row_has_its_own()
    {
        var id = await AcceptAsync("a@example.org", "b@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Rejected), (1, Deferred)),
            Ends = [new(0, RecipientState.Failed, Rejected, "refused")],
            Continues = [Later(lease, TimeSpan.Zero, 1)],
        });

        Assert.Equal(1, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));

        var leases = await LeaseAsync();
        Assert.Equal(2, leases.Select(l => l.Envelope.Id).Distinct().Count());
        Assert.Equal([0, 1], leases.Select(l => Assert.Single(l.Recipients).N).Order());
    }

    [Fact]
    public async Task A_lost_lease_changes_nothing_and_its_evidence_is_kept()
    {
        var id = await AcceptAsync("a@example.org");
        var lost = await LeaseOneAsync();
        await SweepAsync(Incarnation(1), Now);
        var current = Assert.Single(await LeaseAsync(owner: Node with { Number = 1001 }));

        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(Sent(lost)));

        Assert.Equal(RecipientState.Leased, await StateAsync(id));
        Assert.Contains((await ViewAsync(id)).Events, e => e is { Type: MailEventType.LateEvidence, Attempt.Transport: "relay" });
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(Sent(current)));
        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(Sent(current)));
    }

    [Fact]
    public async Task A_lost_lease_that_goes_on_changes_nothing_either()
    {
        var id = await AcceptAsync("a@example.org");
        var lost = await LeaseOneAsync();
        await Store.ReleaseAsync([lost], Now, WaitReason.Released, default);

        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(GoesOn(lost, Later(lost, TimeSpan.FromHours(1), 0))));

        Assert.Equal(WaitReason.Released, (await RecipientAsync(id)).WaitReason);
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task Late_evidence_of_acceptance_resolves_what_is_unknown_since_that_lease()
    {
        var id = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var lease = await LeaseOneAsync();
        await Store.CommitPointAsync(lease, "relay", Now, default);
        await SweepAsync(1);
        Assert.Equal(RecipientState.Unknown, await StateAsync(id));

        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(Sent(lease)));

        Assert.Equal(RecipientState.Sent, await StateAsync(id));
        Assert.Equal(new StateCounts { Accepted = 1, Sent = 1 }, await Reader.CountAsync(Tenant, default));
    }

    // A node that stood still goes on, and its provider had answered: the copy that waits to be sent again does not leave.
    [Fact]
    public async Task Late_evidence_of_acceptance_ends_what_was_queued_again()
    {
        var id = await AcceptAsync("a@example.org", "b@example.org");
        var lease = await LeaseOneAsync();
        await SweepAsync(1);
        Assert.Equal(RecipientState.Queued, await StateAsync(id));

        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Accepted), (1, Deferred)),
            Ends = [new(0, RecipientState.Sent, Accepted, "sent")],
            Continues = [Later(lease, TimeSpan.Zero, 1)],
        }));

        Assert.Equal(1, Assert.Single(Assert.Single(await LeaseAsync(owner: Incarnation(1))).Recipients).N);
        Assert.Equal(1, (await Reader.CountAsync(Tenant, default)).Sent);
    }

    [Fact]
    public async Task Late_evidence_of_acceptance_ends_what_is_held_in_doubt()
    {
        var id = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var lease = await LeaseOneAsync();
        await Store.CommitPointAsync(lease, "relay", Now, default);
        await SweepAsync(1);
        _clock.Advance(Day);
        await Store.SettleAsync(Now, 100, default);
        Assert.Equal(RecipientState.Held, await StateAsync(id));

        await Store.RecordAsync(Sent(lease));

        Assert.Equal(RecipientState.Sent, await StateAsync(id));
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public async Task Late_evidence_of_acceptance_leaves_what_is_attempted_anew()
    {
        var id = await AcceptAsync("a@example.org");
        var lost = await LeaseOneAsync();
        await SweepAsync(1);
        Assert.Single(await LeaseAsync(owner: Incarnation(1)));

        await Store.RecordAsync(Sent(lost));

        Assert.Equal(RecipientState.Leased, await StateAsync(id));
    }

    [Fact]
    public async Task Late_evidence_of_refusal_resolves_nothing()
    {
        var id = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var lease = await LeaseOneAsync();
        await Store.CommitPointAsync(lease, "relay", Now, default);
        await SweepAsync(1);

        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.Zero, 0)));

        Assert.Equal(RecipientState.Unknown, await StateAsync(id));
    }

    [Fact]
    public async Task An_attempt_that_never_started_refunds_its_try_and_says_why()
    {
        var id = await AcceptAsync("a@example.org", "b@example.org");
        var lease = await LeaseOneAsync();

        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = new Attempt { StartedAt = Now, Outcomes = [] },
            Ends = [.. lease.Recipients.Select(r => new RecipientEnd(r.N, RecipientState.Suppressed, null, "on the list"))],
            Continues = [],
        });

        var view = await ViewAsync(id);
        var happened = Assert.Single(view.Events);
        Assert.Equal((MailEventType.Suppressed, "on the list"), (happened.Type, happened.Remark));
        Assert.Equal([0, 1], happened.Recipients);
        Assert.All(view.Recipients, r => Assert.Equal((RecipientState.Suppressed, 0), (r.State, r.Tries)));
    }

    [Fact]
    public async Task A_held_recipient_waits_for_a_person_and_holds_nothing_up()
    {
        var id = await AcceptAsync("a@example.org");
        var lease = await LeaseOneAsync();

        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, UnknownOutcome)),
            Ends = [new(0, RecipientState.Held, UnknownOutcome, "may have been accepted", HeldReason.Ambiguous)],
            Continues = [],
        });

        var recipient = await RecipientAsync(id);
        Assert.Equal((RecipientState.Held, HeldReason.Ambiguous), (recipient.State, recipient.HeldReason));
        Assert.Equal([MailEventType.Attempt, MailEventType.Held], (await ViewAsync(id)).Events.Select(e => e.Type));
        Assert.Empty(await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task An_outcome_in_doubt_waits_and_is_then_sent_again_as_a_possible_duplicate()
    {
        var id = await AcceptAsync("a@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));

        Assert.Equal((RecipientState.Unknown, WaitReason.Settling),
            ((await RecipientAsync(id)).State, (await RecipientAsync(id)).WaitReason));
        Assert.Equal(0, await Store.SettleAsync(Now, 10, default));
        Assert.Empty(await LeaseAsync());
        _clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(1, await Store.SettleAsync(Now, 10, default));

        var lease = await LeaseOneAsync();
        Assert.True(lease.Envelope.History.PossibleDuplicate);
        Assert.Contains((await ViewAsync(id)).Events, e =>
            e.Type == MailEventType.Settled && e.Remark!.Contains("possible duplicate", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Under_hold_an_outcome_in_doubt_ends_held()
    {
        var id = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));
        _clock.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(1, await Store.SettleAsync(Now, 10, default));

        Assert.Equal((RecipientState.Held, HeldReason.Ambiguous),
            ((await RecipientAsync(id)).State, (await RecipientAsync(id)).HeldReason));
        Assert.Equal(MailEventType.Ambiguous, (await ViewAsync(id)).Events[^1].Type);
    }

    [Fact]
    public async Task Settling_and_expiring_stop_at_their_limit()
    {
        for (var i = 0; i < 5; i++)
            await AcceptAsync($"r{i}@example.org");
        foreach (var lease in await LeaseAsync(2))
            await Store.RecordAsync(Doubtful(lease, TimeSpan.Zero));

        Assert.Equal(1, await Store.SettleAsync(Now, 1, default));
        Assert.Equal(1, await Store.SettleAsync(Now, 10, default));
        Assert.Equal(3, await Store.ExpireAsync(Now + Day, 3, default));
        Assert.Equal(2, await Store.ExpireAsync(Now + Day, 3, default));
        Assert.Equal(0, await Store.ExpireAsync(Now + Day, 3, default));
        Assert.Equal(5, (await Reader.CountAsync(Tenant, default)).Expired);
    }
}
