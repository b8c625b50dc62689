using System.Text.Json.Serialization;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Api;

// Shapes of the answers about how mail is delivered: promises, as those in Answers.cs.

/// <summary>Answer to <c>GET /transports</c>, in the order of configuration.</summary>
sealed record TransportListAnswer(IReadOnlyList<TransportAnswer> Data);

/// <summary>How a transport is doing now, on all nodes.</summary>
sealed record TransportAnswer
{
    public required string Name { get; init; }
    public required string Scheme { get; init; }

    /// <summary>It is the installation's, for all tenants that may use it.</summary>
    public required bool Shared { get; init; }

    /// <summary><c>configuration</c>, which nothing here changes, or <c>database</c>.</summary>
    public required string Source { get; init; }

    /// <summary>Without its secrets; null where it is in the configuration, or is not the caller's to change.</summary>
    public required string? Dsn { get; init; }

    /// <summary>Why it cannot be used on this node; null: it can.</summary>
    public required string? Fault { get; init; }

    /// <summary><c>ok</c>, <c>unusable</c>, <c>paused</c>, <c>stalled</c>, <c>open</c>, <c>half_open</c> or <c>throttled</c>: the first
    /// that holds.</summary>
    public required string State { get; init; }
    public required bool Paused { get; init; }
    public required bool Stalled { get; init; }
    public required CircuitPosition Circuit { get; init; }
    public required DateTimeOffset? CircuitOpenUntil { get; init; }
    public required DateTimeOffset? ThrottledUntil { get; init; }

    /// <summary>The fire drill that breaks it now; null: none.</summary>
    public DrillAnswer? Drill { get; init; }

    /// <summary>Attempts under way, on all nodes.</summary>
    public required int InFlight { get; init; }

    /// <summary>Most of them on one node.</summary>
    public required int Concurrency { get; init; }

    /// <summary>Null: no limit of our own.</summary>
    public required RateAnswer? Rate { get; init; }

    /// <summary>Of the transport for all nodes; empty: none.</summary>
    public required IReadOnlyList<QuotaAnswer> Quotas { get; init; }

    /// <summary>Tries of all nodes, each since its process started.</summary>
    public required long Tries { get; init; }

    /// <summary>Recipients by outcome, of all nodes, each since its process started.</summary>
    public required IReadOnlyDictionary<string, long> Outcomes { get; init; }

    /// <summary>How long its newest tries took, on the node where they took longest; null before the first.</summary>
    public LatencyAnswer? Latency { get; init; }

    /// <summary>When its provider last reported what became of mail, to any node since that started; null: not yet.</summary>
    public DateTimeOffset? LastCallbackAt { get; init; }

    /// <summary>Of all nodes, the newest first; addresses in them are masked.</summary>
    public required IReadOnlyList<TransportErrorAnswer> LastErrors { get; init; }

    /// <summary>Node by node: the one that answers as it is now, the others as they were a second ago, those that have ended as they were
    /// last, until their number is another's.</summary>
    public required IReadOnlyList<TransportNodeAnswer> Nodes { get; init; }

    /// <summary>The routes of yours that it is in.</summary>
    public required IReadOnlyList<string> Routes { get; init; }

    /// <summary>What an addition changes for mail that names no route; only in the answer to it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Note { get; init; }

    /// <summary>Sender domains that it refuses, and when they are tried again.</summary>
    public required IReadOnlyDictionary<string, DateTimeOffset> RefusedSenderDomains { get; init; }

    /// <summary>Where its provider is to report what became of mail, with a secret in it; null where the provider does not.</summary>
    public required string? CallbackUrl { get; init; }
}

/// <summary>Recipients in a time.</summary>
sealed record RateAnswer(int Recipients, double PerSeconds, int Burst);

/// <summary>Recipients in a day or month of UTC.</summary>
/// <param name="Used">By all nodes, with what they have taken ahead of use.</param>
sealed record QuotaAnswer(long Recipients, QuotaSpan Span, long Used, DateTimeOffset ResetsAt);

/// <summary>Something that spoke against a transport.</summary>
/// <param name="Node">Where it was tried.</param>
sealed record TransportErrorAnswer(DateTimeOffset At, string Node, OutcomeKind Outcome, int? Code, string? EnhancedCode, string Text);

/// <summary>A transport on one node.</summary>
/// <param name="Alive">False: that process has ended.</param>
/// <param name="At">As of when.</param>
/// <param name="Latency">Null before its first try.</param>
sealed record TransportNodeAnswer(
    string Node, bool Alive, DateTimeOffset At, int InFlight, bool Stalled, CircuitPosition Circuit, string? Fault, long Tries,
    IReadOnlyDictionary<string, long> Outcomes, LatencyAnswer? Latency);

/// <summary>How long the newest 128 tries took, from their start to the answer: half of them, and 95 of 100, no longer.</summary>
sealed record LatencyAnswer(double P50Ms, double P95Ms);

/// <summary>Answer to <c>POST /transports/{name}/test</c>.</summary>
sealed record TransportTestAnswer(string Transport, OutcomeKind Outcome, int? Code, string? EnhancedCode, string Text, long DurationMs);

/// <summary>Answer to <c>GET /feedback/quarantine</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
/// <param name="Counts">How many were ever put there, by reason.</param>
sealed record QuarantineAnswer(
    IReadOnlyList<QuarantinedAnswer> Data, bool HasMore, string? Next, IReadOnlyDictionary<string, long> Counts);

/// <summary>A report that nothing was done about. All of it is what somebody claimed.</summary>
sealed record QuarantinedAnswer
{
    public required string Id { get; init; }

    /// <summary>When it came.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary><c>unmatched</c>, <c>not_tried_there</c>, <c>forged</c>, <c>too_late</c> or <c>crowded</c>.</summary>
    public required string Reason { get; init; }

    /// <summary>The transport whose provider reported it, or <c>dsn</c>.</summary>
    public required string Source { get; init; }

    /// <summary>Our word for it: <c>delivered</c>, <c>bounced_hard</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The reporter's own word.</summary>
    public required string Type { get; init; }
    public required DateTimeOffset HappenedAt { get; init; }
    public required string? MessageId { get; init; }
    public required string? CarriedId { get; init; }
    public required string? ProviderId { get; init; }
    public required string? Email { get; init; }
    public required string? Text { get; init; }
}

/// <summary>Answer to <c>GET /routes</c>.</summary>
sealed record RouteListAnswer(IReadOnlyList<RouteAnswer> Data);

/// <summary>A route: its strategy and its transports in order of preference.</summary>
/// <param name="Shared">It is the installation's, as far as the caller may use its transports.</param>
/// <param name="Source"><c>configuration</c>, which nothing here changes, or <c>database</c>.</param>
/// <param name="Retry">As it was given, as <paramref name="Spill"/> and <paramref name="OnAmbiguous"/> are; null: as the installation has
/// it, or set in the configuration.</param>
sealed record RouteAnswer(
    string Name, RouteStrategy Strategy, IReadOnlyList<string> Transports, bool Shared, string Source, int Position,
    IReadOnlyList<RouteRuleAnswer> Rules, string? Retry, string? Spill, string? OnAmbiguous);

/// <summary>What a message must be like to go by a route; null: any.</summary>
sealed record RouteRuleAnswer(string? Stream, string? Tag, string? SenderDomain, string? RecipientDomain);

/// <summary>Answer to <c>GET /pause</c>: what of the tenant's mail is paused now.</summary>
sealed record PauseListAnswer(IReadOnlyList<PauseAnswer> Data);

/// <summary>A pause; without stream and route it covers everything of the tenant.</summary>
sealed record PauseAnswer(MailStream? Stream, string? Route, DateTimeOffset Since, string? Reason);

/// <summary>Answer to <c>GET /inbox</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record InboxAnswer(IReadOnlyList<InboxMailAnswer> Data, bool HasMore, string? Next)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>A mail in the inbox; text, HTML and source only where one is asked for.</summary>
sealed record InboxMailAnswer
{
    public required string Id { get; init; }
    public required string MessageId { get; init; }
    public required string Transport { get; init; }
    public required DateTimeOffset At { get; init; }
    public required string From { get; init; }

    /// <summary>MAIL FROM; null is the empty one.</summary>
    public required string? ReversePath { get; init; }

    /// <summary>RCPT TO, Bcc included.</summary>
    public required IReadOnlyList<string> Recipients { get; init; }
    public required string Subject { get; init; }
    public required int Bytes { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Html { get; init; }

    /// <summary>The mail as it would have gone over the wire, cut at 1 MB.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Source { get; init; }
}

/// <summary>How many were removed.</summary>
sealed record ClearedAnswer(int Count);
