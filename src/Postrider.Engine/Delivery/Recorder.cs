using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>Writes what attempts came to. An outcome that is lost is a duplicate, so it is kept in memory and tried again until the node
/// stops.</summary>
sealed partial class Recorder(IQueueStore store, DueBook due, SteadyTime time, TimeProvider clock, DeliveryMetrics metrics,
    ILogger<Recorder> logger, FlowBook? flow)
{
    static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    /// <inheritdoc cref="DeliveryOptions.LogSent"/>
    public bool LogsSent { get; init; }

    /// <summary>Null: the store did not come back before <paramref name="stopNow"/>, or never will, and the row stays leased for the
    /// sweep.</summary>
    /// <param name="label">Of the transport, as it is counted; null where there was no attempt.</param>
    public async Task<RecordResult?> RecordAsync(AttemptRecord record, CancellationToken stopNow, string? label = null)
    {
        var result = RecordResult.Fenced;
        if (!await PersistAsync(async () => result = await store.RecordAsync(record), record.Lease.Envelope.Id, stopNow))
        {
            LogLost(record.Lease.Envelope.Id, record.Attempt.Transport);
            return null;
        }
        Tell(record, result, label);
        return result;
    }

    /// <summary>Gives leases back that were not attempted. False: the store did not come back, as above.</summary>
    public async Task<bool> ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken stopNow)
    {
        metrics.Released(leases.Count);
        return await PersistAsync(() => store.ReleaseAsync(leases, dueAt, reason, CancellationToken.None), leases[0].Envelope.Id, stopNow);
    }

    /// <summary>A try waits for the rate limit of its transport.</summary>
    public void Limited(string label, TimeSpan wait) => metrics.Limited(label, wait);

    async Task<bool> PersistAsync(Func<Task> write, EnvelopeId first, CancellationToken stopNow)
    {
        for (var wait = FirstWait; ; wait = wait * 2 < LongestWait ? wait * 2 : LongestWait)
        {
            try
            {
                await write();
                return true;
            }
            catch (StoreUnavailableException e)
            {
                metrics.WaitedForStore();
                LogStoreAway(first, wait, e.Message);
                if (e.IsForGood)
                    return false;
            }
            try
            {
                await Task.Delay(wait, clock, stopNow);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    void Tell(AttemptRecord record, RecordResult result, string? label)
    {
        if (label is not null && record.Attempt.Transport is not null)
        {
            metrics.Attempted(label, record.Attempt.Duration);
            foreach (var outcome in record.Attempt.Outcomes)
                metrics.Outcome(label, outcome.Outcome.Kind);
            flow?.Note(record.Lease, record.Attempt.Transport, record.Attempt.Outcomes);
        }
        if (result == RecordResult.Fenced)
        {
            metrics.RecordFenced();
            LogFenced(record.Lease.Envelope.Id, record.Lease.Envelope.Claim, record.Attempt.Transport);
            return;
        }
        LogUnknown(record);
        foreach (var next in record.Continues)
        {
            if (next.State == RecipientState.Queued)
                due.Add(record.Lease.Envelope.Key, next.DueAt, time.Now);
        }
        // The next of an ordering key may go now: by the same route as a rule, by whichever it has else.
        if (record.Lease.Envelope.OrderingKey is not null)
        {
            due.Add(record.Lease.Envelope.Key, time.Now, time.Now);
            due.AskStore();
        }
        foreach (var end in record.Ends)
        {
            metrics.Ended(end.State);
            Log(record, end);
        }
    }

    void Log(AttemptRecord record, RecipientEnd end)
    {
        // What was sent is in the store and in the counters; a line for each costs more than writing it, so it must be asked for.
        var level = end.State switch
        {
            RecipientState.Sent when !LogsSent => LogLevel.Debug,
            RecipientState.Held => LogLevel.Warning,
            _ => LogLevel.Information,
        };
        if (!logger.IsEnabled(level))
            return;
        var recipient = new RecipientId(record.Lease.Message.Id, end.N);
        var address = Masked(record.Lease, end.N);
        var reason = AddressMask.InText(end.Reason);
        LogEnd(level, recipient, address, end.State, record.Attempt.Transport, record.Lease.Envelope.Tries, reason);
    }

    void LogUnknown(AttemptRecord record)
    {
        foreach (var (_, outcome) in record.Attempt.Outcomes)
        {
            if (outcome.Kind != OutcomeKind.Unknown)
                continue;
            var reason = AddressMask.InText(outcome.Reply.Words);
            LogUnknown(record.Lease.Envelope.Id, record.Attempt.Transport, reason);
            return;
        }
    }

    static string Masked(Lease lease, int n)
    {
        foreach (var recipient in lease.Recipients)
        {
            if (recipient.N == n)
                return AddressMask.Of(recipient.Mailbox.Address);
        }
        return "?";
    }

    [LoggerMessage("{Recipient} to {Address}: {State} by {Transport} after {Tries} tries: {Reason}")]
    partial void LogEnd(LogLevel level, RecipientId recipient, string address, RecipientState state, string? transport, int tries,
        string reason);

    [LoggerMessage(LogLevel.Warning, "{Envelope} at {Transport}: whether it was sent is not known: {Reason}")]
    partial void LogUnknown(EnvelopeId envelope, string? transport, string reason);

    [LoggerMessage(LogLevel.Warning, "What became of {Envelope} waits {Wait} for the store: {Reason}")]
    partial void LogStoreAway(EnvelopeId envelope, TimeSpan wait, string reason);

    [LoggerMessage(LogLevel.Error,
        "The outcome of {Envelope} at {Transport} could not be recorded before the node stopped: it may be sent twice")]
    partial void LogLost(EnvelopeId envelope, string? transport);

    [LoggerMessage(LogLevel.Warning,
        "The outcome of {Envelope} (claim {Claim}) at {Transport} came after its lease was lost: kept as evidence only")]
    partial void LogFenced(EnvelopeId envelope, int claim, string? transport);
}
