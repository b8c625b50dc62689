using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Batches;

/// <summary>Takes large batches in and changes them: what the API and other entrances call.</summary>
public sealed class LargeBatches(IBatchStore batches, IBatchExpansion expansion, Submitter submitter, IHandOver handOver, MessageIds ids,
    TimeProvider clock)
{
    /// <summary>Destinations of one transaction: some 2 ms of the writer on SQLite.</summary>
    public const int PerPart = 250;

    /// <summary>And of what they have of their own; the part ends with the destination that reaches it.</summary>
    public const int BytesPerPart = 512 * 1024;

    /// <summary>Rows of the queue that one transaction changes.</summary>
    const int ChangeAtOnce = 100;

    /// <summary>Rows in others' hands are free again within a transaction; what is not after a second wakes by itself later.</summary>
    const int Looks = 20;
    static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    /// <summary>The part of a batch that comes in one call, so that the call can be repeated.</summary>
    const string OnlyPart = "send";

    /// <summary>Checks what all destinations share and stores it. Of a list the batch begins at once; otherwise destinations follow.
    /// Exactly one of the two is null.</summary>
    public async Task<(AddedBatch? Batch, Problem? Problem)> AddAsync(
        SubmissionRequest request, SubmissionContext context, MessageId? list)
    {
        var (shared, problem) = await submitter.CheckSharedAsync(request, context);
        return shared is null ? (null, problem) : await AddAsync(shared, context, list);
    }

    async Task<(AddedBatch? Batch, Problem? Problem)> AddAsync(SharedSubmission shared, SubmissionContext context, MessageId? list)
    {
        var added = await batches.AddAsync(new NewLargeBatch(ids.Next(), context.Tenant, shared, clock.GetUtcNow())
        {
            List = list,
            Key = context.IdempotencyKey is { } key ? (key, context.RequestHash) : null,
        });
        return added switch
        {
            null => (null, NoSuchList),
            { IsOther: true } => (null, SubmissionProblems.IdempotencyMismatch),
            _ => (added, null),
        };
    }

    /// <summary>Destinations that came with their call and were checked: all of them, or none.</summary>
    public async Task<SubmissionResult> SendAsync(
        SharedSubmission shared, IReadOnlyList<LargeDestination> destinations, SubmissionContext context)
    {
        var (added, problem) = await AddAsync(shared, context, list: null);
        if (added is not { Batch: var batch })
            return new SubmissionResult.Refused(problem!);
        var receipt = new SubmissionReceipt(batch.Id, []) { Count = destinations.Count };
        if (batch.State != BatchState.Filling)
            return new SubmissionResult.Replayed(context.Answer!(receipt));
        for (var start = 0; start < destinations.Count;)
        {
            var some = Part(destinations, start);
            await batches.AppendAsync(context.Tenant, batch.Id, new BatchPart
            {
                Key = OnlyPart,
                Destinations = some,
                LinesBefore = start,
                Lines = start + some.Count,
            }, clock.GetUtcNow());
            start += some.Count;
        }
        await batches.StartAsync(context.Tenant, batch.Id, clock.GetUtcNow());
        return new SubmissionResult.Accepted(receipt);
    }

    static List<StoredDestination> Part(IReadOnlyList<LargeDestination> destinations, int start)
    {
        var part = new List<StoredDestination>(PerPart);
        var bytes = 0;
        while (start + part.Count < destinations.Count && part.Count < PerPart && bytes < BytesPerPart)
        {
            var (mailbox, data) = destinations[start + part.Count];
            part.Add(new StoredDestination(
                start + part.Count + 1, mailbox.Address.ToString(), mailbox.Name, data?.GetRawText()));
            bytes += part[^1].Bytes;
        }
        return part;
    }

    /// <summary>Null: begun. A batch that was begun before stays so.</summary>
    public async Task<Problem?> StartAsync(TenantId tenant, MessageId id, CancellationToken ct)
    {
        if (await batches.StartAsync(tenant, id, clock.GetUtcNow()))
            return null;
        return await batches.FindAsync(tenant, id, ct) switch
        {
            null => Absent,
            { State: BatchState.Filling } => new Problem("no-recipients", 422, "No recipients", "The batch has no destinations yet."),
            { State: BatchState.Expanding or BatchState.Expanded } => null,
            _ => Ended,
        };
    }

    /// <summary>Null: nothing of it leaves from now on.</summary>
    public async Task<Problem?> PauseAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        await batches.PauseAsync(tenant, id, true, clock.GetUtcNow()) ? null : await WhyNotAsync(tenant, id, ct);

    /// <summary>Null: it goes on.</summary>
    public async Task<Problem?> ResumeAsync(TenantId tenant, MessageId id, CancellationToken ct)
    {
        if (!await batches.PauseAsync(tenant, id, false, clock.GetUtcNow()))
            return await WhyNotAsync(tenant, id, ct);
        if (await batches.FindAsync(tenant, id, ct) is not { } batch)
            return null;
        var patience = Looks;
        for (var turn = await WakeAsync(batch); turn.HasMore && patience > 0; turn = await WakeAsync(batch))
        {
            if (turn.Rows == ChangeAtOnce)
                continue;
            patience--;
            await Task.Delay(BetweenLooks, clock, ct);
        }
        handOver.Signal(new QueueKey(batch.Terms.Route ?? "default", batch.Terms.Stream, tenant), clock.GetUtcNow());
        return null;
    }

    /// <summary>What of it will not be sent; null: there is no such large batch, or it is over. Nothing of it leaves after the task
    /// completes, but what was under way.</summary>
    public async Task<int?> CancelAsync(TenantId tenant, MessageId id, CancellationToken ct)
    {
        var before = await batches.CountCancelledAsync(id, ct);
        if (!await batches.CancelAsync(tenant, id, clock.GetUtcNow()) || await batches.FindAsync(tenant, id, ct) is not { } batch)
            return null;
        var patience = Looks;
        // The expander ends them as well, here or on another node: what it has in its hands is waited for, for a second.
        for (var turn = await EndQueuedAsync(batch); turn.HasMore && patience > 0; turn = await EndQueuedAsync(batch))
        {
            if (turn.Rows == ChangeAtOnce)
                continue;
            patience--;
            await Task.Delay(BetweenLooks, clock, ct);
        }
        return batch.Total - batch.Taken + await batches.CountCancelledAsync(id, ct) - before;
    }

    Task<BatchTurn> EndQueuedAsync(LargeBatch batch) => expansion.EndQueuedAsync(batch, clock.GetUtcNow(), ChangeAtOnce);

    Task<BatchTurn> WakeAsync(LargeBatch batch) => expansion.WakeAsync(batch, clock.GetUtcNow(), ChangeAtOnce);

    async Task<Problem?> WhyNotAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        await batches.FindAsync(tenant, id, ct) is null ? Absent : Ended;

    public static readonly Problem NoSuchList = new("no-such-list", 404, "No such list", "There is no list with this id, or it is another tenant's.");
    static readonly Problem Absent = new("not-found", 404, "Not found", "There is no batch with this id, or it is another tenant's.");
    static readonly Problem Ended = new("batch-ended", 409, "Batch ended", "The batch was cancelled.");
}
