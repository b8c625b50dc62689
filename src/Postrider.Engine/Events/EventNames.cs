using System.Collections.Frozen;
using Postrider.Messages;

namespace Postrider.Events;

/// <summary>What events are called outside. <c>docs/events.md</c> lists them; a name never changes its meaning.</summary>
public static class EventNames
{
    public const string Accepted = "email.accepted";
    public const string Sent = "email.sent";
    public const string Deferred = "email.deferred";
    public const string Attempted = "email.attempted";
    public const string Unknown = "email.unknown";
    public const string Bounced = "email.bounced";
    public const string Failed = "email.failed";
    public const string Expired = "email.expired";

    /// <summary>Sent to one endpoint when somebody asks for it; never in the log.</summary>
    public const string WebhookTest = "webhook.test";
    public const string WebhookDisabled = "webhook.disabled";

    static readonly FrozenDictionary<MailEventType, string> OfType = new Dictionary<MailEventType, string>
    {
        [MailEventType.Accepted] = Accepted,
        [MailEventType.Cancelled] = "email.cancelled",
        [MailEventType.SentAgain] = "email.retried",
        [MailEventType.Rescheduled] = "email.rescheduled",
        [MailEventType.Held] = "email.held",
        [MailEventType.Expired] = Expired,
        [MailEventType.Suppressed] = "email.suppressed",
        [MailEventType.Swept] = "email.swept",
        [MailEventType.Settled] = "email.settled",
        [MailEventType.Ambiguous] = "email.ambiguous",
        [MailEventType.Failed] = Failed,
        [MailEventType.Delivered] = "email.delivered",
        [MailEventType.Bounced] = Bounced,
        [MailEventType.Complained] = "email.complained",
        [MailEventType.Opened] = "email.opened",
        [MailEventType.Clicked] = "email.clicked",
        [MailEventType.Unsubscribed] = "email.unsubscribed",
        [MailEventType.Resubscribed] = "email.resubscribed",
        [MailEventType.Deferred] = Deferred,
        [MailEventType.Confirmed] = "email.confirmed",
        [MailEventType.Rejected] = "email.rejected",
        [MailEventType.Reported] = "email.reported",
        [MailEventType.Discarded] = "email.discarded",
        [MailEventType.TrackingSkipped] = "tracking.skipped",
        [MailEventType.WebhookDisabled] = WebhookDisabled,
        [MailEventType.WebhookMissedEvents] = "webhook.missed_events",
        [MailEventType.ScheduleMissed] = "schedule.missed",
        [MailEventType.ScheduleSkipped] = "schedule.skipped",
        [MailEventType.ScheduleFailed] = "schedule.failed",
    }.ToFrozenDictionary();

    public static readonly IReadOnlyList<string> All =
        [.. OfType.Values.Concat([Sent, Attempted, Unknown, WebhookTest]).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Of anything but an attempt. A type that is newer than this program has its number.</summary>
    public static string Of(MailEventType type) => OfType.TryGetValue(type, out var name)
        ? name : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"email.type_{(int)type}");

    /// <summary>What an attempt is called for a recipient: by where it ended, or by what was said where it goes on.</summary>
    public static string OfOutcome(in AttemptOutcome outcome) => (outcome.Ended, outcome.Outcome.Kind) switch
    {
        (RecipientState.Sent or RecipientState.Delivered, _) or (null, OutcomeKind.Accepted) => Sent,
        (RecipientState.Bounced, _) => Bounced,
        (RecipientState.Failed, _) => Failed,
        (RecipientState.Expired, _) => Expired,
        (_, OutcomeKind.Unknown) => Unknown,
        (_, OutcomeKind.Deferred) => Deferred,
        _ => Attempted,
    };

    /// <summary>A name that exists, or the first part of some with <c>.*</c>.</summary>
    public static bool IsPattern(string text) => All.Contains(text, StringComparer.Ordinal)
        || (text.EndsWith(".*", StringComparison.Ordinal) && All.Any(name => name.StartsWith(text[..^1], StringComparison.Ordinal)));
}
