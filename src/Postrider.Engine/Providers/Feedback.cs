using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>What a vendor reports of a message that it took.</summary>
public enum FeedbackKind : byte
{
    /// <summary>A kind that we do not know; kept as it came.</summary>
    Other,
    /// <summary>The vendor has it: resolves what may have been accepted.</summary>
    Accepted,
    Delivered,
    Deferred,
    /// <summary>The address is bad for good.</summary>
    BouncedHard,
    /// <summary>The vendor gave up; the address may be fine.</summary>
    BouncedSoft,
    /// <summary>Refused by policy or as spam; the address may be fine.</summary>
    Blocked,
    Complained,
    Opened,
    Clicked,
    Unsubscribed,
    Resubscribed,
    /// <summary>The vendor took it and then did not send it: suppressed there, a virus, over quota.</summary>
    Rejected,
}

/// <summary>One thing that a vendor reported, for one address.</summary>
public sealed record FeedbackEvent
{
    public required FeedbackKind Kind { get; init; }

    /// <summary>The vendor's own word for it.</summary>
    public required string Type { get; init; }

    /// <summary>Tells repetitions: the same for every delivery of this event, of no other at this vendor.</summary>
    public required string Key { get; init; }

    /// <summary>Our id as it came back (<see cref="Providers.CarriedId"/> reads it); null when it did not.</summary>
    public string? CarriedId { get; init; }

    /// <summary>The vendor does not return our id with everything. Where it always does, what comes without is of mail that somebody else
    /// sent by the same account, and is not looked for again.</summary>
    public bool MayLackId { get; init; }

    /// <summary>The vendor's id of the message, in the form that <see cref="Outcome.ProviderId"/> has.</summary>
    public string? ProviderId { get; init; }

    /// <summary>Null when the vendor does not say who of the recipients it was.</summary>
    public string? Address { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>What the recipient's server said; null when the vendor does not tell.</summary>
    public Reply? Reply { get; init; }

    /// <summary>That the address is on the vendor's own list of those it does not mail, as the vendor puts it; null when that is not the
    /// reason.</summary>
    public string? Suppressed { get; init; }

    /// <summary>Clicked.</summary>
    public string? Url { get; init; }
    public string? UserAgent { get; init; }
    public string? Ip { get; init; }

    /// <summary>Opened by a machine, not by a person.</summary>
    public bool IsMachine { get; init; }
}

/// <summary>What a callback turned out to be, once verified.</summary>
public abstract record FeedbackReading
{
    FeedbackReading() { }

    /// <summary>Genuine. The list may be empty.</summary>
    public sealed record Events(IReadOnlyList<FeedbackEvent> Items) : FeedbackReading
    {
        /// <summary>Entries that could not be read; the others are good.</summary>
        public int Unreadable { get; init; }

        /// <summary>Of a callback with one entry; null when it could not be read.</summary>
        public static Events Of(FeedbackEvent? only) => only is null ? new([]) { Unreadable = 1 } : new([only]);
    }

    /// <summary>Genuine, and asks to be confirmed by a GET of this address, which is the vendor's own. Nothing is to be followed from
    /// there.</summary>
    public sealed record Confirmation(Uri Url) : FeedbackReading;

    /// <summary>Not genuine, or not to be read now.</summary>
    /// <param name="Status">What to answer: vendors stop or repeat by it.</param>
    public sealed record Refused(int Status, string Why) : FeedbackReading;
}

/// <summary>Reads the callbacks of one vendor: verifies the raw bytes, then parses them.</summary>
public interface IFeedbackReader
{
    /// <summary>The scheme of the vendor's transports.</summary>
    string Vendor { get; }

    /// <param name="settings">Of the transport that the callback is for: keys, allowed topics.</param>
    ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now, CancellationToken ct);
}
