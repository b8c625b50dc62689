using System.Globalization;
using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>What a message comes to, seen from its recipients: one word for people, and why.</summary>
/// <param name="Word"><c>incomplete</c> while any recipient is open; then <c>complete</c> if every one was sent or delivered, else
/// <c>failed</c>.</param>
/// <param name="Reason">Such as "1 of 3 bounced", "all 3 cancelled", or of a single one "expired"; null when all is well or nothing has happened yet.</param>
public readonly record struct MessageStatus(string Word, string? Reason)
{
    public static MessageStatus Of(IReadOnlyList<RecipientView> recipients)
    {
        var open = recipients.Count(r => r.State.IsOpen);
        var good = recipients.Count(r => r.State is RecipientState.Sent or RecipientState.Delivered);
        var word = open > 0 ? "incomplete" : good == recipients.Count ? "complete" : "failed";
        return new MessageStatus(word, Count(recipients));
    }

    /// <summary>What a batch comes to: <c>incomplete</c> while anything of it is open; then <c>complete</c>, however few were sent, for the
    /// counts tell how it ended; <c>failed</c> where not one was.</summary>
    public static string Of(StateCounts counts)
    {
        var open = counts.Scheduled + counts.Queued + counts.Leased + counts.Unknown + counts.Held;
        var bad = counts.Bounced + counts.Failed + counts.Expired + counts.Suppressed + counts.Cancelled;
        return open > 0 ? "incomplete" : counts.Sent + counts.Delivered > 0 || bad == 0 ? "complete" : "failed";
    }

    static string? Count(IReadOnlyList<RecipientView> recipients)
    {
        var parts = recipients
            .Where(r => r.State is not (RecipientState.Scheduled or RecipientState.Queued or RecipientState.Leased
                or RecipientState.Sent or RecipientState.Delivered))
            .GroupBy(r => r.State)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key)
            .Select(g => Words(g.Count(), recipients.Count, g.Key.ToString().ToLowerInvariant()))
            .ToList();
        return parts.Count == 0 ? null : string.Join(", ", parts);
    }

    static string Words(int count, int all, string state) =>
        all == 1 ? state : string.Create(CultureInfo.InvariantCulture, $"{(count == all ? "all" : $"{count} of")} {all} {state}");
}
