using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Submission;

/// <summary>What came of moving a message to another time.</summary>
/// <param name="Done">True: moved; false: too late for it; null: absent, or another tenant's.</param>
/// <param name="Problem">The new time is none; nothing was changed.</param>
public readonly record struct RescheduleResult(bool? Done, Problem? Problem = null);

/// <summary>What came of cancelling a message.</summary>
/// <param name="Count">Recipients cancelled at once.</param>
/// <param name="IsTooLate">Every recipient has ended, and none because it was cancelled.</param>
public readonly record struct CancelResult(int Count, bool IsTooLate);

/// <summary>What a change of a whole batch reached.</summary>
/// <param name="Messages">Those in which something changed.</param>
public readonly record struct BatchChange(int Messages, int Recipients)
{
    public BatchChange With(BatchChange other) => new(Messages + other.Messages, Recipients + other.Recipients);
}

/// <summary>Changes messages that were handed over, and wakes the dispatcher where that makes work due.</summary>
public sealed class MessageChanges(IQueueStore store, IMessageReader reader, IHandOver handOver, TimeProvider clock,
    SubmissionOptions options)
{
    /// <summary>Messages of a batch changed at once: each is a transaction's part of its own, and they share their commits.</summary>
    const int AtOnce = 100;

    static readonly RecipientState[] SentAgain = [RecipientState.Failed, RecipientState.Expired, RecipientState.Held];

    /// <summary>Null where there is no such message of this tenant.</summary>
    public async Task<CancelResult?> CancelAsync(TenantId tenant, MessageId message, CancellationToken ct)
    {
        if (await CancelOpenAsync(tenant, message, ct) is not { } count)
            return null;
        if (count > 0 || await reader.GetAsync(tenant, message, ct) is not { } view)
            return new CancelResult(count, IsTooLate: false);
        return new CancelResult(0, !view.Recipients.Any(r => r.State.IsOpen || r.State == RecipientState.Cancelled));
    }

    /// <summary>Sends what failed, expired, is held or bounced again, and was not discarded. Recipients sent again; null where there is no
    /// such message of this tenant.</summary>
    public Task<int?> RetryAsync(TenantId tenant, MessageId message, CancellationToken ct) =>
        RetryAsync(tenant, message, bounced: true, discarded: false, ct);

    /// <inheritdoc cref="RetryAsync(TenantId, MessageId, CancellationToken)"/>
    /// <param name="bounced">What bounced, too.</param>
    /// <param name="discarded">What was discarded, too.</param>
    public async Task<int?> RetryAsync(TenantId tenant, MessageId message, bool bounced, bool discarded, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        // What bounced long ago has no body any more. One that goes just now is held, and says so.
        if (await reader.GetContentAsync(tenant, message, ct) is null)
            return await reader.GetAsync(tenant, message, ct) is null ? null : 0;
        var count = await store.RetryAsync(tenant, message, bounced, discarded, now, now + options.DefaultExpiresIn, ct);
        if (count > 0)
            await WakeAsync(tenant, message, now, ct);
        return count;
    }

    /// <param name="sendAt">RFC 3339 with a zone; one that is past means now.</param>
    public async Task<RescheduleResult> RescheduleAsync(TenantId tenant, MessageId message, string sendAt, CancellationToken ct)
    {
        var faults = new Faults();
        var now = clock.GetUtcNow();
        var at = TermsCheck.SendAt(sendAt, now, options, faults) ?? now;
        if (faults.Any)
            return new RescheduleResult(null, faults.ToProblem());
        if (await reader.GetAsync(tenant, message, ct) is not { } view)
            return default;
        // It may wait as long from its new time on as it might from the old.
        var patience = view.ExpiresAt - (view.SendAt ?? view.CreatedAt);
        var done = await store.RescheduleAsync(tenant, message, at, at + patience, ct);
        if (done == true)
            handOver.Signal(new QueueKey(view.Route, view.Stream, tenant), at);
        return new RescheduleResult(done);
    }

    /// <summary>Cancels all that a list would show and is open.</summary>
    /// <param name="progress">Hears of what was done so far.</param>
    public Task<BatchChange> CancelAllAsync(
        TenantId tenant, MessageFilter filter, IProgress<BatchChange> progress, CancellationToken ct) => ChangeBatchAsync(
            tenant, filter with { Before = null, After = null, Limit = AtOnce }, view => view.Recipients.Any(r => r.State.IsOpen),
            CancelOpenAsync, ct, progress);

    /// <summary>Sends all again that a list would show and that failed, expired, bounced or is held: each once, whatever becomes of it
    /// meanwhile.</summary>
    /// <inheritdoc cref="CancelAllAsync"/>
    public async Task<BatchChange> RetryAllAsync(
        TenantId tenant, MessageFilter filter, IProgress<BatchChange> progress, CancellationToken ct)
    {
        RecipientState[] again = [.. SentAgain, RecipientState.Bounced];
        var (total, asked) = (default(BatchChange), clock.GetUtcNow());
        foreach (var state in again.Where(state => (filter.State ?? state) == state))
        {
            var before = total;
            var change = await ChangeBatchAsync(tenant, filter with { State = state, Before = null, After = null, Limit = AtOnce },
                view => view.Recipients.Any(r => r.State == state && r.UpdatedAt <= asked),
                RetryAsync, ct, new Further(progress, before));
            total = before.With(change);
        }
        return total;
    }

    /// <summary>Adds what was done before.</summary>
    sealed class Further(IProgress<BatchChange> progress, BatchChange before) : IProgress<BatchChange>
    {
        public void Report(BatchChange value) => progress.Report(before.With(value));
    }

    /// <summary>Null where there is no such batch of this tenant.</summary>
    public async Task<BatchChange?> CancelBatchAsync(TenantId tenant, MessageId batch, CancellationToken ct) =>
        await reader.GetBatchAsync(tenant, batch, ct) is null
            ? null
            : await ChangeBatchAsync(tenant, new MessageFilter { Batch = batch, Limit = AtOnce },
                view => view.Recipients.Any(r => r.State.IsOpen), CancelOpenAsync, ct);

    /// <summary>Sends what has failed, expired or is held again: each once, whatever becomes of it meanwhile. Null where there is no such
    /// batch of this tenant.</summary>
    /// <param name="bounced">What bounced too.</param>
    public async Task<BatchChange?> RetryBatchAsync(TenantId tenant, MessageId batch, bool bounced, CancellationToken ct)
    {
        if (await reader.GetBatchAsync(tenant, batch, ct) is null)
            return null;
        var (total, asked) = (default(BatchChange), clock.GetUtcNow());
        // By state: the few that ended so are found without looking at all of a large batch.
        foreach (var state in bounced ? [.. SentAgain, RecipientState.Bounced] : SentAgain)
        {
            var change = await ChangeBatchAsync(tenant, new MessageFilter { Batch = batch, State = state, Limit = AtOnce },
                // What ended since was sent again by this very call, and came to another end.
                view => view.Recipients.Any(r => r.State == state && r.UpdatedAt <= asked),
                (of, message, stop) => RetryAsync(of, message, bounced, discarded: false, stop), ct);
            total = total.With(change);
        }
        return total;
    }

    Task<int?> CancelOpenAsync(TenantId tenant, MessageId message, CancellationToken ct) =>
        store.CancelAsync(tenant, message, clock.GetUtcNow(), ct);

    async Task<BatchChange> ChangeBatchAsync(
        TenantId tenant, MessageFilter filter, Func<MessageView, bool> concerns,
        Func<TenantId, MessageId, CancellationToken, Task<int?>> change, CancellationToken ct, IProgress<BatchChange>? progress = null)
    {
        var total = default(BatchChange);
        MessageId? before = null;
        do
        {
            var page = await reader.ListAsync(tenant, filter with { Before = before }, ct);
            var counts = await Task.WhenAll(page.Messages.Where(concerns).Select(m => change(tenant, m.Id, ct)));
            total = total.With(new BatchChange(counts.Count(c => c > 0), counts.Sum(c => c ?? 0)));
            progress?.Report(total);
            before = page.ContinueBefore;
        }
        while (before is not null);
        return total;
    }

    async Task WakeAsync(TenantId tenant, MessageId message, DateTimeOffset dueAt, CancellationToken ct)
    {
        if (await reader.GetAsync(tenant, message, ct) is { } view)
            handOver.Signal(new QueueKey(view.Route, view.Stream, tenant), dueAt);
    }
}
