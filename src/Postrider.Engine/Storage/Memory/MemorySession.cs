using System.Buffers.Binary;
using Postrider.Batches;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Memory;

/// <summary>A transaction over the tables in memory. They serve one at a time, so it needs no locks, and nothing is rolled back.</summary>
class MemorySession(MemoryTables tables, TimeProvider clock, MemoryQueue queue, ISuppressionTable suppressions) : IWriteSession
{
    public long Now => clock.GetUtcNow().Ms;
    public IMessageTables Messages { get; } = new MemoryMessages(tables);
    public MemoryQueue Queue { get; } = queue;
    public IEventTable Events { get; } = new MemoryEvents(tables);
    public CounterDeltas Counters { get; } = new();
    public ISuppressionTable Suppressions { get; } = suppressions;
    public IIdempotencyTable Idempotency { get; } = new MemoryKeys(tables);
    public ISearchEntries Search { get; } = new NoSearch();
    public IFeedbackTables Feedback { get; } = new MemoryFeedback(tables);
    public IExpansionTable Expansions { get; } = new NoBatches();
    public IDeadLetterTable DeadLetters { get; } = new NoDeadLetters();
    public AcceptedMessages Accepted { get; } = new();

    IQueueTable IWriteSession.Queue => Queue;

    public void Commit()
    {
        Accepted.Write(Events, Now);
        foreach (var row in Counters.Take(Now))
        {
            if (Counts(row.State))
                tables.Counters[(row.Scope, row.State)] = tables.Counters.GetValueOrDefault((row.Scope, row.State)) + row.Delta;
        }
    }

    protected virtual bool Counts(int state) => true;

    sealed class NoSearch : ISearchEntries
    {
        public void Add(PreparedMessage message) { }
    }

    /// <summary>A list beside the recipients' states, for people to look at.</summary>
    sealed class NoDeadLetters : IDeadLetterTable
    {
        public void Put(DeadLetterRow row) { }
        public void Hide(long message, int n) { }
        public void Remove(long message, int n) { }
    }

    /// <summary>There are no large batches in memory.</summary>
    sealed class NoBatches : IExpansionTable
    {
        static readonly Dictionary<long, BatchStop> None = [];

        public bool Advance(BatchPiece piece, long now) => false;
        public void AddFault(long batch, DestinationFault fault) { }
        public IReadOnlyDictionary<long, BatchStop> Stopped() => None;
        public void EndCancel(long batch, long now) { }
    }
}

/// <summary>Messages and recipients in memory.</summary>
sealed class MemoryMessages(MemoryTables tables) : IMessageTables
{
    public void InsertBatch(PreparedBatch batch, PreparedAcceptance of) { }

    public void InsertMessage(PreparedMessage message, PreparedAcceptance of)
    {
        var row = new MessageRow(message.Id, of.Tenant, message.Stream, of.Batch?.Id, message.RouteName, message.Expires,
            message.OnAmbiguous, message.OrderingKeyText);
        tables.Messages.Add(message.Id, new MemoryMessage(row, of.Fields[message.Content!.Value].ToArray()));
        tables.Note(message.Id);
    }

    public void InsertRecipient(
        long message, in PreparedRecipient recipient, int envelope, RecipientState state, HeldReason held, FieldWriter fields, long now) =>
        tables.Messages[message].Recipients.Add(recipient.N, new MemoryRecipient(recipient.N, recipient.Kind, recipient.Mailbox.ToString())
        {
            Envelope = envelope,
            State = state,
            Held = held,
            Updated = now,
        });

    public MessageRow? Find(long message) => tables.Messages.GetValueOrDefault(message)?.Row;

    public List<RecipientRow> Recipients(long message) => tables.Messages.TryGetValue(message, out var found)
        ? [.. found.Recipients.Values.Select(r => new RecipientRow(r.N, r.Envelope, r.Address, r.State, r.Tries, r.Generation, r.Held))]
        : [];

    public bool End(long message, int n, RecipientState state, HeldReason held, int tries, long now)
    {
        var recipient = Of(message, n);
        if (recipient.State != RecipientState.Queued)
            return false;
        (recipient.State, recipient.Held, recipient.Tries, recipient.Updated) = (state, held, tries, now);
        tables.Ended(new RecipientId(new MessageId(message), n), state);
        return true;
    }

    public void Report(long message, int n, RecipientState from, RecipientState to, int tries, long now)
    {
        var recipient = Of(message, n);
        if (recipient.State == from)
            (recipient.State, recipient.Held, recipient.Tries, recipient.Updated) = (to, HeldReason.None, tries, now);
    }

    public void Discard(long message, int n, long now)
    {
        var recipient = Of(message, n);
        if (recipient.State is RecipientState.Failed or RecipientState.Expired)
            (recipient.Held, recipient.Updated) = (HeldReason.Discarded, now);
    }

    public void Touch(long message, int n, int envelope, int tries, long now)
    {
        var recipient = Of(message, n);
        if (recipient.State == RecipientState.Queued)
            (recipient.Envelope, recipient.Tries, recipient.Updated) = (envelope, tries, now);
    }

    public void Reopen(long message, int n, int envelope, int generation, long now)
    {
        var recipient = Of(message, n);
        (recipient.State, recipient.Held, recipient.Envelope) = (RecipientState.Queued, HeldReason.None, envelope);
        (recipient.Generation, recipient.Updated) = (generation, now);
    }

    public List<int> CancelHeld(long message, long now)
    {
        var held = new List<int>();
        foreach (var recipient in tables.Messages[message].Recipients.Values.Where(r => r.State == RecipientState.Held))
        {
            (recipient.State, recipient.Held, recipient.Updated) = (RecipientState.Cancelled, HeldReason.None, now);
            held.Add(recipient.N);
        }
        tables.Note(message);
        return held;
    }

    public void Reschedule(long message, long sendAt, long expires) =>
        tables.Messages[message].Row = tables.Messages[message].Row with { Expires = expires };

    MemoryRecipient Of(long message, int n)
    {
        tables.Note(message);
        return tables.Messages[message].Recipients[n];
    }
}

/// <summary>The event log in memory.</summary>
sealed class MemoryEvents(MemoryTables tables) : IEventTable
{
    public void Append(long message, int tenant, MailEventType type, long at, int? node, ReadOnlySpan<byte> details) =>
        tables.Events.Add(new MemoryEvent(message, type, at, node, details.ToArray()));

    public List<(MailEventType Type, byte[] Details)> Attempts(long message, int limit) =>
    [
        .. tables.Events.Where(e => e.Message == message
                && e.Type is MailEventType.Attempt or MailEventType.Swept or MailEventType.LateEvidence)
            .Take(limit).Select(e => (e.Type, e.Details)),
    ];
}

/// <summary>The suppression list in memory.</summary>
class MemorySuppressions(MemoryTables tables) : ISuppressionTable
{
    public virtual bool AnyFor(int tenant) => tables.Suppressions.Keys.Any(s => s.Tenant == tenant);

    public SuppressionHit? Find(int tenant, MailStream stream, ReadOnlySpan<byte> hash)
    {
        var number = BinaryPrimitives.ReadInt128BigEndian(hash);
        return tables.Suppressions.TryGetValue((tenant, number, SuppressionSql.AllStreams), out var hit)
            || tables.Suppressions.TryGetValue((tenant, number, (int)stream), out hit) ? hit : null;
    }

    public void Add(int tenant, in NewSuppression added) => tables.Suppressions.TryAdd(
        (tenant, HashOf(tenant, added.Address), SuppressionSql.NumberOf(added.Stream)), new SuppressionHit(added.Cause, added.Reason));

    public void Resubscribe(int tenant, string address, MailStream stream) =>
        tables.Suppressions.Remove((tenant, HashOf(tenant, address), (int)stream));

    static Int128 HashOf(int tenant, string address)
    {
        Span<byte> hash = stackalloc byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(new TenantId(tenant), address, hash);
        return BinaryPrimitives.ReadInt128BigEndian(hash);
    }
}

/// <summary>Idempotency keys in memory.</summary>
sealed class MemoryKeys(MemoryTables tables) : IIdempotencyTable
{
    public (byte[] RequestHash, byte[] Answer)? Find(int tenant, string key, long now) =>
        tables.Idempotency.TryGetValue((tenant, key), out var found) && found.KeepUntil > now ? (found.RequestHash, found.Answer) : null;

    public void Put(int tenant, IdempotencyClaim claim, ReadOnlyMemory<byte>? answer) =>
        tables.Idempotency[(tenant, claim.Key)] =
            new MemoryKey(claim.RequestHash.ToArray(), (answer ?? claim.Answer).ToArray(), claim.KeepUntil.Ms);

    public int Purge(long now, int limit)
    {
        var old = tables.Idempotency.Where(k => k.Value.KeepUntil <= now).OrderBy(k => k.Value.KeepUntil).Take(limit)
            .Select(k => k.Key).ToList();
        old.ForEach(key => tables.Idempotency.Remove(key));
        return old.Count;
    }
}

/// <summary>What was reported.</summary>
sealed class MemoryFeedback(MemoryTables tables) : IFeedbackTables
{
    public bool IsSeen(long message, long key) => tables.Seen.Contains((message, key));
    public void See(long message, long key) => tables.Seen.Add((message, key));
    public bool HasSeen(long message, int count) => tables.Seen.Count(s => s.Message == message) >= count;

    public IReadOnlyList<FeedbackReport> Wait(FeedbackReport report, long key, long retryAt, long until)
    {
        if (tables.Waiting.Exists(w => w.Key == key))
            return [];
        tables.Waiting.Add(new MemoryReport(tables.NextReport++, key, report) { RetryAt = retryAt, Until = until });
        return [];
    }

    public long? WaitsUntil(long id) => tables.Waiting.Find(w => w.Id == id)?.Until;

    public void WaitOn(long id, long retryAt)
    {
        if (tables.Waiting.Find(w => w.Id == id) is { } waiting)
            waiting.RetryAt = retryAt;
    }

    public void EndWait(long id) => tables.Waiting.RemoveAll(w => w.Id == id);
    public bool Quarantine(FeedbackReport report, QuarantineReason reason, long key, long now) => tables.Quarantined.Add(key);
}
