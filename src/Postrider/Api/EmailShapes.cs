using Postrider.Batches;
using Postrider.Delivery;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Api;

/// <summary>Turns what the store knows of a message into what the API shows.</summary>
sealed class EmailShapes(WaitBoard waits, AttemptsInHand inHand, TimeProvider clock)
{
    /// <summary>The whole story; without content when retention has removed it.</summary>
    public EmailAnswer Whole(MessageView view, MessageContent? content) => Short(view) with
    {
        ReplyTo = content?.ReplyTo.Select(m => m.ToString()).ToList(),
        Text = content?.Text,
        Html = content?.Html,
        Tracking = Tracking(view.Events),
        Attempts = [.. view.Events.Where(e => e.Attempt is not null).SelectMany(e => Attempts(view, e))],
        Events = [.. view.Events.Where(e => e.Attempt is null).Select(e => Event(view, e))],
    };

    /// <summary>As lists have it.</summary>
    public EmailAnswer Short(MessageView view)
    {
        var status = MessageStatus.Of(view.Recipients);
        var together = view.Recipients.Any(r => r.State == RecipientState.Queued)
            ? waits.WaitingFor(new QueueKey(view.Route, view.Stream, view.Tenant))
            : null;
        return new EmailAnswer
        {
            Id = view.Id.ToString(),
            BatchId = view.Batch?.ToString(),
            ScheduleId = view.Schedule?.ToString(),
            From = view.From.ToString(),
            To = Addresses(view, RecipientKind.To),
            Cc = Addresses(view, RecipientKind.Cc),
            Bcc = Addresses(view, RecipientKind.Bcc),
            Subject = view.Subject,
            Stream = view.Stream,
            Route = view.Route,
            Status = status.Word,
            StatusReason = status.Reason,
            Tries = view.Recipients.Max(r => r.Tries),
            LastEvent = LastEvent(view),
            CreatedAt = view.CreatedAt,
            UpdatedAt = view.UpdatedAt,
            SendAt = view.SendAt,
            ExpiresAt = view.ExpiresAt,
            Tags = view.Tags,
            Metadata = Metadata(view.Metadata),
            Recipients = [.. view.Recipients.Select(recipient => Recipient(view.Id, recipient, together))],
        };
    }

    /// <param name="large">Null for one that was small when it came.</param>
    /// <param name="waitingFor">What keeps the rest of it from becoming mail; null: nothing.</param>
    /// <param name="tracking">Null: too many to count, or nobody asked.</param>
    public BatchStatusAnswer Batch(BatchView batch, LargeBatch? large, MessagePage? page, string? waitingFor, TrackingCounts? tracking)
    {
        var counts = batch.Counts;
        // What never became a message is counted where it ended.
        if (large is not null)
            counts = counts with { Failed = counts.Failed + large.Failed };
        if (large is { State: BatchState.Cancelling or BatchState.Cancelled })
            counts = counts with { Cancelled = counts.Cancelled + large.Total - large.Taken };
        var isOver = large is null or { IsFinal: true };
        return new BatchStatusAnswer(
            batch.Id.ToString(), isOver ? MessageStatus.Of(counts) : "incomplete", State(large), large?.IsPaused == true,
            large?.Total ?? batch.Count, Counts(counts), Progress(batch.Count, large), Tracking(tracking), batch.CreatedAt, large?.StartAt,
            waitingFor, page?.Messages.Select(Short).ToList(), page?.ContinueBefore?.ToString());
    }

    public static BatchSummaryAnswer Batch(BatchSummary batch) => new(
        batch.Id.ToString(), State(batch.Large), batch.Large?.IsPaused == true, batch.Large?.Total ?? batch.Count,
        Progress(batch.Count, batch.Large), batch.From, batch.Subject, batch.Id.At);

    public static BatchRefAnswer Batch(LargeBatch batch) => new(batch.Id.ToString(), State(batch), batch.IsPaused, batch.Total);

    static string State(LargeBatch? large) => ApiJson.Word(large?.State ?? BatchState.Expanded);

    static BatchProgressAnswer Progress(int count, LargeBatch? large) => large is null
        ? new BatchProgressAnswer(count, count, 0, 0)
        : new BatchProgressAnswer(large.Total, large.Taken - large.Failed, large.Failed, large.Refused);

    public static StatsAnswer Stats(StateCounts c) => new(
        c.Accepted, c.Scheduled, c.Queued, c.Leased, c.Unknown, c.Held, c.Sent, c.Delivered, c.Bounced, c.Failed, c.Expired, c.Suppressed,
        c.Cancelled);

    /// <summary>As <see cref="ApiJson.Word"/>; null for the zero value.</summary>
    public static string? Word<T>(T value) where T : struct, Enum =>
        EqualityComparer<T>.Default.Equals(value, default) ? null : ApiJson.Word(value);

    static CountsAnswer Counts(StateCounts c) => new(
        c.Scheduled, c.Queued, c.Leased, c.Unknown, c.Held, c.Sent, c.Delivered, c.Bounced, c.Failed, c.Expired, c.Suppressed, c.Cancelled);

    RecipientAnswer Recipient(MessageId message, RecipientView r, Waiting? together) => new()
    {
        Email = r.Mailbox.Address.ToString(),
        Name = r.Mailbox.Name,
        Kind = r.Kind,
        Status = r.State,
        StatusCode = r.StatusCode,
        EnhancedCode = r.EnhancedCode,
        StatusReason = r.StatusReason,
        WaitingFor = WaitingFor(r, together),
        UnderWay = r.State == RecipientState.Leased && inHand.Of(message, r.N) is { } attempt
            ? new UnderWayAnswer(attempt.Transport, attempt.Since) : null,
        Transport = r.Transport,
        ProviderId = r.ProviderId,
        Tries = r.Tries,
        LastAttemptAt = r.LastAttemptAt,
        NextAttemptAt = r.NextAttemptAt,
        Worker = r.Worker,
        UpdatedAt = r.UpdatedAt,
    };

    // Until its own time comes a recipient waits for that; then for what holds up all mail of its route, if anything does.
    string? WaitingFor(RecipientView r, Waiting? together) => r.State switch
    {
        RecipientState.Held => Word(r.HeldReason),
        RecipientState.Queued when together is { } waiting && !(r.NextAttemptAt > clock.GetUtcNow()) => Word(waiting.Reason),
        var state => state.IsOpen ? Word(r.WaitReason) : null,
    };

    // One attempt is one conversation with a transport; recipients that it answered alike are shown together.
    static IEnumerable<AttemptAnswer> Attempts(MessageView view, MailEvent e) =>
        e.Attempt!.Outcomes
            .GroupBy(o => (o.Outcome.Kind, o.Outcome.Reply.Code, o.Outcome.Reply.Enhanced, o.Outcome.Reply.Text))
            .Select(alike => new AttemptAnswer(
                e.At, e.Attempt.Transport, [.. alike.Select(o => Address(view, o.N))], alike.Key.Kind,
                Code(alike.Key.Code), alike.Key.Enhanced,
                alike.Key.Text, (long)e.Attempt.Duration.TotalMilliseconds, e.Worker)
            { Remark = e.Remark, PassedOver = PassedOver(e.Attempt) });

    static List<PassedOverAnswer>? PassedOver(AttemptDetails attempt) => attempt.PassedOver.Count == 0
        ? null : [.. attempt.PassedOver.Select(one => new PassedOverAnswer(one.Transport, one.Reason))];

    static EmailTrackingAnswer? Tracking(IReadOnlyList<MailEvent> events)
    {
        var hits = events.Where(e => e.Type is MailEventType.Opened or MailEventType.Clicked).ToList();
        if (hits.Count == 0)
            return null;
        // Of a mail that several share it is not told who it was.
        var c = TrackingCounts.Of(hits.Select(e => (
            e.Recipients is [var n] ? n : -1, e.Type == MailEventType.Clicked, e.Feedback?.IsMachine == true)));
        return new EmailTrackingAnswer(
            c.Opens, c.UniqueOpens, c.Clicks, c.UniqueClicks, c.MachineOpens, c.UniqueMachineOpens, c.MachineClicks, c.UniqueMachineClicks,
            First(MailEventType.Opened), First(MailEventType.Clicked));

        DateTimeOffset? First(MailEventType type) =>
            hits.Where(e => e.Type == type && e.Feedback?.IsMachine != true).Select(e => (DateTimeOffset?)e.At).Min();
    }

    public static TrackingAnswer? Tracking(TrackingCounts? counts) => counts is not { } c ? null : new TrackingAnswer(
        c.Opens, c.UniqueOpens, c.Clicks, c.UniqueClicks, c.MachineOpens, c.UniqueMachineOpens, c.MachineClicks, c.UniqueMachineClicks);

    static EventAnswer Event(MessageView view, MailEvent e) =>
        new(
            e.At, ApiJson.Word(e.Type), [.. e.Recipients.Select(n => Address(view, n))], e.Remark, e.Worker)
        {
            Source = e.Feedback?.Source,
            SourceType = e.Feedback?.Type,
            Code = e.Feedback?.Reply is { Code: > 0 } reply ? reply.Code : null,
            EnhancedCode = e.Feedback?.Reply?.Enhanced,
            Text = e.Feedback?.Reply?.Text,
            Bounce = e.Feedback?.Bounce,
            SuppressedBy = e.Feedback?.Suppressed,
            Url = e.Feedback?.Url,
            UserAgent = e.Feedback?.UserAgent,
            Ip = e.Feedback?.Ip,
            Machine = e.Feedback?.IsMachine,
        };

    static int? Code(int code) => code == 0 ? null : code;

    static string Address(MessageView view, int n) => view.Recipients.FirstOrDefault(r => r.N == n)?.Mailbox.Address.ToString() ?? "";

    static List<string> Addresses(MessageView view, RecipientKind kind) =>
        [.. view.Recipients.Where(r => r.Kind == kind).Select(r => r.Mailbox.ToString())];

    static Dictionary<string, string> Metadata(IReadOnlyList<MetadataEntry> entries)
    {
        var metadata = new Dictionary<string, string>(entries.Count, StringComparer.Ordinal);
        foreach (var entry in entries)
            metadata[entry.Name] = entry.Value;
        return metadata;
    }

    /// <summary>Resend tells one story per message; ours is that of the recipient whose state changed last.</summary>
    static string LastEvent(MessageView view)
    {
        var recipient = view.Recipients.MaxBy(r => r.UpdatedAt)!;
        return recipient.State switch
        {
            RecipientState.Scheduled => "scheduled",
            RecipientState.Queued or RecipientState.Leased => recipient.WaitReason == WaitReason.Deferred ? "delivery_delayed" : "queued",
            RecipientState.Unknown or RecipientState.Held => "delivery_delayed",
            RecipientState.Sent => "sent",
            RecipientState.Delivered => "delivered",
            RecipientState.Bounced => "bounced",
            RecipientState.Failed or RecipientState.Expired => "failed",
            RecipientState.Suppressed => "suppressed",
            RecipientState.Cancelled => "canceled",
        };
    }
}
