using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// Only what failed of a batch is sent again.
public abstract partial class QueueStoreContract
{
    MessageChanges Changes(IHandOver? handOver = null) =>
        new(Store, Reader, handOver ?? new NoHandOver(), _clock, new SubmissionOptions());

    [Theory]
    [InlineData(false, "failed@example.org expired@example.org held@example.org")]
    [InlineData(true, "failed@example.org bounced@example.org expired@example.org held@example.org alone@example.org")]
    public async Task Of_a_batch_what_failed_expired_or_is_held_goes_again_and_nothing_else_does(bool bounced, string again)
    {
        await SuppressAsync("suppressed@example.org");
        var batch = await MixedAsync();
        var elsewhere = await AcceptAsync(
            Message("other@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });

        var change = (await Changes().RetryBatchAsync(Tenant, batch, bounced, default))!.Value;

        Assert.Equal(again.Split(' ').Length, change.Recipients);
        Lease[] leases = [.. await LeaseAsync(), .. await LeaseAsync(key: Main with { Route = "slow" })];
        Assert.Equal(again.Split(' ').Order(), leases.SelectMany(l => l.Recipients).Select(r => r.Mailbox.Address.ToString()).Order());
        Assert.All(leases, lease => Assert.Equal(1, lease.Message.Generation));
        Assert.Equal(new BatchChange(0, 0), await Changes().RetryBatchAsync(Tenant, batch, bounced, default));
        foreach (var lease in leases)
            await Store.RecordAsync(Sent(lease));
        var counts = (await Reader.GetBatchAsync(Tenant, batch, default))!.Counts;
        Assert.Equal((9, 1 + change.Recipients, 1, 1, 1),
            (counts.Accepted, counts.Sent, counts.Suppressed, counts.Cancelled, counts.Queued));
        Assert.Equal((bounced ? 0 : 2, 0, 0, 0), (counts.Bounced, counts.Failed, counts.Expired, counts.Held));
        Assert.Equal(RecipientState.Held, await StateAsync(elsewhere));
        Assert.Null(await Changes().RetryBatchAsync(OtherTenant, batch, bounced, default));
    }

    // So fast that the call, which goes by states, meets it again in another one.
    [Fact]
    public async Task What_goes_again_and_bounces_while_the_rest_is_asked_for_is_not_sent_a_third_time()
    {
        var batch = new NewBatch { Id = _ids.Reserve(2), Count = 1 };
        var message = Message("failed@example.org") with { Id = batch.Id.Plus(1) };
        await Store.AcceptAsync(Accept(message) with { Batch = batch }, default);
        await EndAsync(await LeaseOneAsync(), RecipientState.Failed);

        var change = await Changes(new BouncingHandOver(this)).RetryBatchAsync(Tenant, batch.Id, bounced: true, default);

        Assert.Equal(new BatchChange(1, 1), change);
        var ended = await RecipientAsync(message.Id);
        Assert.Equal((RecipientState.Bounced, 2), (ended.State, ended.Tries));
    }

    /// <summary>A batch with a recipient in each state in which one can be, and what bounced both beside what failed and alone.</summary>
    async Task<MessageId> MixedAsync()
    {
        var batch = new NewBatch { Id = _ids.Reserve(7), Count = 7 };
        NewMessage Of(int n, params string[] to) => Message([.. to.Select(name => $"{name}@example.org")]) with { Id = batch.Id.Plus(n) };
        NewMessage[] messages =
        [
            Of(1, "sent", "failed", "bounced"),
            Of(2, "expired") with { ExpiresAt = Now.AddHours(1), Route = "slow" },
            Of(3, "suppressed"),
            Of(4, "held") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] },
            Of(5, "alone"),
            Of(6, "cancelled") with { Route = "slow" },
            Of(7, "waits") with { Route = "slower" },
        ];
        await Store.AcceptAsync(Accept(messages) with { Batch = batch }, default);
        var leases = await LeaseAsync();
        var together = Assert.Single(leases, l => l.Recipients.Count == 3);
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = together,
            Attempt = Attempt((0, Accepted), (1, Rejected), (2, Rejected)),
            Ends =
            [
                new(0, RecipientState.Sent, Accepted, "sent"), new(1, RecipientState.Failed, Rejected, "refused"),
                new(2, RecipientState.Bounced, Rejected, "no such user"),
            ],
            Continues = [],
        });
        await EndAsync(Assert.Single(leases, l => l.Recipients.Count == 1), RecipientState.Bounced);
        await Store.CancelAsync(Tenant, messages[5].Id, Now, default);
        _clock.Advance(TimeSpan.FromHours(1));
        await Store.ExpireAsync(Now, 10, default);
        return batch.Id;
    }

    async Task EndAsync(Lease lease, RecipientState state) => await Store.RecordAsync(new AttemptRecord
    {
        Lease = lease,
        Attempt = Attempt([.. lease.Recipients.Select(r => (r.N, Rejected))]),
        Ends = [.. lease.Recipients.Select(r => new RecipientEnd(r.N, state, Rejected, "refused"))],
        Continues = [],
    });

    /// <summary>Hands over to a server that refuses at once.</summary>
    sealed class BouncingHandOver(QueueStoreContract contract) : IHandOver
    {
        public IHandOverPermit? TryReserve(QueueKey key, NewMessage message, MessageContent content) => null;

        public void Signal(QueueKey key, DateTimeOffset dueAt) => Task.Run(async () =>
        {
            contract._clock.Advance(TimeSpan.FromSeconds(1));
            foreach (var lease in await contract.LeaseAsync())
                await contract.EndAsync(lease, RecipientState.Bounced);
        }).Wait();
    }
}
