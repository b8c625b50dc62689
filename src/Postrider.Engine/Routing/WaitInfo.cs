using System.Globalization;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>Why a transport, or a route, gives no permit now.</summary>
public enum WaitCause : byte
{
    /// <summary>It would give one.</summary>
    None = 0,
    /// <summary>An operator paused the transport.</summary>
    Paused = 1,
    /// <summary>An attempt has been unanswered for too long and nothing completed since it began.</summary>
    Stalled = 2,
    /// <summary>It failed too often; tried again with one probe after the break.</summary>
    CircuitOpen = 3,
    /// <summary>The probe that decides whether the circuit closes is under way.</summary>
    Probing = 4,
    /// <summary>The provider refuses this sender's domain.</summary>
    SenderDomainRefused = 5,
    /// <summary>Our own rate limit.</summary>
    RateLimited = 6,
    /// <summary>The provider asked us to wait.</summary>
    Throttled = 7,
    /// <summary>All slots are taken, or those left are kept for transactional mail.</summary>
    Busy = 8,
    /// <summary>It cannot carry this envelope, or has refused it or failed on it.</summary>
    NotEligible = 9,
    /// <summary>A limit for the domain of one of its recipients.</summary>
    DomainLimited = 10,
    /// <summary>One attempt is under way, and others wait until it is seen that the transport answers.</summary>
    Unproven = 11,
    /// <summary>Its quota is used up.</summary>
    QuotaSpent = 12,
    /// <summary>It is set up in a way in which it cannot be used on this node.</summary>
    Unusable = 13,
}

/// <summary>Why there is no permit now, and when that may change.</summary>
/// <param name="Transport">The one that would have been asked; null when the route has none for it.</param>
/// <param name="Until">The earliest instant (wall clock) at which it may change by itself; null when only an event changes it
/// (<see cref="Routing.Transport.CapacityCame"/>).</param>
/// <param name="Remaining">The same as a span from now: what a timer is set to.</param>
public readonly record struct WaitInfo(WaitCause Cause, string? Transport, DateTimeOffset? Until, TimeSpan? Remaining)
{
    /// <summary>As stored with what waits.</summary>
    public WaitReason Reason => Cause switch
    {
        WaitCause.None => WaitReason.None,
        WaitCause.Paused => WaitReason.Paused,
        WaitCause.RateLimited or WaitCause.Throttled or WaitCause.DomainLimited or WaitCause.QuotaSpent => WaitReason.TransportThrottled,
        WaitCause.Busy or WaitCause.Unproven => WaitReason.TransportBusy,
        WaitCause.Stalled or WaitCause.CircuitOpen or WaitCause.Probing or WaitCause.SenderDomainRefused or WaitCause.NotEligible
            or WaitCause.Unusable => WaitReason.TransportsUnavailable,
    };

    /// <summary>As shown in <c>waiting_for</c>; empty when nothing is waited for.</summary>
    public string Describe()
    {
        var transport = Transport ?? "a transport";
        var words = Cause switch
        {
            WaitCause.None => "",
            WaitCause.Paused => $"{transport} is paused",
            WaitCause.Unusable => $"{transport} cannot be used as it is set up",
            WaitCause.Stalled => $"{transport} does not answer",
            WaitCause.CircuitOpen => $"{transport} failed too often",
            WaitCause.Probing => $"{transport} failed too often and is being probed",
            WaitCause.SenderDomainRefused => $"{transport} refuses the sender's domain",
            WaitCause.RateLimited => $"the rate limit of {transport}",
            WaitCause.Throttled => $"{transport} asked us to wait",
            WaitCause.Busy => $"a free slot of {transport}",
            WaitCause.Unproven => $"an answer of {transport}: until then it gets one message at a time",
            WaitCause.NotEligible => "a transport that can carry it",
            WaitCause.QuotaSpent => $"the quota of {transport}, which is used up",
            WaitCause.DomainLimited => $"the limit of {transport} for the recipient's domain",
        };
        return Until is { } until && Cause is not (WaitCause.Busy or WaitCause.Unproven)
            ? string.Create(CultureInfo.InvariantCulture, $"{words} (until {until.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ})")
            : words;
    }
}

/// <summary>What one envelope asks of a transport.</summary>
public readonly record struct EnvelopeNeeds
{
    /// <summary>Which transports it must not go to; null: none.</summary>
    public TransportHistory? History { get; init; }

    /// <summary>Of the From address, lower-case A-labels; null: not looked at.</summary>
    public string? SenderDomain { get; init; }

    /// <summary>The domain of each recipient, lower-case A-labels, where <see cref="Route.HasDomainLimits"/>;
    /// null: not looked at.</summary>
    public IReadOnlyList<string>? RecipientDomains { get; init; }

    /// <summary>Estimate of the message's size.</summary>
    public long Bytes { get; init; }

    /// <summary>An address needs RFC 6531.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>Whether a transport may ever be asked: history, whom it was set up for and what it can carry, not how it is
    /// doing.</summary>
    public bool Allow(Transport transport) => WhyNever(transport) is null;

    /// <summary>Why a transport may not be asked at all; null: it may.</summary>
    public PassReason? WhyNever(Transport transport)
    {
        if (History?.Excludes(transport.Name, transport.Options.Place) == true)
            return History.PinnedTo is not null ? PassReason.InDoubtElsewhere
                : History.RefusedBy.Contains(transport.Name) ? PassReason.RefusedBefore : PassReason.FailedBefore;
        if (SenderDomain is not null && transport.Options.Senders?.Include(SenderDomain) == false)
            return PassReason.OtherSenders;
        if (transport.Capabilities.MaxMessageBytes is { } most && Bytes > most)
            return PassReason.TooLarge;
        return SmtpUtf8 && !transport.Capabilities.SmtpUtf8 ? PassReason.NoSmtpUtf8 : null;
    }
}
