using System.Text.Json.Serialization;
using Postrider.Messages;
using Postrider.Suppression;

namespace Postrider.Api;

// The shapes of the API's answers: promises to callers, written as docs and OpenAPI show them. A change here is a change of the interface.

/// <summary>Answer to <c>POST /emails</c>.</summary>
sealed record SendAnswer(string Id, string Status, string? BatchId, IReadOnlyList<SentRecipientAnswer> Recipients);

/// <summary>A recipient as accepted.</summary>
sealed record SentRecipientAnswer(string Email, RecipientKind Kind, RecipientState Status);

/// <summary>Answer to <c>POST /emails/send</c>.</summary>
/// <param name="Emails">Left out above 1,000 messages: the batch lists them.</param>
sealed record DestinationsAnswer(
    string BatchId, int Count,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<DestinationAnswer>? Emails);

/// <summary>Answer to <c>POST /emails/batch</c>.</summary>
/// <param name="BatchId">Null when every message was refused.</param>
sealed record BatchAnswer(string? BatchId, IReadOnlyList<BatchItemAnswer> Data);

/// <summary>One message of a batch: its id, or why it was refused.</summary>
sealed record BatchItemAnswer(string? Id, ProblemShape? Error);

/// <summary>One destination's message.</summary>
sealed record DestinationAnswer(string Id, string Email);

/// <summary>Answer to <c>GET /emails/{id}</c>, and an element of lists (there without bodies and attempts).</summary>
public sealed record EmailAnswer
{
    public required string Id { get; init; }
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "email";
    public required string? BatchId { get; init; }
    public required string? ScheduleId { get; init; }
    public required string From { get; init; }
    public required IReadOnlyList<string> To { get; init; }
    public required IReadOnlyList<string> Cc { get; init; }
    public required IReadOnlyList<string> Bcc { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? ReplyTo { get; init; }
    public required string Subject { get; init; }
    public string? Text { get; init; }
    public string? Html { get; init; }
    public required MailStream Stream { get; init; }
    public required string Route { get; init; }

    /// <summary><c>incomplete</c>, <c>complete</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }
    public required string? StatusReason { get; init; }

    /// <summary>The most that any recipient took.</summary>
    public required int Tries { get; init; }

    /// <summary>The newest of what happened, in Resend's words.</summary>
    public required string LastEvent { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public required DateTimeOffset? SendAt { get; init; }

    /// <summary>Resend's word for <see cref="SendAt"/>.</summary>
    public DateTimeOffset? ScheduledAt => SendAt;
    public required DateTimeOffset ExpiresAt { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }
    public required IReadOnlyList<RecipientAnswer> Recipients { get; init; }

    /// <summary>Left out while there is nothing to tell.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EmailTrackingAnswer? Tracking { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<AttemptAnswer>? Attempts { get; init; }

    /// <summary>What happened beside the attempts, oldest first.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<EventAnswer>? Events { get; init; }
}

/// <summary>A recipient with its own state.</summary>
public sealed record RecipientAnswer
{
    public required string Email { get; init; }
    public required string? Name { get; init; }
    public required RecipientKind Kind { get; init; }
    public required RecipientState Status { get; init; }

    /// <summary>The code of the last reply: SMTP's or HTTP's.</summary>
    public required int? StatusCode { get; init; }
    public required string? EnhancedCode { get; init; }
    public required string? StatusReason { get; init; }

    /// <summary>Why it waits; null when it does not.</summary>
    public required string? WaitingFor { get; init; }

    /// <summary>The attempt that the asked node has begun for it; null when there is none, or another node has it.</summary>
    public required UnderWayAnswer? UnderWay { get; init; }
    public required string? Transport { get; init; }
    public required string? ProviderId { get; init; }
    public required int Tries { get; init; }
    public required DateTimeOffset? LastAttemptAt { get; init; }
    public required DateTimeOffset? NextAttemptAt { get; init; }
    public required string? Worker { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>An attempt without an outcome yet.</summary>
public sealed record UnderWayAnswer(string Transport, DateTimeOffset Since);

/// <summary>What one attempt came to for recipients that fared alike.</summary>
/// <param name="Outcome">Null when nothing was attempted.</param>
public sealed record AttemptAnswer(
    DateTimeOffset At, string Transport, IReadOnlyList<string> Recipients, OutcomeKind Outcome, int? Code, string? EnhancedCode,
    string Text, long DurationMs, string? Worker)
{
    /// <summary>What else there is to say, for people.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Remark { get; init; }

    /// <summary>Transports of the route that were asked before this one, and why they did not get it; absent where it was the
    /// first.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<PassedOverAnswer>? PassedOver { get; init; }
}

/// <summary>A transport that did not get a mail.</summary>
public sealed record PassedOverAnswer(string Transport, PassReason Reason);

/// <summary>What was learned of a message after it arrived, by whoever told: what people did apart from what machines did.</summary>
/// <param name="Opens">By people. Repetitions within 10 seconds are one.</param>
/// <param name="UniqueOpens">Recipients who opened it.</param>
/// <param name="UniqueClicks">Recipients who followed a link.</param>
/// <param name="FirstOpenedAt">By a person; null: none has yet.</param>
public sealed record EmailTrackingAnswer(
    long Opens, long UniqueOpens, long Clicks, long UniqueClicks, long MachineOpens, long UniqueMachineOpens, long MachineClicks,
    long UniqueMachineClicks, DateTimeOffset? FirstOpenedAt, DateTimeOffset? FirstClickedAt);

/// <summary>The same of many messages.</summary>
/// <param name="Opens">By people. Repetitions within 10 seconds are one.</param>
/// <param name="UniqueOpens">Messages that people opened.</param>
/// <param name="UniqueClicks">Messages in which people followed a link.</param>
sealed record TrackingAnswer(
    long Opens, long UniqueOpens, long Clicks, long UniqueClicks, long MachineOpens, long UniqueMachineOpens, long MachineClicks,
    long UniqueMachineClicks);

/// <summary>A fact of the timeline that is no attempt.</summary>
/// <param name="Recipients">Empty: all of the message, or it is not told which.</param>
public sealed record EventAnswer(DateTimeOffset At, string Type, IReadOnlyList<string> Recipients, string? Remark, string? Worker)
{
    // Of what was reported to us; left out of all other events, and where the reporter does not tell.

    /// <summary>The transport whose provider reported it, or <c>dsn</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Source { get; init; }

    /// <summary>The reporter's own word for it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SourceType { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Code { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? EnhancedCode { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }

    /// <summary><c>hard</c>, <c>soft</c> or <c>blocked</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Bounce { get; init; }

    /// <summary>The provider's own list that the address is on.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SuppressedBy { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Url { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? UserAgent { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Ip { get; init; }

    /// <summary>Opened by a machine, not by a person.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Machine { get; init; }
}

/// <summary>Answer to <c>GET /emails</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record EmailListAnswer(IReadOnlyList<EmailAnswer> Data, bool HasMore, string? Next)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>Answer to calls that change one message.</summary>
/// <param name="Count">Recipients concerned; left out where there is nothing to count.</param>
/// <param name="Reason">Why nothing was changed; left out where something was.</param>
sealed record EmailRefAnswer(
    string Id, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? Count,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason = null)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "email";
}

/// <summary>Answer to <c>GET /batches/{id}</c>.</summary>
/// <param name="State">How far it has come: <c>filling</c>, <c>expanding</c>, <c>expanded</c>, <c>cancelling</c> or
/// <c>cancelled</c>.</param>
/// <param name="Tracking">Opens and clicks, with <c>tracking=true</c>; null: more than 100,000 messages, of which the events
/// tell.</param>
sealed record BatchStatusAnswer(
    string Id, string Status, string State, bool Paused, int Count, CountsAnswer Counts, BatchProgressAnswer Progress,
    TrackingAnswer? Tracking, DateTimeOffset CreatedAt, DateTimeOffset? StartAt, string? WaitingFor,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<EmailAnswer>? Emails,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Next);

/// <summary>How many of a batch's destinations are messages.</summary>
/// <param name="Total">Destinations.</param>
/// <param name="Expanded">Those that are messages.</param>
/// <param name="Failed">Those of which no message could be made; <c>/errors</c> says why.</param>
/// <param name="Refused">Lines that were no destinations; not in <paramref name="Total"/>.</param>
sealed record BatchProgressAnswer(int Total, int Expanded, int Failed, int Refused);

/// <summary>Answer to <c>GET /batches</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record BatchListAnswer(IReadOnlyList<BatchSummaryAnswer> Data, bool HasMore, string? Next);

/// <summary>A batch in a list.</summary>
sealed record BatchSummaryAnswer(
    string Id, string State, bool Paused, int Count, BatchProgressAnswer Progress, string From, string Subject, DateTimeOffset CreatedAt);

/// <summary>Answer to <c>POST /batches</c>, and to calls that begin, pause or resume one.</summary>
sealed record BatchRefAnswer(string Id, string State, bool Paused, int Count);

/// <summary>Answer to calls that add destinations or recipients.</summary>
/// <param name="Lines">Read so far, header and blank ones included.</param>
/// <param name="Count">In the batch or list now.</param>
/// <param name="Errors">The first 100.</param>
sealed record UploadAnswer(
    string Id, long Lines, int Accepted, int Refused, int Count, IReadOnlyList<DestinationErrorAnswer> Errors);

/// <summary>Why a destination was refused or failed.</summary>
/// <param name="Line">Of the body it came with, or its number.</param>
sealed record DestinationErrorAnswer(long Line, string? Email, string Slug, string Detail);

/// <summary>Answer to <c>GET /batches/{id}/errors</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record DestinationErrorListAnswer(IReadOnlyList<DestinationErrorAnswer> Data, bool HasMore, string? Next);

/// <summary>An address that gets no mail.</summary>
/// <param name="Email">Null where it was erased.</param>
/// <param name="Stream">Null: all mail.</param>
/// <param name="MessageId">The message that led to it.</param>
/// <param name="ExpiresAt">Null: for good.</param>
sealed record SuppressionAnswer(
    string? Email, MailStream? Stream, SuppressionCause Cause, string Reason, string? MessageId, DateTimeOffset CreatedAt,
    DateTimeOffset? ExpiresAt);

/// <summary>Answer to <c>GET /suppressions</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record SuppressionListAnswer(IReadOnlyList<SuppressionAnswer> Data, bool HasMore, string? Next);

/// <summary>Answer to calls about one list.</summary>
sealed record ListAnswer(string Id, string Name, int Count, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt);

/// <summary>Answer to <c>GET /lists</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record ListListAnswer(IReadOnlyList<ListAnswer> Data, bool HasMore, string? Next);

/// <summary>Answer to <c>GET /lists/{id}/recipients</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record ListRecipientsAnswer(IReadOnlyList<ListRecipientAnswer> Data, bool HasMore, string? Next);

/// <summary>A recipient of a list.</summary>
sealed record ListRecipientAnswer(string Email, string? Name, System.Text.Json.JsonElement? Data);

/// <summary>Answer to calls that change a batch.</summary>
/// <param name="Emails">Messages that something changed in.</param>
/// <param name="Recipients">Recipients concerned.</param>
/// <param name="Reason">Why nothing was changed; left out where something was.</param>
sealed record BatchChangeAnswer(
    string Id, int Emails, int Recipients, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason = null);

/// <summary>Recipients by state.</summary>
sealed record CountsAnswer(
    long Scheduled, long Queued, long Leased, long Unknown, long Held, long Sent, long Delivered, long Bounced, long Failed, long Expired,
    long Suppressed, long Cancelled);

/// <summary>Answer to <c>GET /stats</c>: open states as they are now, the others since the beginning.</summary>
sealed record StatsAnswer(
    long Accepted, long Scheduled, long Queued, long Leased, long Unknown, long Held, long Sent, long Delivered, long Bounced, long Failed,
    long Expired, long Suppressed, long Cancelled);

/// <summary>Answer to <c>POST /tokens</c>.</summary>
sealed record TokenAnswer(string Token, DateTimeOffset ExpiresAt, IReadOnlyList<string> Scopes)
{
    public string TokenType { get; } = "Bearer";
}

/// <summary>Answer to <c>GET /tokens</c>.</summary>
sealed record TokenStatusAnswer(bool Valid, DateTimeOffset? ExpiresAt, string? Tenant, IReadOnlyList<string> Scopes, string? Reason);

/// <summary>Answer to <c>POST /keys</c>; the secret is shown here and never again.</summary>
/// <param name="Key">For bearer keys.</param>
/// <param name="AccessKeyId">For SigV4 keys, with <paramref name="Secret"/>.</param>
sealed record NewKeyAnswer(
    string Id, string Name,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? AccessKeyId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Secret,
    IReadOnlyList<string> Scopes, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

/// <summary>Answer to <c>GET /keys</c>.</summary>
sealed record KeyListAnswer(IReadOnlyList<KeyAnswer> Data);

/// <summary>A key without its secret.</summary>
sealed record KeyAnswer(
    string Id, string Name, string Kind, IReadOnlyList<string> Scopes, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? RevokedAt, DateTimeOffset? LastUsedAt);

/// <summary>Answer to <c>GET /healthz</c> and <c>GET /readyz</c>.</summary>
/// <param name="Reason">Null when all is well.</param>
sealed record HealthAnswer(string Status, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason)
{
    /// <summary><c>no-transport</c>: no transport is set up, so all mail is refused until one is. Left out: there is one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Notice { get; init; }
}

/// <summary>Answer to <c>GET /</c>: addresses to read on.</summary>
sealed record StartAnswer(string Name, string Openapi, string Ready, string Problems);

/// <summary>Answer to <c>GET /problems</c>.</summary>
sealed record ProblemListAnswer(IReadOnlyList<ProblemKindAnswer> Data);

/// <summary>A kind of refusal.</summary>
sealed record ProblemKindAnswer(string Type, int Status, string Title, string Explanation);
