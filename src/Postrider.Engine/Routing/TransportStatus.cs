using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>How a transport is doing, at one instant: what <c>GET /transports</c> and the dashboard show.</summary>
public sealed record TransportStatus
{
    public required string Name { get; init; }
    public required string Scheme { get; init; }
    public required bool Paused { get; init; }

    /// <summary>Why it cannot be used on this node; null: it can.</summary>
    public required string? Fault { get; init; }
    public required bool Stalled { get; init; }

    /// <summary>Open is shown as half-open once the break is over, whether or not a probe has started.</summary>
    public required CircuitPosition Circuit { get; init; }

    /// <summary>Wall clock; null unless open.</summary>
    public required DateTimeOffset? CircuitOpenUntil { get; init; }

    /// <summary>Wall clock; null unless the provider asked for a wait that is not over.</summary>
    public required DateTimeOffset? ThrottledUntil { get; init; }

    /// <summary>Permits out: from permit to committed outcome.</summary>
    public required int InFlight { get; init; }
    public required int Concurrency { get; init; }
    public required Rate? Rate { get; init; }

    /// <summary>Tries since the process started.</summary>
    public required long Tries { get; init; }

    /// <summary>Recipients by what their tries came to, since the process started.</summary>
    public required IReadOnlyDictionary<OutcomeKind, long> Outcomes { get; init; }

    /// <summary>The newest first, a handful.</summary>
    public required IReadOnlyList<TransportError> LastErrors { get; init; }

    /// <summary>Sender domains that the provider refuses, with the wall-clock instant at which they are tried again.</summary>
    public required IReadOnlyDictionary<string, DateTimeOffset> RefusedSenderDomains { get; init; }

    /// <summary>Null before the first try.</summary>
    public required TryTimes? Times { get; init; }

    /// <summary>When its provider last reported what became of mail; null: not since the process started.</summary>
    public required DateTimeOffset? HeardAt { get; init; }

    public TransportState State => this switch
    {
        { Fault: not null } => TransportState.Unusable,
        { Paused: true } => TransportState.Paused,
        { Stalled: true } => TransportState.Stalled,
        { Circuit: CircuitPosition.Open } => TransportState.Open,
        { Circuit: CircuitPosition.HalfOpen } => TransportState.HalfOpen,
        { ThrottledUntil: not null } => TransportState.Throttled,
        _ => TransportState.Ok,
    };

    /// <summary>Mail goes there, be it slowly. A circuit that is half-open lets one message try: that is not yet mail that goes.</summary>
    public bool TakesMail => State is TransportState.Ok or TransportState.Throttled;

    /// <summary>Why it is down, to follow its name in a sentence; null: it is not. What an operator paused is not down, whatever else is
    /// wrong with it: nobody need be told.</summary>
    public string? Trouble => Paused ? null : State switch
    {
        TransportState.Unusable => $"cannot be used: {Fault}",
        TransportState.Stalled => "does not answer",
        TransportState.Open or TransportState.HalfOpen => LastErrors is [var last, ..]
            ? $"failed too often, last with {last.Kind}: {AddressMask.InText(last.Reply.Words)}" : "failed too often",
        TransportState.Paused or TransportState.Throttled or TransportState.Ok => null,
    };
}

/// <summary>How a transport is doing, in one word: the first of these that holds.</summary>
public enum TransportState : byte
{
    Unusable, Paused, Stalled, Open, HalfOpen, Throttled, Ok,
}

/// <summary>A result that speaks against the transport.</summary>
public readonly record struct TransportError(DateTimeOffset At, OutcomeKind Kind, OutcomeScope Scope, Reply Reply);

/// <summary>What happened to a transport that people and other rooms want to hear of.</summary>
public enum TransportChangeKind : byte
{
    Paused, Resumed, CircuitOpened, CircuitHalfOpen, CircuitClosed, Stalled, Recovered, SenderDomainRefused,
}

/// <summary>A transport that changed in a way people want to know of.</summary>
/// <param name="Transport">Its key.</param>
/// <param name="Until">When it is tried again; null where that is not known.</param>
public sealed record TransportChange(string Transport, TransportChangeKind Kind, DateTimeOffset At, string Reason,
    DateTimeOffset? Until = null);
