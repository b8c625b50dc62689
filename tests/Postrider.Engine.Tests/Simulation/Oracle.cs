using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Memory;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>Knows what was promised and what really happened, and compares the store with it after every act.</summary>
/// <remarks>
/// What it believes comes from the senders, the providers and the calls that were made, not from the store; of the store it only asks
/// whether that fits. Rules are named as the promises are: P1 nothing is lost, P2 each duplicate is explained, P3 at most once, P4 nothing
/// starts after its end, P7 one in flight by ordering key.
/// </remarks>
sealed class Oracle(ModelTables tables, SimulatedSink sink, Setting setting)
{
    readonly SortedDictionary<long, Promise> _promises = [];
    readonly HashSet<(int Tenant, string Address)> _suppressed = [];

    public CurrentAct Act { get; } = new();
    public IReadOnlyCollection<Promise> Promises => _promises.Values;

    public void Promised(Promise promise) => _promises.Add(promise.Message.Id.Value, promise);

    public bool IsHeld(Lease lease) =>
        tables.Queue.TryGetValue((lease.Envelope.Id.Message.Value, lease.Envelope.Id.N), out var row) && row.IsHeldBy(Claimed.Of(lease));

    /// <summary>Of the same key, one message is stored.</summary>
    public void Repeated(string key)
    {
        var stored = Promises.Count(p => p.Key == key && tables.Messages.ContainsKey(p.Message.Id.Value));
        Demand(stored <= 1, "P1 idempotency", $"{stored} messages are stored of the key {key}");
    }

    public void Suppressed(TenantId tenant, string address) => _suppressed.Add((tenant.Value, address));

    public bool IsSuppressed(TenantId tenant, string address) => _suppressed.Contains((tenant.Value, address));

    public void Cancelled(MessageId message)
    {
        foreach (var recipient in Of(message).Recipients)
            recipient.IsCancelled |= tables.Recipient(recipient.Id).State == RecipientState.Cancelled || Row(recipient) is not null;
    }

    public void SentAgain(MessageId message, DateTimeOffset expires)
    {
        foreach (var recipient in Of(message).Recipients)
        {
            if (tables.Recipient(recipient.Id).Generation > recipient.Generation)
                recipient.ExpiresAt = expires;
        }
    }

    public void Rescheduled(MessageId message, DateTimeOffset expires) =>
        Of(message).Recipients.ForEach(recipient => recipient.ExpiresAt = expires);

    /// <summary>What the lease statement gave, at the time of the node that asked.</summary>
    public void Leased(SimulatedNode node, IReadOnlyList<Lease> leases, DateTimeOffset now)
    {
        foreach (var lease in leases)
        {
            Demand(IsHeld(lease), "lease", $"{lease.Envelope.Id} was given out and is not held");
            Demand(lease.Owner == node.Incarnation, "lease", $"{lease.Envelope.Id} was given to {lease.Owner}");
            Demand(lease.Recipients.Count > 0, "lease", $"{lease.Envelope.Id} was given out without recipients");
            MayStart(lease, now, "leased");
        }
    }

    public void PassedCommitPoint(UnderWay attempt, DateTimeOffset now)
    {
        MayStart(attempt.Lease, now, "past its commit point");
        foreach (var recipient in Attempted(attempt))
        {
            foreach (var earlier in recipient.CommitPoints)
            {
                var isRepetition = earlier.Transport == attempt.Transport && IsIdempotent(attempt.Transport)
                    && attempt.Lease.Envelope.History.PinnedTo == attempt.Transport;
                var isKnownUnsent = earlier.IsKnownUnsent
                    || (earlier.RecordedAt is not null && earlier.OutcomeOf(recipient.Id.N)?.KnownUnsent != false);
                Demand(isKnownUnsent || isRepetition, "P3",
                    $"{recipient.Id} passes its commit point at {attempt.Transport}, and {earlier.Transport} may have accepted it");
            }
            recipient.CommitPoints.Add(attempt);
        }
    }

    public void Started(UnderWay attempt)
    {
        foreach (var recipient in Attempted(attempt))
        {
            if (recipient.InDoubt is { } doubt && recipient.Generation == attempt.Lease.Message.Generation)
                Demand(doubt.Transport == attempt.Transport && IsIdempotent(attempt.Transport), "failover while unknown",
                    $"{recipient.Id} goes to {attempt.Transport} while {doubt.Transport} may have accepted it");
        }
    }

    public void Sent(UnderWay attempt)
    {
        foreach (var recipient in Attempted(attempt))
        {
            var taken = sink.TakenBy(recipient.Id, attempt.Lease.Message.Generation);
            if (taken.Count < 2 || taken[^1] != attempt)
                continue;
            Demand(attempt.Lease.Envelope.OnAmbiguous == AmbiguityPolicy.Retry, "P3", $"{recipient.Id} was accepted twice");
            foreach (var earlier in taken.SkipLast(1))
                Demand(WasInDoubt(earlier, attempt, recipient.Id.N), "P2",
                    $"{recipient.Id} was accepted by {attempt.Transport} although it was recorded as accepted by {earlier.Transport}");
        }
    }

    /// <summary>At the lease of the other one, nobody could know that this one had been accepted.</summary>
    static bool WasInDoubt(UnderWay attempt, UnderWay other, int n) => attempt != other
        && (attempt.RecordedAt is not { } at || at >= other.LeasedAt || attempt.OutcomeOf(n)?.Kind == OutcomeKind.Unknown);

    /// <param name="wasHeld">Before the record was written.</param>
    public void Recorded(UnderWay attempt, bool wasHeld, RecordResult result)
    {
        Demand(wasHeld == (result == RecordResult.Applied), "fence",
            $"the outcome of {attempt.Lease.Envelope.Id}, claim {attempt.Lease.Envelope.Claim}, was {result}; its lease was held: {wasHeld}");
        if (result != RecordResult.Applied)
            return;
        attempt.RecordedAt = Act.Number;
        foreach (var end in attempt.Record!.Ends)
        {
            var recipient = Of(attempt.Lease.Message.Id).Recipients[end.N];
            if (end.Suppress && tables.Recipient(recipient.Id).State == end.State)
                Suppressed(attempt.Lease.Envelope.Key.Tenant, recipient.Address);
        }
        if (attempt.Record.Attempt.Transport is null)
            return;
        foreach (var recipient in Attempted(attempt))
        {
            var kind = attempt.OutcomeOf(recipient.Id.N)?.Kind;
            recipient.InDoubt = kind == OutcomeKind.Unknown ? attempt : recipient.InDoubt;
        }
    }

    /// <summary>Looks at everything that was written to since the last time.</summary>
    public void Check()
    {
        foreach (var id in tables.Changed)
            Check(_promises[id], tables.Messages[id]);
        tables.Changed.Clear();
    }

    void Check(Promise promise, MemoryMessage message)
    {
        foreach (var recipient in promise.Recipients)
        {
            var stored = message.Recipients[recipient.Id.N];
            var row = Row(recipient);
            Demand(stored.State != RecipientState.Queued || row is not null, "P1", $"{recipient.Id} is open and in no envelope");
            FollowOwner(recipient, row);
            Follow(recipient, stored, row?.State);
        }
        foreach (var row in tables.OfMessage(promise.Message.Id.Value))
        {
            var open = message.Recipients.Values.Count(r => r.State == RecipientState.Queued && r.Envelope == row.N);
            Demand(row.Recipients == open && open > 0, "P1", $"envelope {row.Message}-{row.N} has {open} of {row.Recipients} recipients");
            Demand((row.State == RecipientState.Leased) == (row.Owner is not null), "lease",
                $"envelope {row.Message}-{row.N} is {row.State}, owner {row.Owner}");
        }
        if (message.Row.OrderingKey is { } key)
            CheckOrder(promise.Tenant, key);
    }

    void FollowOwner(PromisedRecipient recipient, QueueRow? row)
    {
        if (row?.Suspect > recipient.Crashes && recipient.Owner is { } owner)
            Demand(!tables.IsAlive(owner), "sweep", $"{recipient.Id} was taken from node {owner.Node}, which lives");
        (recipient.Owner, recipient.Crashes) = (row?.Owner, row?.Suspect ?? 0);
    }

    void Follow(PromisedRecipient recipient, MemoryRecipient stored, RecipientState? row)
    {
        if (stored.Generation != recipient.Generation)
        {
            Demand(stored.Generation == recipient.Generation + 1 && (recipient.State is { IsDeadLetter: true } or RecipientState.Bounced),
                "final", $"{recipient.Id} was {recipient.State} and is sent again");
            (recipient.Generation, recipient.IsCancelled, recipient.InDoubt) = (stored.Generation, false, null);
            recipient.CommitPoints.Clear();
        }
        else if (recipient.State is { } before && before != stored.State)
            Demand(MayMove(before, stored.State), "final", $"{recipient.Id} was {before} and is {stored.State}");
        if (stored.State == RecipientState.Sent)
            Demand(sink.HasTaken(recipient.Id), "P1", $"{recipient.Id} is sent, and nobody has it");
        if (recipient.Row == RecipientState.Unknown && row == RecipientState.Queued)
            Demand(Act.Settles, "failover while unknown", $"{recipient.Id} is queued again before its waiting was over");
        var mayBeElsewhere = (recipient.Row == RecipientState.Unknown && row == RecipientState.Queued)
            || (recipient.Row == RecipientState.Leased && row != RecipientState.Leased && Act.Sweeps);
        if (stored.State != RecipientState.Queued || mayBeElsewhere)
            recipient.InDoubt = null;
        (recipient.State, recipient.Row) = (stored.State, row);
    }

    static bool MayMove(RecipientState from, RecipientState to) => from switch
    {
        RecipientState.Queued => true,
        RecipientState.Held => to is RecipientState.Cancelled or RecipientState.Sent or RecipientState.Delivered or RecipientState.Bounced
            or RecipientState.Failed,
        RecipientState.Sent => to is RecipientState.Delivered or RecipientState.Bounced or RecipientState.Failed,
        RecipientState.Delivered => to is RecipientState.Bounced,
        RecipientState.Failed or RecipientState.Expired or RecipientState.Suppressed or RecipientState.Cancelled =>
            to is RecipientState.Delivered or RecipientState.Bounced,   // bounced after it was delivered, which may be told at once
        RecipientState.Bounced or RecipientState.Scheduled or RecipientState.Leased or RecipientState.Unknown => false,
    };

    void CheckOrder(TenantId tenant, string key)
    {
        var rows = tables.Queue.Values.Where(r => r.Tenant == tenant.Value && r.OrderingKey == key).ToList();
        var inFront = rows.Count(r => r.Gate != Gate.Ordering);
        Demand(inFront == Math.Min(rows.Count, 1), "P7", $"{inFront} of {rows.Count} envelopes with the ordering key {key} are in front");
        foreach (var leased in rows.Where(r => r.State == RecipientState.Leased))
        {
            Demand(leased.Gate != Gate.Ordering, "P7", $"an envelope with the ordering key {key} is under way behind another");
            // Recipients of one message may part: they have no order among each other.
            Demand(!rows.Exists(r => r.State == RecipientState.Unknown && r.Message < leased.Message), "P7",
                $"{new MessageId(leased.Message)} is under way, and one of before it with the ordering key {key} is in doubt");
        }
    }

    /// <summary>The sums of states are what the rows add up to.</summary>
    public void CheckCounters()
    {
        var counted = new Dictionary<(long, int), long>();
        void Add(Promise p, int state, long count)
        {
            counted[(p.Tenant.Value, state)] = counted.GetValueOrDefault((p.Tenant.Value, state)) + count;
        }
        foreach (var promise in Promises.Where(p => tables.Messages.ContainsKey(p.Message.Id.Value)))
        {
            Add(promise, StateSums.Accepted, promise.Recipients.Count);
            foreach (var recipient in promise.Recipients)
                Add(promise, (int)(Row(recipient)?.State ?? tables.Recipient(recipient.Id).State), 1);
        }
        // Tenants alone: batches have ids.
        var told = tables.Counters.Keys.Where(k => k.Scope is > 0 and < 10_000 && k.State <= StateSums.Accepted);
        foreach (var key in counted.Keys.Union(told))
        {
            var (there, sum) = (counted.GetValueOrDefault(key), tables.Counters.GetValueOrDefault(key));
            Demand(there == sum, "counters", $"tenant {key.Item1} has {there} recipients in state {key.Item2}, and {sum} are counted");
        }
    }

    /// <summary>When everything has come to rest.</summary>
    public void CheckEnd()
    {
        foreach (var promise in Promises.Where(p => p.IsAnswered))
            Demand(tables.Messages.ContainsKey(promise.Message.Id.Value), "P1", $"{promise.Message.Id} was accepted and is not there");
        foreach (var row in tables.Queue.Values)
            Demand(false, "liveness", $"{row.ToEnvelope().Id} is {row.State} for ever: claim {row.Claim}, owner {row.Owner}, gate {row.Gate}");
        CheckCounters();
        foreach (var (recipient, by) in sink.All)
            CheckEvents(recipient, by);
    }

    /// <summary>Each duplicate is on the timeline as what may have been one.</summary>
    void CheckEvents(RecipientId recipient, UnderWay by)
    {
        var taken = sink.TakenBy(recipient, by.Lease.Message.Generation);
        if (taken.Count < 2)
            return;
        var told = tables.Events.Count(e => e.Message == recipient.Message.Value
            && e.Type is MailEventType.Swept or MailEventType.Settled && e.Read.Recipients.Contains(recipient.N));
        Demand(told >= taken.Count - 1, "P2", $"{recipient} was accepted {taken.Count} times, and the timeline tells of {told} doubts");
    }

    void MayStart(Lease lease, DateTimeOffset now, string what)
    {
        foreach (var n in lease.Recipients.Select(r => r.N).Except(lease.Suppressed.Keys))
        {
            var recipient = Of(lease.Message.Id).Recipients[n];
            var stored = tables.Recipient(recipient.Id);
            Demand(stored.State == RecipientState.Queued, "P4", $"{recipient.Id} is {stored.State} and was {what}");
            Demand(recipient.ExpiresAt > now, "P4", $"{recipient.Id} expired at {recipient.ExpiresAt:T} and was {what} at {now:T}");
            Demand(!recipient.IsCancelled, "P4", $"{recipient.Id} was cancelled, and then {what}");
            Demand(!IsSuppressed(lease.Envelope.Key.Tenant, recipient.Address), "P4", $"{recipient.Id} was suppressed, and then {what}");
        }
    }

    IEnumerable<PromisedRecipient> Attempted(UnderWay attempt) => attempt.Lease.Recipients.Select(r => r.N)
        .Except(attempt.Lease.Suppressed.Keys).Select(n => Of(attempt.Lease.Message.Id).Recipients[n]);

    QueueRow? Row(PromisedRecipient recipient)
    {
        var stored = tables.Recipient(recipient.Id);
        return stored.State == RecipientState.Queued
            ? tables.Queue.GetValueOrDefault((recipient.Id.Message.Value, stored.Envelope)) : null;
    }

    bool IsIdempotent(string? transport) => setting.Transports.Any(t => t.Name == transport && t.Idempotent);

    Promise Of(MessageId message) => _promises[message.Value];

    static void Demand(
        bool condition, string rule, [InterpolatedStringHandlerArgument(nameof(condition))] ref WordsUnless what)
    {
        if (!condition)
            throw new BrokenPromiseException(rule, what.ToString());
    }
}

/// <summary>Words that are only put together where something is wrong.</summary>
[InterpolatedStringHandler]
ref struct WordsUnless(int literal, int formatted, bool condition, out bool isWanted)
{
    readonly StringBuilder? _words = (isWanted = !condition) ? new StringBuilder(literal + 16 * formatted) : null;

    public readonly void AppendLiteral(string text) => _words!.Append(text);
    public readonly void AppendFormatted<T>(T value) => _words!.Append(CultureInfo.InvariantCulture, $"{value}");
    public readonly void AppendFormatted<T>(T value, string format) where T : IFormattable =>
        _words!.Append(value.ToString(format, CultureInfo.InvariantCulture));
    public override readonly string ToString() => _words?.ToString() ?? "";
}
