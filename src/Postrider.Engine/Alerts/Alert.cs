using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Alerts;

/// <summary>What can be wrong. The numbers are stored.</summary>
public enum AlertKind : byte
{
    /// <summary>A transport fails, does not answer, or cannot be used. Its subject.</summary>
    TransportDown = 1,
    /// <summary>A transport that is meant for when another one fails carries mail. Its subject.</summary>
    StandbyCarriesTraffic = 2,
    /// <summary>Mail of a stream, its subject, could go and waits.</summary>
    OldestDueTooOld = 3,
    /// <summary>Many recipients ended without being sent.</summary>
    DeadLettersGrowing = 4,
    /// <summary>A node's disk, its subject, is nearly full.</summary>
    DiskLow = 5,
    /// <summary>A provider that used to report on what it sent does not any more. Its transport.</summary>
    CallbacksSilent = 6,
    /// <summary>A provider takes mail and tells of nothing delivered. Its transport.</summary>
    SentWithoutDelivered = 7,
    /// <summary>No transport of a route, its subject, takes mail: nothing of it goes out.</summary>
    RouteDown = 8,
}

/// <summary>How far an alert is. The numbers are stored.</summary>
public enum AlertState : byte
{
    /// <summary>Seen, and not for long enough to wake anybody.</summary>
    Pending = 0,
    Raised = 1,
    /// <summary>Not seen for long enough to believe it.</summary>
    Resolved = 2,
}

/// <summary>Something that is wrong at this moment.</summary>
/// <param name="Subject">Of what: a transport, a stream, a node; empty: of all.</param>
/// <param name="Words">For people, a sentence without its full stop.</param>
public readonly record struct Finding(AlertKind Kind, string Subject, string Words)
{
    /// <summary>It is raised when it is first seen: its transports have each failed for a while already.</summary>
    public bool IsUrgent => Kind == AlertKind.RouteDown;
}

/// <summary>A finding over time.</summary>
public sealed record Alert
{
    public required AlertKind Kind { get; init; }
    public required string Subject { get; init; }
    public required AlertState State { get; init; }

    /// <summary>As it was found last.</summary>
    public required string Words { get; init; }
    public required DateTimeOffset FirstSeenAt { get; init; }
    public required DateTimeOffset LastSeenAt { get; init; }

    /// <summary>Null: it never was.</summary>
    public required DateTimeOffset? RaisedAt { get; init; }

    /// <summary>Null unless it is resolved.</summary>
    public required DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>That it was raised, or resolved, is still to be told.</summary>
    public required bool IsToTell { get; init; }

    /// <summary>The same from when it is raised until it is resolved, whichever node tells of it and however often: with
    /// <see cref="State"/> it names one thing that is told, so that who hears it twice can tell. Null: it never was raised.</summary>
    public string? Id => RaisedAt is not { } raised ? null : "al_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{(int)Kind}/{Subject}/{raised.ToUnixTimeMilliseconds()}"))).AsSpan(0, 10));

    /// <summary>What an operator does about it.</summary>
    public string Remedy => Kind switch
    {
        AlertKind.TransportDown => "GET /transports has its last errors. It is tried by itself, and goes on when it answers.",
        AlertKind.StandbyCarriesTraffic => "See why the transport before it does not take its mail, and mind the standby's quota.",
        AlertKind.OldestDueTooOld => "waiting_for in GET /emails/{id} says what it waits for: a rate, free slots, a transport.",
        AlertKind.DeadLettersGrowing => "postrider dead-letters groups shows what they died of; redrive sends them again.",
        AlertKind.DiskLow => "Free space: below Storage:MinFreeBytes nothing is accepted or sent.",
        AlertKind.CallbacksSilent => "Look at the webhook's settings at the provider: bounces are not heard of meanwhile.",
        AlertKind.RouteDown =>
            "Nothing is lost before it expires. GET /transports has the last errors; postrider transports add adds another way.",
        AlertKind.SentWithoutDelivered => "Look at the provider's own log, at blocklists, and at the DNS records of the sender (GET /domains).",
    };
}

/// <summary>What a node noticed of a transport since it last looked.</summary>
/// <param name="Sent">Recipients that it took.</param>
/// <param name="Heard">It reported something.</param>
/// <param name="Delivered">It reported something as delivered.</param>
public readonly record struct TransportNews(string Transport, long Sent, bool Heard, bool Delivered);

/// <summary>Since when a transport has been silent, in one way or the other.</summary>
/// <param name="OfDelivered">Silent about deliveries; else about everything.</param>
/// <param name="Sent">Recipients that it took since.</param>
public readonly record struct Silence(string Transport, bool OfDelivered, DateTimeOffset Since, long Sent);

/// <summary>Alerts of all nodes. Every call is safe on any number of them at once.</summary>
public interface IAlertStore
{
    Task<IReadOnlyList<Alert>> ListAsync(CancellationToken ct);

    /// <summary>True on one node in each span: it looks at what all nodes share.</summary>
    Task<bool> TakeTurnAsync(DateTimeOffset now, TimeSpan every);

    /// <summary>Writes down what is wrong. What has been seen for <paramref name="raiseAfter"/>, or is urgent, is raised, what has not been
    /// seen for
    /// <paramref name="resolveAfter"/> resolved.</summary>
    Task ReportAsync(IReadOnlyList<Finding> findings, DateTimeOffset now, TimeSpan raiseAfter, TimeSpan resolveAfter);

    /// <summary>What is to be told and nobody tells just now: this node's, until <paramref name="until"/>.</summary>
    Task<IReadOnlyList<Alert>> LeaseToldAsync(DateTimeOffset now, DateTimeOffset until);

    /// <summary>It was told in the state that it has here.</summary>
    Task ToldAsync(Alert alert);

    /// <summary>Adds to the books what was noticed.</summary>
    Task NoteAsync(IReadOnlyList<TransportNews> news, DateTimeOffset now);

    Task<IReadOnlyList<Silence>> SilencesAsync(CancellationToken ct);

    /// <summary>Recipients that became dead letters since then, and still are.</summary>
    Task<long> CountDeadLettersAsync(DateTimeOffset since, CancellationToken ct);
}
