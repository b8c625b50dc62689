using System.Globalization;

namespace Postrider.Messages;

/// <summary>What an attempt came to. One enum decides everything that follows;
/// the policy that reads it is <c>Delivery/FailurePolicy.cs</c>.</summary>
public enum OutcomeKind : byte
{
    /// <summary>The provider took responsibility: its success shape was seen.</summary>
    Accepted = 0,
    /// <summary>The recipient's side says later (4xx to RCPT or dot, greylisting, mailbox full). Uses up the schedule.</summary>
    Deferred = 1,
    /// <summary>The address (scope recipient) or the message (scope message) is refused anywhere. No failover.</summary>
    Rejected = 2,
    /// <summary>This transport cannot carry it. Next transport at once; the circuit is not told.</summary>
    Unfit = 3,
    /// <summary>Refused by the provider: sandbox, policy, authentication, quota, unverified sender domain.
    /// Next transport at once.</summary>
    Refused = 4,
    /// <summary>The provider says slower. Obeyed by the limiter, never counted against the message.</summary>
    Throttled = 5,
    /// <summary>Surely not taken: connect, TLS, DNS, half-written request, the vendor's documented server error.</summary>
    Unreachable = 6,
    /// <summary>May have been accepted. No failover while it lasts.</summary>
    Unknown = 7,
}

/// <summary>How far an outcome reaches: what else is concerned beside this recipient.</summary>
public enum OutcomeScope : byte { Recipient = 0, Message = 1, SenderDomain = 2, Transport = 3 }

/// <summary>What the remote said, in SMTP's terms; HTTP providers translate into it.</summary>
/// <param name="Code">SMTP reply code or HTTP status; 0 when nothing was read.</param>
/// <param name="Enhanced">RFC 3463 <c>x.y.z</c>, or null.</param>
/// <param name="Text">The remote's words, single line, at most 1,000 characters; untrusted.</param>
/// <param name="Command">The step it answered (<c>RCPT</c>, <c>DATA</c>, <c>POST</c>), or null.</param>
public readonly record struct Reply(int Code, string? Enhanced, string Text, string? Command = null);

/// <summary>The result of one attempt for one recipient.</summary>
/// <param name="RetryAfter">What the remote asked for, not yet capped; null when it named no time.</param>
/// <param name="ProviderId">The id under which the provider knows it; only with <see cref="OutcomeKind.Accepted"/>.</param>
public sealed record Outcome(OutcomeKind Kind, OutcomeScope Scope, Reply Reply, TimeSpan? RetryAfter = null, string? ProviderId = null)
{
    /// <summary>True unless the attempt may have been accepted: only then may another transport be tried.</summary>
    public bool KnownUnsent => Kind is not (OutcomeKind.Accepted or OutcomeKind.Unknown);
}

/// <summary>How a reply reads to people.</summary>
public static class ReplyWords
{
    extension(Reply reply)
    {
        /// <summary>Code, enhanced code and text as far as there are any: "450 4.2.0 greylisted".</summary>
        public string Words => string.Join(' ', Parts(reply));
    }

    static IEnumerable<string> Parts(Reply reply)
    {
        if (reply.Code != 0)
            yield return reply.Code.ToString(CultureInfo.InvariantCulture);
        if (reply.Enhanced is { } enhanced)
            yield return enhanced;
        if (reply.Text.Length > 0)
            yield return reply.Text;
    }
}
