using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Suppression;

namespace Postrider.Storage.Rules;

/// <summary>What the rules of the store may do while their transaction runs. The rules are one for both engines; how rows are found and
/// written is each engine's own.</summary>
/// <remarks>What was written is seen by what is read afterwards, and everything that is found stays as it is until the transaction
/// ends.</remarks>
interface IWriteSession
{
    /// <summary>Unix milliseconds; the same for all that a piece of work asks at once.</summary>
    long Now { get; }

    IMessageTables Messages { get; }
    IQueueTable Queue { get; }
    IEventTable Events { get; }
    CounterDeltas Counters { get; }
    AcceptedMessages Accepted { get; }
    ISuppressionTable Suppressions { get; }
    IIdempotencyTable Idempotency { get; }
    ISearchEntries Search { get; }
    IFeedbackTables Feedback { get; }
    IExpansionTable Expansions { get; }
    IDeadLetterTable DeadLetters { get; }
}

/// <summary><c>messages</c>, <c>batches</c> and <c>recipients</c>.</summary>
interface IMessageTables
{
    void InsertBatch(PreparedBatch batch, PreparedAcceptance of);
    void InsertMessage(PreparedMessage message, PreparedAcceptance of);
    void InsertRecipient(
        long message, in PreparedRecipient recipient, int envelope, RecipientState state, HeldReason held, FieldWriter fields, long now);

    MessageRow? Find(long message);

    /// <summary>All of a message, in the order of their numbers.</summary>
    List<RecipientRow> Recipients(long message);

    /// <summary>False when it is not open.</summary>
    bool End(long message, int n, RecipientState state, HeldReason held, int tries, long now);

    /// <summary>Moves a recipient as was reported, open or not.</summary>
    void Report(long message, int n, RecipientState from, RecipientState to, int tries, long now);

    /// <summary>Marks a recipient that failed or expired as one that nobody sends again.</summary>
    void Discard(long message, int n, long now);

    /// <summary>Notes an attempt on a recipient that goes on, in the envelope it goes on in.</summary>
    void Touch(long message, int n, int envelope, int tries, long now);
    void Reopen(long message, int n, int envelope, int generation, long now);

    /// <summary>Which of a message's recipients were held.</summary>
    List<int> CancelHeld(long message, long now);
    void Reschedule(long message, long sendAt, long expires);
}

/// <summary><c>queue</c>, the only arbiter of who may attempt what.</summary>
interface IQueueTable
{
    void Insert(QueueRow row);
    void Update(QueueRow row);

    /// <summary>Without <see cref="WriteSessions.Remove"/>, who is behind it stays there.</summary>
    void Delete(QueueRow row);

    QueueRow? Find(EnvelopeId id);
    List<QueueRow> OfMessage(long message);

    /// <summary>Queued rows of a key that are due, oldest first, that no other node is taking.</summary>
    List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit);

    /// <summary>Takes the row for <paramref name="owner"/>, in the database and in the object.</summary>
    void Lease(QueueRow row, Incarnation owner);

    /// <summary>False: the lease was lost, nothing was deleted.</summary>
    bool DeleteClaimed(Lease lease);
    bool PassCommitPoint(Lease lease, byte[]? history, long now);

    /// <summary>Leases whose owner is gone: where nodes are members, those of nobody who is one; else other incarnations of the same
    /// node.</summary>
    List<QueueRow> Orphaned(Incarnation owner);
    List<QueueRow> Settled(long now, int limit);
    List<QueueRow> Expired(long now, int limit);

    /// <summary>Rows of a batch, whose messages are in a range of ids, both ends included, that are not cancelled; or of them those that
    /// wait because of a pause. Ids of others may lie in between.</summary>
    (List<QueueRow> Rows, bool HasMore) OfBatch(long batch, long first, long last, bool waitsPaused, int limit);

    /// <summary>The first by id of an ordering key, of those in front (one at most) or of those behind; null when there is none.</summary>
    OrderedRow? FirstOrdered(int tenant, string orderingKey, bool behind);
    void SetGate(OrderedRow row, Gate gate);
}

/// <summary>What an ordering key's rule looks at.</summary>
readonly record struct OrderedRow(long Message, int N, RecipientState State, int Suspect);

/// <summary>The event log: append only.</summary>
interface IEventTable
{
    /// <param name="message">0: it is of no single message.</param>
    void Append(long message, int tenant, Events.MailEventType type, long at, int? node, ReadOnlySpan<byte> details);

    /// <summary>What tells where a message was tried.</summary>
    List<(Events.MailEventType Type, byte[] Details)> Attempts(long message, int limit);
}

/// <summary>Addresses we do not mail, by tenant and stream.</summary>
interface ISuppressionTable
{
    /// <summary>False: there is no need to ask for addresses.</summary>
    bool AnyFor(int tenant);

    /// <summary>What keeps mail of a stream from an address; null: nothing does. What holds for all streams comes first.</summary>
    SuppressionHit? Find(int tenant, MailStream stream, ReadOnlySpan<byte> hash);

    /// <summary>One that is there for as long, or longer, stays as it is.</summary>
    void Add(int tenant, in NewSuppression suppression);

    /// <summary>Its owner wants the stream's mail again: what another reason put there stays.</summary>
    void Resubscribe(int tenant, string address, MailStream stream);
}

/// <summary>What the suppression list has of an address.</summary>
/// <param name="Reason">Plain words, in most cases with the cause in front; may be empty.</param>
readonly record struct SuppressionHit(SuppressionCause Cause, string Reason)
{
    /// <summary>What the recipient's timeline says of it: <c>The address is on the suppression list (bounced): 550 Unknown</c>.</summary>
    public string Remark
    {
        get
        {
            var cause = Cause.ToString().ToLowerInvariant();
            var words = Reason.StartsWith(cause, StringComparison.Ordinal) ? Reason[cause.Length..].TrimStart(':', ' ') : Reason;
            return $"The address is on the suppression list ({cause}){(words.Length == 0 ? "" : ": ")}{words}";
        }
    }
}

/// <summary>An address that goes on the suppression list, for good.</summary>
/// <param name="Stream">Null: all of them.</param>
readonly record struct NewSuppression(
    string Address, MailStream? Stream, SuppressionCause Cause, string Reason, long Message, long At);

/// <summary>Callers' keys and the answers they got.</summary>
interface IIdempotencyTable
{
    /// <summary>Null when the key is unknown, or its time is up.</summary>
    (byte[] RequestHash, byte[] Answer)? Find(int tenant, string key, long now);

    /// <param name="answer">Kept instead of the claim's; null: the claim's.</param>
    void Put(int tenant, IdempotencyClaim claim, ReadOnlyMemory<byte>? answer);
    int Purge(long now, int limit);
}

/// <summary>What a message is found by beside its id.</summary>
interface ISearchEntries
{
    void Add(PreparedMessage message);
}

/// <summary>What was reported: which reports came before, which wait, which are not believed.</summary>
interface IFeedbackTables
{
    /// <summary>Far more than anybody looks through; at most some 20 MB.</summary>
    const int MaxQuarantined = 10_000;

    /// <summary>More than come during the longest attempt.</summary>
    const int MaxWaiting = 200_000;

    bool IsSeen(long message, long key);
    void See(long message, long key);

    /// <summary>Whether a message has at least so many.</summary>
    bool HasSeen(long message, int count);

    /// <summary>Returns those that had to go because there are too many: the oldest.</summary>
    IReadOnlyList<FeedbackReport> Wait(FeedbackReport report, long key, long retryAt, long until);

    /// <summary>How long one that waits may go on; null when it waits no more.</summary>
    long? WaitsUntil(long id);
    void WaitOn(long id, long retryAt);
    void EndWait(long id);

    /// <summary>False: it is there already.</summary>
    bool Quarantine(FeedbackReport report, QuarantineReason reason, long key, long now);
}

/// <summary>What follows from the operations of a session.</summary>
static class WriteSessions
{
    extension(IMessageTables messages)
    {
        /// <summary>Those of one envelope that are open.</summary>
        public List<RecipientRow> Open(QueueRow row) =>
            messages.Recipients(row.Message).FindAll(r => r.Envelope == row.N && r.State == RecipientState.Queued);
    }

    extension(IQueueTable queue)
    {
        /// <summary>Deletes a row and lets the next of its ordering key through.</summary>
        public void Remove(QueueRow row)
        {
            queue.Delete(row);
            queue.Arrange(row.Tenant, row.OrderingKey);
        }

        /// <summary>Restores the rule of ordering keys after rows of one came or went: one row in front, the first by id among those that
        /// are not under way, the others behind it. Free when there is no key.</summary>
        public void Arrange(int tenant, string? orderingKey)
        {
            if (orderingKey is null || queue.FirstOrdered(tenant, orderingKey, behind: true) is not { } behind)
                return;
            if (queue.FirstOrdered(tenant, orderingKey, behind: false) is { } inFront)
            {
                if (inFront.State != RecipientState.Queued || (inFront.Message, inFront.N).CompareTo((behind.Message, behind.N)) < 0)
                    return;
                queue.SetGate(inFront, Gate.Ordering);
            }
            queue.SetGate(behind, behind.Suspect >= QueueRow.SuspectLimit ? Gate.Alone : Gate.Open);
        }
    }

    extension(IEventTable events)
    {
        /// <summary>An event without an attempt.</summary>
        public void Append(
            long message, int tenant, Events.MailEventType type, long at, int? node, IReadOnlyList<int> recipients, string? remark)
        {
            using var details = new FieldWriter();
            EventCodec.Write(details, recipients, remark, attempt: null);
            events.Append(message, tenant, type, at, node, details.Written);
        }
    }

    extension(ISuppressionTable suppressions)
    {
        public SuppressionHit? Find(int tenant, MailStream stream, string address)
        {
            Span<byte> hash = stackalloc byte[StoredAddress.SuppressionHashBytes];
            StoredAddress.SuppressionHash(new TenantId(tenant), address, hash);
            return suppressions.Find(tenant, stream, hash);
        }
    }
}
