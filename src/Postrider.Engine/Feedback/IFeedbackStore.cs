using System.Globalization;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Feedback;

/// <summary>Keeps what was reported to us. Each call is committed, on disk, when its task completes.</summary>
public interface IFeedbackStore
{
    /// <summary>One transaction for all of them: the recipient's state by <see cref="FeedbackPrecedence"/>, the event on the timeline, the
    /// counters. What came before is told by its key, also after a restart.</summary>
    /// <remarks>Pass at most a hundred or so: mail waits meanwhile.</remarks>
    Task<IReadOnlyList<FeedbackResult>> ApplyAsync(IReadOnlyList<FeedbackReport> reports, DateTimeOffset now, CancellationToken ct);

    /// <summary>Keeps reports that are not to be believed. The oldest go when there are too many.</summary>
    Task QuarantineAsync(IReadOnlyList<FeedbackReport> reports, QuarantineReason reason, DateTimeOffset now, CancellationToken ct);

    /// <summary>The message that a transport's provider knows by this id and that went to this address; null when there is none.</summary>
    /// <param name="owner">The tenant whose own transport it is, of whose mail it is; null: of anybody's.</param>
    /// <remarks>Nothing is indexed for it: the address and the time lead to a few messages, whose attempts are looked at.</remarks>
    Task<MessageId?> FindAsync(
        TenantId? owner, string transport, string providerId, string address, DateTimeOffset at, CancellationToken ct);

    /// <summary>Reports that came too early and are to be looked at again now.</summary>
    Task<IReadOnlyList<FeedbackReport>> WaitingAsync(DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>Envelopes of which it is not known whether they were accepted, and whose waiting for evidence ends before
    /// <paramref name="dueBefore"/>; those that end first come first.</summary>
    Task<IReadOnlyList<DoubtfulEnvelope>> DoubtfulAsync(DateTimeOffset dueBefore, int limit, CancellationToken ct);

    /// <summary>Newest first.</summary>
    /// <param name="before">Only older ones; null: from the newest.</param>
    Task<QuarantinePage> ListQuarantineAsync(long? before, int limit, CancellationToken ct);
}

/// <summary>Something that was reported, and of what as far as that is known.</summary>
public sealed record FeedbackReport
{
    /// <summary>In place of a vendor: what our own addresses in a mail were asked for. Their tokens are ours, so nothing of it is
    /// quarantined.</summary>
    public const string Tracking = "tracking";

    public required FeedbackEvent Event { get; init; }

    /// <summary>Whose word the event's key is: the scheme of the transport, or <c>dsn</c>.</summary>
    public required string Vendor { get; init; }

    /// <summary>The key of the transport whose callback it is (<see cref="TransportSettings.Key"/>); null for a report that came by
    /// mail.</summary>
    public required string? Transport { get; init; }

    /// <summary>Its name, as attempts have it.</summary>
    public string? TransportName => Transport?[(Transport.IndexOf('/', StringComparison.Ordinal) + 1)..];

    /// <summary>The tenant whose own transport it is: it has no say about anybody else's mail. Null: the installation's.</summary>
    public TenantId? Owner => Transport?.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash
        && int.TryParse(Transport.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture, out var tenant)
            ? new TenantId(tenant) : null;

    /// <summary>Null when it is not known.</summary>
    public MessageId? Message { get; init; }

    /// <summary>The recipient by number; null: by the event's address, or the only one.</summary>
    public int? N { get; init; }

    /// <summary>That what its provider calls it belongs to another message was looked into.</summary>
    public bool IsLookedUp { get; init; }

    /// <summary>Where it waits; null for one that has just come.</summary>
    public long? WaitingId { get; init; }
}

/// <summary>An envelope in doubt, and the transport of its last attempt.</summary>
public sealed record DoubtfulEnvelope(TenantId Tenant, string Transport, DoubtfulMessage Message, DateTimeOffset DueAt);

/// <summary>What became of a report.</summary>
public enum FeedbackResult : byte
{
    /// <summary>The recipient moved.</summary>
    Moved,
    /// <summary>It is on the timeline.</summary>
    Noted,
    /// <summary>It came before.</summary>
    Duplicate,
    /// <summary>Genuine, and says nothing new.</summary>
    Ignored,
    /// <summary>An attempt is under way, or the message cannot be found yet.</summary>
    Waits,
    Quarantined,
    /// <summary>Nothing was done: what its provider calls it is not what this message is called there. Look whose it is
    /// (<see cref="IFeedbackStore.FindAsync"/>), and bring it again as <see cref="FeedbackReport.IsLookedUp"/>.</summary>
    Contradicts,
}

/// <summary>Why a report is not believed. The numbers are stored.</summary>
public enum QuarantineReason : byte
{
    /// <summary>No message of ours.</summary>
    Unmatched = 0,
    /// <summary>The message is ours, but was never tried at this transport.</summary>
    NotTriedThere = 1,
    /// <summary>A return path that we did not make.</summary>
    Forged = 2,
    /// <summary>A return path of ours whose time is up.</summary>
    TooLate = 3,
    /// <summary>It waited for its attempt to end or its message to be found, and too many others came meanwhile.</summary>
    Crowded = 4,
}

/// <summary>A report that nothing was done about.</summary>
public sealed record QuarantinedReport(long Id, QuarantineReason Reason, DateTimeOffset At, FeedbackReport Report);

/// <summary>A part of the quarantine, and how many were ever put there, for each reason.</summary>
/// <param name="Next">For <c>before</c>; null at the end.</param>
public sealed record QuarantinePage(
    IReadOnlyList<QuarantinedReport> Reports, long? Next, IReadOnlyDictionary<QuarantineReason, long> Counts);
