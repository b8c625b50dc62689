using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>How the transports are doing on each node, kept where every node can read it.</summary>
public interface ITransportReports
{
    /// <summary>The name of this node.</summary>
    string Node { get; }

    /// <summary>Puts what this node has to say in place of what it said before.</summary>
    /// <param name="all">By <see cref="Transport.Key"/>; what is not among them is forgotten.</param>
    /// <param name="changed">Those that are not as they were at the last call.</param>
    Task WriteAsync(IReadOnlyDictionary<string, string> all, IReadOnlyCollection<string> changed, CancellationToken ct);

    /// <summary>What the other nodes said last.</summary>
    /// <param name="transports">By <see cref="Transport.Key"/>.</param>
    Task<IReadOnlyList<NodeReport>> ReadAsync(IReadOnlyCollection<string> transports, CancellationToken ct);
}

/// <summary>What a node said of a transport.</summary>
/// <param name="Transport"><see cref="Transport.Key"/>.</param>
/// <param name="IsAlive">False: the process that said it has ended, or was given up by the others.</param>
public sealed record NodeReport(string Transport, string Node, bool IsAlive, DateTimeOffset At, TransportReport Report);

/// <summary>How a transport is doing on one node: what it has of its own, and does not share as it shares a circuit.</summary>
/// <param name="Tries">Since its process started, as the outcomes are.</param>
/// <param name="Errors">The newest first; addresses in them are masked.</param>
/// <param name="Times">Null before the first try, and where an older version wrote it, as <paramref name="HeardAt"/> is.</param>
/// <param name="HeardAt"><see cref="TransportStatus.HeardAt"/>.</param>
public sealed record TransportReport(
    int InFlight, bool Stalled, CircuitPosition Circuit, string? Fault, long Tries, IReadOnlyDictionary<OutcomeKind, long> Outcomes,
    IReadOnlyList<ReportedError> Errors, TryTimes? Times = null, DateTimeOffset? HeardAt = null)
{
    public static TransportReport Of(TransportStatus status) => new(
        status.InFlight, status.Stalled, status.Circuit, status.Fault, status.Tries,
        status.Outcomes.Where(outcome => outcome.Value > 0).ToDictionary(),
        [
            .. status.LastErrors.Select(error => new ReportedError(
                error.At, error.Kind, error.Reply.Code, error.Reply.Enhanced, AddressMask.InText(error.Reply.Text))),
        ], status.Times, status.HeardAt);

    /// <summary>Nothing has happened there that anybody would ask for.</summary>
    public bool IsBlank => this is { InFlight: 0, Stalled: false, Circuit: CircuitPosition.Closed, Fault: null, Tries: 0, HeardAt: null };

    public string Write() => JsonSerializer.Serialize(this, TransportReportJson.Default.TransportReport);

    /// <summary>Null: another version wrote it, in a way that this one does not know.</summary>
    public static TransportReport? TryRead(string text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, TransportReportJson.Default.TransportReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A result that spoke against a transport.</summary>
/// <param name="Code">0: there was no reply.</param>
public sealed record ReportedError(DateTimeOffset At, OutcomeKind Kind, int Code, string? Enhanced, string Text);

[JsonSourceGenerationOptions(UseStringEnumConverter = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(TransportReport))]
sealed partial class TransportReportJson : JsonSerializerContext;
