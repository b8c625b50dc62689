using Postrider.Messages;

namespace Postrider.Events;

/// <summary>What happened. The numbers are stored. <c>accepted</c> is a message's own row; for the feed, each transaction lists the
/// messages that it took in.</summary>
public enum MailEventType : byte
{
    Accepted = 0,
    Attempt = 1,
    Cancelled = 2,
    SentAgain = 3,
    Rescheduled = 4,
    Held = 5,
    Expired = 6,
    Suppressed = 7,
    /// <summary>A lease of a dead process was returned.</summary>
    Swept = 8,
    /// <summary>No evidence came of an attempt in doubt: it is tried again.</summary>
    Settled = 9,
    /// <summary>An outcome that came after its lease was lost: evidence only.</summary>
    LateEvidence = 10,
    Ambiguous = 11,
    /// <summary>Given up without an attempt that explains it.</summary>
    Failed = 12,

    // From here on: what was reported to us after the message was taken.
    Delivered = 13,
    /// <summary>Reported as not delivered, for good; <see cref="FeedbackDetails.Bounce"/> says how.</summary>
    Bounced = 14,
    Complained = 15,
    Opened = 16,
    Clicked = 17,
    Unsubscribed = 18,
    Resubscribed = 19,
    /// <summary>The provider goes on trying.</summary>
    Deferred = 20,
    /// <summary>The provider has it, which was not known.</summary>
    Confirmed = 21,
    /// <summary>The provider took it and then did not send it.</summary>
    Rejected = 22,
    /// <summary>Something that we have no word for.</summary>
    Reported = 23,

    // From here on: of a tenant, and of no message.
    /// <summary>An endpoint of a customer's failed for too long, or said that it is gone.</summary>
    WebhookDisabled = 24,
    /// <summary>Times of a schedule at which nobody was there to send, or that an edit took away.</summary>
    ScheduleMissed = 25,
    /// <summary>A time of a schedule at which the run before was still being sent.</summary>
    ScheduleSkipped = 26,
    /// <summary>A time of a schedule at which its mail could not be made.</summary>
    ScheduleFailed = 27,
    /// <summary>A dead letter that nobody will send again.</summary>
    Discarded = 28,
    /// <summary>It left without the tracking that was asked for, or without a part of it.</summary>
    TrackingSkipped = 29,
    /// <summary>An endpoint's place in the log was older than what is kept of it.</summary>
    WebhookMissedEvents = 30,
}

/// <summary>A fact that was recorded, in the transaction that made it true.</summary>
/// <param name="Id">Position in the log: ascending in the order of commits.</param>
/// <param name="Recipients">The recipients concerned, by number; empty means all of the message.</param>
public sealed record MailEvent(long Id, MessageId Message, MailEventType Type, DateTimeOffset At, IReadOnlyList<int> Recipients)
{
    /// <summary>Plain words for people; never parsed. Null when type and attempt say all.</summary>
    public string? Remark { get; init; }

    /// <summary>The node that wrote it.</summary>
    public string? Worker { get; init; }

    /// <summary>Set for <see cref="MailEventType.Attempt"/> and <see cref="MailEventType.LateEvidence"/>.</summary>
    public AttemptDetails? Attempt { get; init; }

    /// <summary>Set for <see cref="MailEventType.Delivered"/> and those after it.</summary>
    public FeedbackDetails? Feedback { get; init; }
}

/// <summary>What an attempt was and came to, per recipient.</summary>
public sealed record AttemptDetails(string Transport, TimeSpan Duration, IReadOnlyList<AttemptOutcome> Outcomes)
{
    /// <summary>Those of the route that were asked before it; empty where it was the first.</summary>
    public IReadOnlyList<PassedOver> PassedOver { get; init; } = [];
}

/// <summary>One recipient's outcome within an attempt.</summary>
/// <param name="Verdict">What it led to, where the reply alone does not tell: "deferred 4 times: 450 …". Else null.</param>
/// <param name="Ended">The state in which it ended the recipient; null where it goes on.</param>
public readonly record struct AttemptOutcome(int N, Outcome Outcome, string? Verdict = null, RecipientState? Ended = null);

/// <summary>What was reported of a message that a provider had taken.</summary>
/// <param name="Source">The transport whose provider reported it; <c>dsn</c> for a report that came by mail.</param>
/// <param name="Type">The reporter's own word for it; untrusted.</param>
public sealed record FeedbackDetails(string Source, string Type)
{
    /// <summary>What the recipient's server said; null when that is not told.</summary>
    public Reply? Reply { get; init; }

    /// <summary><c>hard</c> (the address is bad for good), <c>soft</c> (given up; the address may be fine) or <c>blocked</c> (refused by
    /// policy); null for anything but a bounce.</summary>
    public string? Bounce { get; init; }

    /// <summary>The provider's own list that the address is on; null when that is not the reason.</summary>
    public string? Suppressed { get; init; }
    public string? Url { get; init; }
    public string? UserAgent { get; init; }
    public string? Ip { get; init; }

    /// <summary>Opened by a machine, not by a person.</summary>
    public bool IsMachine { get; init; }
}
