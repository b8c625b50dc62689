using Postrider.Messages;

namespace Postrider.Events;

/// <summary>What happened to a message. The numbers are stored; <c>accepted</c> is derived from the message row and never stored.</summary>
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
    /// <summary>The waiting for evidence ended.</summary>
    Settled = 9,
    /// <summary>An outcome that came after its lease was lost: evidence only.</summary>
    LateEvidence = 10,
    Ambiguous = 11,
    /// <summary>Given up without an attempt that explains it.</summary>
    Failed = 12,
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
}

/// <summary>What an attempt was and came to, per recipient.</summary>
public sealed record AttemptDetails(string Transport, TimeSpan Duration, IReadOnlyList<AttemptOutcome> Outcomes);

/// <summary>One recipient's outcome within an attempt.</summary>
/// <param name="Verdict">What it led to, where the reply alone does not tell: "deferred 4 times: 450 …". Else null.</param>
public readonly record struct AttemptOutcome(int N, Outcome Outcome, string? Verdict = null);
