using Postrider.Messages;

namespace Postrider.Suppression;

/// <summary>Why an address is on the suppression list. The numbers are stored.</summary>
public enum SuppressionCause : byte
{
    /// <summary>Its own server, or the provider, said that it is bad for good.</summary>
    Bounced = 0,
    /// <summary>Its owner called our mail spam.</summary>
    Complained = 1,
    /// <summary>Its owner asked for no more mail of the stream.</summary>
    Unsubscribed = 2,
    /// <summary>Put there by a person or a program of the tenant's.</summary>
    Manual = 3,
}

/// <summary>An address that a tenant's mail does not go to: for one stream, or for all.</summary>
/// <param name="Email">Null where the address was erased: it is still not mailed.</param>
/// <param name="Stream">Null: all of them.</param>
/// <param name="Reason">Plain words: what the server said, or what the tenant wrote.</param>
/// <param name="Message">The message that led to it; null when none did.</param>
/// <param name="Until">From then on it is mailed again; null: for good.</param>
public sealed record SuppressedAddress(
    string? Email, MailStream? Stream, SuppressionCause Cause, string Reason, MessageId? Message, DateTimeOffset At, DateTimeOffset? Until);

/// <summary>A page of the list, newest first.</summary>
/// <param name="Next">Where the next page begins; null: this is the last.</param>
public sealed record SuppressionPage(IReadOnlyList<SuppressedAddress> Items, SuppressionPlace? Next);

/// <summary>A place in the list, between two of its rows.</summary>
/// <param name="Hash">Of the last address of the page before, in hexadecimal digits.</param>
/// <param name="Stream">Its stream's number; -1 for all.</param>
public readonly record struct SuppressionPlace(long AtMs, string Hash, int Stream);
