using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Submission;

/// <summary>Brings checked messages onto disk, and those with a permit from there to their lane.</summary>
/// <remarks>A permit that was reserved is always started or returned; a lease that was stored is attempted or given back.</remarks>
sealed class Acceptor(IQueueStore store, IsStored isStored, IHandOver handOver, TimeProvider clock, SubmissionOptions options)
{
    /// <summary>How long a commit whose reply was lost may still be on its way: twice the longest a database lets a statement
    /// run.</summary>
    static readonly TimeSpan CommitMayStillCome = TimeSpan.FromSeconds(60);
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Null: nothing is counted.</summary>
    public SubmissionMetrics? Metrics { get; set; }

    /// <summary>A single message, born leased if a permit can be had.</summary>
    public async Task<SubmissionResult> AcceptOneAsync(NewMessage message, MessageContent content, SubmissionContext context,
        SubmissionReceipt receipt)
    {
        var key = new QueueKey(message.Route, message.Stream, context.Tenant);
        var acceptance = new Acceptance { Tenant = context.Tenant, Messages = [message], Idempotency = Claim(context, receipt) };
        var permit = CanBeBornLeased(message) ? handOver.TryReserve(key, message, content) : null;
        if (permit is not null)
            return await AcceptBornLeasedAsync(permit, key, acceptance, content, receipt);
        var commit = await CommitAsync(acceptance, receipt);
        if (commit.IsStored)
            handOver.Signal(key, message.SendAt ?? clock.GetUtcNow());
        return commit.Result;
    }

    async Task<SubmissionResult> AcceptBornLeasedAsync(
        IHandOverPermit permit, QueueKey key, Acceptance acceptance, MessageContent content, SubmissionReceipt receipt)
    {
        var message = acceptance.Messages[0] with { BornLeasedBy = permit.Owner };
        Lease? lease = null;
        try
        {
            var commit = await CommitAsync(acceptance with { Messages = [message] }, receipt);
            if (commit.Fate == Fate.Stored)
                lease = BornLeased.Of(key, message, content, commit.Suppressed, clock.GetUtcNow());
            else if (commit.Fate is Fate.StoredReplyLost or Fate.NotKnown)
                _ = PutInQueueAsync(key, message, content);
            return commit.Result;
        }
        finally
        {
            if (lease is null)
                permit.Return();
            else
                permit.Start(lease);
        }
    }

    public async Task<SubmissionResult> AcceptManyAsync(NewBatch batch, List<NewMessage> messages, SubmissionContext context,
        SubmissionReceipt receipt)
    {
        var claim = Claim(context, receipt);
        var acceptance = new Acceptance { Tenant = context.Tenant, Messages = messages, Batch = batch, Idempotency = claim };
        var commit = await CommitAsync(acceptance, receipt);
        if (commit.IsStored)
            SignalAll(messages, context.Tenant);
        return commit.Result;
    }

    async Task<Commit> CommitAsync(Acceptance acceptance, SubmissionReceipt receipt)
    {
        using var span = MailTrace.Start("postrider.accept");
        span?.SetTag("postrider.message.id", acceptance.Messages[0].Id.ToString())
            .SetTag("postrider.message.count", acceptance.Messages.Count);
        var began = Metrics is { Times: true } ? clock.GetTimestamp() : 0;
        try
        {
            return Counted(acceptance, began, await store.AcceptAsync(acceptance, CancellationToken.None) switch
            {
                AcceptResult.Accepted accepted => Commit.Stored(WithSuppressed(receipt, accepted.Suppressed), accepted.Suppressed),
                AcceptResult.Replayed replayed => new Commit(Fate.NotStored, new SubmissionResult.Replayed(replayed.Answer)),
                AcceptResult.Mismatch => Commit.Refused(SubmissionProblems.IdempotencyMismatch),
                var unheardOf => throw new InvalidOperationException($"The store answered {unheardOf}."),
            });
        }
        catch (StorageLowException)
        {
            return Counted(acceptance, began, Commit.Refused(SubmissionProblems.StorageLow));
        }
        catch (StoreUnavailableException fault) when (!fault.MayHaveCommitted)
        {
            return Counted(acceptance, began, Commit.Refused(SubmissionProblems.StorageUnavailable));
        }
        catch (StoreUnavailableException)
        {
            // All or nothing: the first message stands for its whole transaction.
            return Counted(acceptance, began, await IsStoredAsync(acceptance.Messages[0].Id) == true
                ? new Commit(Fate.StoredReplyLost, new SubmissionResult.Accepted(receipt))
                : new Commit(Fate.NotKnown, new SubmissionResult.Refused(SubmissionProblems.CommitUnknown)));
        }
    }

    Commit Counted(Acceptance acceptance, long began, Commit commit)
    {
        if (commit.IsStored)
            Metrics?.Accepted(acceptance.Urgency, acceptance.Messages.Count, began == 0 ? default : clock.GetElapsedTime(began));
        else if (commit.Result is SubmissionResult.Refused refused)
            Metrics?.Refused(refused.Problem);
        return commit;
    }

    /// <summary>Null when the store does not answer.</summary>
    async Task<bool?> IsStoredAsync(MessageId id)
    {
        try
        {
            return await isStored(id, CancellationToken.None);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or TimeoutException)
        {
            return null;
        }
    }

    /// <summary>Gives a message that was born leased, but whose commit was not answered, back to the queue as soon as it is seen there:
    /// nobody else attempts it meanwhile, and only the lease statement knows who is suppressed. Ends when the message can no longer
    /// come.</summary>
    async Task PutInQueueAsync(QueueKey key, NewMessage message, MessageContent content)
    {
        var since = clock.GetTimestamp();
        while (true)
        {
            var stored = await IsStoredAsync(message.Id);
            if (stored == true && await TryReleaseAsync(BornLeased.Of(key, message, content, [], clock.GetUtcNow())!))
            {
                handOver.Signal(key, clock.GetUtcNow());
                return;
            }
            if (stored == false && clock.GetElapsedTime(since) > CommitMayStillCome)
                return;
            await Task.Delay(LookAgain, clock);
        }
    }

    async Task<bool> TryReleaseAsync(Lease lease)
    {
        // The row is named for its first recipient that is not suppressed, and who that is was in the lost reply: of these, one is there.
        var candidates = lease.Recipients.Select(r =>
            lease with { Envelope = lease.Envelope with { Id = new EnvelopeId(lease.Message.Id, r.N) } });
        try
        {
            await store.ReleaseAsync([.. candidates], clock.GetUtcNow(), WaitReason.Released, CancellationToken.None);
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    void SignalAll(List<NewMessage> messages, TenantId tenant)
    {
        // A batch has one key as a rule; a signal too many costs little, one for each of 10,000 messages does.
        QueueKey? last = null;
        var lastDue = default(DateTimeOffset);
        var now = clock.GetUtcNow();
        foreach (var message in messages)
        {
            var key = new QueueKey(message.Route, message.Stream, tenant);
            var due = message.SendAt ?? now;
            if (key == last && due == lastDue)
                continue;
            handOver.Signal(key, due);
            (last, lastDue) = (key, due);
        }
    }

    /// <summary>The other conditions are the hand-over's: it knows what is due ahead and which transports have permits.</summary>
    static bool CanBeBornLeased(NewMessage message) =>
        message.SendAt is null && message.OrderingKey is null && message.IsOneEnvelope;

    IdempotencyClaim? Claim(SubmissionContext context, SubmissionReceipt receipt)
    {
        if (context.IdempotencyKey is not { } key)
            return null;
        var answer = context.Answer ?? throw new ArgumentException("A context with an idempotency key needs its answer too.",
            nameof(context));
        return new IdempotencyClaim(key, context.RequestHash, answer(receipt), clock.GetUtcNow() + options.KeepIdempotencyKeys)
        {
            AnswerWithSuppressed = suppressed => answer(WithSuppressed(receipt, suppressed)),
        };
    }

    static SubmissionReceipt WithSuppressed(SubmissionReceipt receipt, IReadOnlyList<RecipientId> suppressed)
    {
        if (suppressed.Count == 0)
            return receipt;
        var found = new HashSet<RecipientId>(suppressed);
        var items = new SubmissionItem[receipt.Items.Count];
        for (var i = 0; i < items.Length; i++)
            items[i] = WithSuppressed(receipt.Items[i], found);
        return receipt with { Items = items };
    }

    static SubmissionItem WithSuppressed(SubmissionItem item, HashSet<RecipientId> found)
    {
        if (item.Message is not { } message)
            return item;
        var recipients = new AcceptedRecipient[message.Recipients.Count];
        for (var i = 0; i < recipients.Length; i++)
        {
            var recipient = message.Recipients[i];
            recipients[i] = found.Contains(new RecipientId(message.Id, recipient.Recipient.N))
                ? recipient with { State = RecipientState.Suppressed } : recipient;
        }
        return item with { Message = message with { Recipients = recipients } };
    }

    /// <summary>What is known of a transaction afterwards.</summary>
    enum Fate : byte { Stored, StoredReplyLost, NotStored, NotKnown }

    /// <summary>What became of a transaction, and what the caller hears.</summary>
    readonly record struct Commit(Fate Fate, SubmissionResult Result)
    {
        public IReadOnlyList<RecipientId> Suppressed { get; init; } = [];
        public bool IsStored => Fate is Fate.Stored or Fate.StoredReplyLost;

        public static Commit Stored(SubmissionReceipt receipt, IReadOnlyList<RecipientId> suppressed) =>
            new(Fate.Stored, new SubmissionResult.Accepted(receipt)) { Suppressed = suppressed };

        public static Commit Refused(Problem problem) => new(Fate.NotStored, new SubmissionResult.Refused(problem));
    }
}

/// <summary>Whether a message is in the store, asked after a commit whose reply was lost.</summary>
delegate Task<bool> IsStored(MessageId id, CancellationToken ct);
