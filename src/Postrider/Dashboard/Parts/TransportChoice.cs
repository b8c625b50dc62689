using Postrider.Api;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>Why an attempt was made at this transport and no other, in words.</summary>
static class TransportChoice
{
    /// <summary>A sentence for each that was passed over; where none was, the one that says so.</summary>
    public static IEnumerable<string> Explain(AttemptAnswer attempt, string route) => attempt.PassedOver is { Count: > 0 } passed
        ? passed.Select(one => $"{one.Transport} was passed over: {Words(one.Reason)}.")
        : [$"It was the first in turn of the route {route}."];

    static string Words(PassReason reason) => reason switch
    {
        PassReason.Paused => "it was paused",
        PassReason.Stalled => "it did not answer",
        PassReason.CircuitOpen => "its circuit was open after failures",
        PassReason.Probing => "one other mail was trying whether it works again",
        PassReason.SenderDomainRefused => "it refuses the sender's domain",
        PassReason.RateLimited => "our rate limit for it was used up",
        PassReason.Throttled => "it had asked us to wait",
        PassReason.Busy => "it had no free slot",
        PassReason.NotEligible => "it had been removed",
        PassReason.DomainLimited => "its limit for the recipient's domain was used up",
        PassReason.Unproven => "it had not answered yet, and gets one mail at a time until then",
        PassReason.QuotaSpent => "its quota was used up",
        PassReason.Unusable => "it cannot be used as it is set up",
        PassReason.RefusedBefore => "it had refused this mail, or could not carry it",
        PassReason.FailedBefore => "it had failed on this mail just before",
        PassReason.InDoubtElsewhere => "the other may have it already, and alone can tell a repetition",
        PassReason.OtherSenders => "it is set up for other senders",
        PassReason.TooLarge => "the mail is too large for it",
        PassReason.NoSmtpUtf8 => "it does not take addresses with letters beyond ASCII",
    };
}
