using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>How a recipient goes on. Recipients with equal steps share an envelope.</summary>
readonly record struct Step(RecipientState State, DateTimeOffset DueAt, WaitReason Reason, int Deferrals, int Rounds, HistoryChange Change)
{
    /// <summary>Of a day, in which a minute doubles to 4 hours, some dozen copies are left.</summary>
    static readonly TimeSpan LongestSettle = TimeSpan.FromHours(4);

    public static Step Untouched(QueuedEnvelope e, DateTimeOffset now) =>
        new(RecipientState.Queued, now, WaitReason.Released, e.Deferrals, e.Rounds, HistoryChange.None);

    /// <summary>The provider answered, so the round is over and every transport may be asked again.</summary>
    public static Step Defer(QueuedEnvelope e, DateTimeOffset due) =>
        new(RecipientState.Queued, due, WaitReason.Deferred, e.Deferrals + 1, 0, HistoryChange.Attempted | HistoryChange.RoundOver);

    public static Step NextTransport(QueuedEnvelope e, DateTimeOffset now, bool refused) =>
        new(RecipientState.Queued, now, WaitReason.NextTransport, e.Deferrals, e.Rounds,
            HistoryChange.Attempted | (refused ? HistoryChange.Refused : HistoryChange.Failed));

    public static Step NextRound(QueuedEnvelope e, DateTimeOffset now, double jitter, WaitReason reason, bool refused) =>
        new(RecipientState.Queued, now + FailurePolicy.BackOff(e.Rounds + 1, jitter), reason, e.Deferrals, e.Rounds + 1,
            HistoryChange.Attempted | HistoryChange.RoundOver | (refused ? HistoryChange.Refused : HistoryChange.None));

    public static Step WaitHere(QueuedEnvelope e, DateTimeOffset now, TimeSpan delay) =>
        new(RecipientState.Queued, now + delay, WaitReason.TransportThrottled, e.Deferrals, e.Rounds + 1, HistoryChange.Attempted);

    /// <summary>Asked again at once at the provider that can tell a repetition, and only there.</summary>
    public static Step Repeat(QueuedEnvelope e, DateTimeOffset now) =>
        new(RecipientState.Queued, now, WaitReason.Settling, e.Deferrals, e.Rounds, HistoryChange.Attempted | HistoryChange.Pinned);

    /// <summary>Goes nowhere until evidence comes or the time is over; what then, the store's settling says by the envelope's policy.
    /// If it is queued again, it is first offered to those that did not fail on it: a transport that is silent for ever must not keep it
    /// for ever. Where none is left, each wait is twice the one before: a relay that takes every mail and never says so would else send a
    /// copy a minute for a day.</summary>
    public static Step Settle(QueuedEnvelope e, DateTimeOffset now, RoutePatience route, string transport)
    {
        var others = route.Transports.Any(t =>
            t != transport && !e.History.RefusedBy.Contains(t) && !e.History.FailedThisRound.Contains(t));
        const HistoryChange change = HistoryChange.Attempted | HistoryChange.Unpinned;
        return others
            ? new(RecipientState.Unknown, now + route.Settle, WaitReason.Settling, e.Deferrals, e.Rounds, change | HistoryChange.Failed)
            : new(RecipientState.Unknown, now + Longer(route.Settle, e.Rounds), WaitReason.Settling, e.Deferrals, e.Rounds + 1,
                change | HistoryChange.RoundOver);
    }

    /// <summary>Twice as long for each round before, up to <see cref="LongestSettle"/>, and never less than it was.</summary>
    static TimeSpan Longer(TimeSpan settle, int rounds)
    {
        var doubled = settle * Math.Pow(2, Math.Min(rounds, 16));
        return doubled < LongestSettle ? doubled : settle > LongestSettle ? settle : LongestSettle;
    }

    /// <param name="place">Where the transport leads.</param>
    public TransportHistory Apply(TransportHistory history, string? transport, long place = 0)
    {
        if (Change == HistoryChange.None)
            return history;
        return history with
        {
            Last = transport ?? history.Last,
            RefusedBy = Has(HistoryChange.Refused) && transport is not null ? [.. history.RefusedBy, transport] : history.RefusedBy,
            FailedThisRound = Has(HistoryChange.RoundOver) ? []
                : Has(HistoryChange.Failed) && transport is not null ? [.. history.FailedThisRound, transport] : history.FailedThisRound,
            PinnedTo = Has(HistoryChange.Pinned) ? transport : Has(HistoryChange.Unpinned) ? null : history.PinnedTo,
            PinnedPlace = Has(HistoryChange.Pinned) ? place : Has(HistoryChange.Unpinned) ? 0 : history.PinnedPlace,
        };
    }

    bool Has(HistoryChange change) => (Change & change) != 0;
}

/// <summary>What a step changes in an envelope's history of transports.</summary>
[Flags]
enum HistoryChange : byte
{
    None = 0,
    Attempted = 1,
    /// <summary>This transport is not asked again until an operator sends the message again.</summary>
    Refused = 2,
    /// <summary>This transport is not asked again in this round.</summary>
    Failed = 4,
    /// <summary>Transports that failed may be asked again.</summary>
    RoundOver = 8,
    Pinned = 16,
    Unpinned = 32,
}
