namespace Postrider.Messages;

/// <summary>A transport that was asked before the one that got a mail, and why it did not get it. Kept with the attempt, so that people can
/// be told why it went the way it went.</summary>
public readonly record struct PassedOver(string Transport, PassReason Reason);

/// <summary>Why a transport was passed over. The numbers are stored; those up to 31 are <see cref="Routing.WaitCause"/>'s.</summary>
public enum PassReason : byte
{
    Paused = 1,
    Stalled = 2,
    CircuitOpen = 3,
    Probing = 4,
    SenderDomainRefused = 5,
    RateLimited = 6,
    Throttled = 7,
    Busy = 8,
    /// <summary>It was removed, or another has its name.</summary>
    NotEligible = 9,
    DomainLimited = 10,
    Unproven = 11,
    QuotaSpent = 12,
    Unusable = 13,

    /// <summary>It refused this mail earlier, or could not carry it.</summary>
    RefusedBefore = 32,
    /// <summary>It failed on this mail earlier in this round.</summary>
    FailedBefore = 33,
    /// <summary>The other may have it already, and alone can tell a repetition.</summary>
    InDoubtElsewhere = 34,
    /// <summary>It is set up for other senders' domains.</summary>
    OtherSenders = 35,
    TooLarge = 36,
    /// <summary>An address needs RFC 6531, which it does not speak.</summary>
    NoSmtpUtf8 = 37,
}
