using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Api;

/// <summary><c>/queue</c>: what waits, and for what.</summary>
static class QueueEndpoints
{
    public static void MapQueue(this IEndpointRouteBuilder app) =>
        app.MapGet("/queue", async (HttpContext context, QueueShapes queue, CancellationToken ct) =>
            ApiJson.Answer(new QueueAnswer(await queue.OfAsync(context.Caller.Tenant, ct)))).For(Access.Read)
            .Answers<QueueAnswer>(200)
            .Says("getQueue", "What waits of your mail and what is under way, by stream, route, state and reason, the most recipients first.");
}

/// <summary>The queue as people see it: why mail waits is what is so now, not when it was put there.</summary>
sealed class QueueShapes(IQueueGroups groups, WaitBoard waits, TimeProvider clock)
{
    public async Task<IReadOnlyList<QueueGroupAnswer>> OfAsync(TenantId tenant, CancellationToken ct) =>
        [.. (await groups.ReadAsync(tenant, clock.GetUtcNow(), ct)).Select(group => Answer(tenant, group))];

    QueueGroupAnswer Answer(TenantId tenant, QueueGroup group)
    {
        var together = group is { State: RecipientState.Queued, IsDue: true }
            ? waits.WaitingFor(new QueueKey(group.Route, group.Stream, tenant)) : null;
        var reason = together?.Reason ?? group.Reason;
        return new QueueGroupAnswer(group.Stream, group.Route, group.State, EmailShapes.Word(reason), together?.Text, group.Recipients,
            group is { State: RecipientState.Queued, IsDue: true } ? group.FirstDueAt : null, group.IsDue ? null : group.FirstDueAt);
    }
}

/// <summary>Answer to <c>GET /queue</c>.</summary>
sealed record QueueAnswer(IReadOnlyList<QueueGroupAnswer> Data);

/// <summary>Mail that waits alike.</summary>
/// <param name="Status"><c>scheduled</c>, <c>queued</c>, <c>leased</c> (an attempt is under way) or <c>unknown</c>.</param>
/// <param name="WaitingFor">A word of few; null: nothing holds it up.</param>
/// <param name="WaitingText">What holds up all of its route and stream now, in words; null: nothing does.</param>
/// <param name="OldestDueAt">Since when the first of it could have gone; null where nothing of it is due.</param>
/// <param name="NextDueAt">When the first of it is due; null where that is over.</param>
sealed record QueueGroupAnswer(
    MailStream Stream, string Route, RecipientState Status, string? WaitingFor, string? WaitingText, long Recipients,
    DateTimeOffset? OldestDueAt, DateTimeOffset? NextDueAt);

/// <summary>Why mail waits, in words.</summary>
static class QueueWords
{
    public static string Why(QueueGroupAnswer group) => group switch
    {
        { WaitingText: { } text } => text,
        { Status: RecipientState.Leased } => "an attempt is under way",
        { Status: RecipientState.Unknown } => "it may have left: that is being found out",
        { WaitingFor: "scheduled" } => "for its time",
        { WaitingFor: "deferred" } => "the recipients' side asked for later",
        { WaitingFor: "transports_unavailable" } => "every transport of its route failed on it; tried again after a pause",
        { WaitingFor: "transport_throttled" } => "a limit of its transports",
        { WaitingFor: "transport_busy" } => "a free slot of its transports",
        { WaitingFor: "storage_low" } => "room on the disk of the database",
        { WaitingFor: "ordering" } => "an earlier message with the same ordering key",
        { WaitingFor: "suspect" } => "it was in hand when a process died: it is tried alone",
        { WaitingFor: null } => "for its turn",
        { WaitingFor: { } word } => word.Replace('_', ' '),
    };
}
