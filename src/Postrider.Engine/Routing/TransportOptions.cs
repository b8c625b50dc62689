using System.Globalization;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>The options that every transport has, whatever kind of service it is.</summary>
public sealed record TransportOptions
{
    public required string Name { get; init; }
    public required string Scheme { get; init; }

    /// <inheritdoc cref="TransportSettings.Owner"/>
    public TenantId? Owner { get; init; }

    /// <inheritdoc cref="TransportSettings.Key"/>
    public string Key { get => field ?? Name; init; }

    /// <inheritdoc cref="TransportSettings.Place"/>
    public long Place { get; init; }

    /// <summary>Why it cannot be used on this node: it stands in its routes and takes nothing. Null: it can.</summary>
    public string? Fault { get; init; }

    /// <summary><c>rate=14/s</c> (also <c>/m /h /d</c>, or a span: <c>5/10s</c>): recipients, not messages. <c>rate=14/s,5</c> names the
    /// burst too. Null: no limit of our own.</summary>
    public Rate? Rate { get; init; }

    /// <summary><c>concurrency=20</c>: attempts between permit and committed outcome; 1 to 10,000.
    /// Default 20 (Postfix default_destination_concurrency_limit).</summary>
    public int Concurrency { get; init; } = 20;

    /// <summary><c>timeout=90s</c>: of one try. Null: what the provider's protocol asks for (RFC 5321 §4.5.3.2 for SMTP);
    /// shorter makes unknown outcomes.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary><c>retry=constant:2,1s</c>: tries again within the attempt. Default none:
    /// the next transport is a better second try.</summary>
    public AttemptRetry Retry { get; init; } = AttemptRetry.None;

    /// <summary><c>circuit=10,30s,5s</c>: failures, window, break; the default. <c>off</c>: null.</summary>
    public CircuitOptions? Circuit { get; init; } = new CircuitOptions(10, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5));

    /// <summary><c>stall=30s</c>: an attempt unanswered for so long, and nothing completed since it began,
    /// stops new work. <c>off</c>: null.</summary>
    public TimeSpan? Stall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary><c>weight=1</c>: its share in a weighted route; 1 to 1,000.</summary>
    public int Weight { get; init; } = 1;

    /// <summary><c>domains=gmail.com:5,20/s,5m;*:20</c>: limits per recipient domain, with <c>smtp</c> only.</summary>
    public IReadOnlyList<DomainLimit> Domains { get; init; } = [];

    /// <summary><c>quota=50000/d,1000000/month</c>: recipients per day and month of UTC.</summary>
    public IReadOnlyList<Quota> Quotas { get; init; } = [];

    /// <summary><c>from=example.com,*.example.com</c>: the sender domains that are set up there. Null: all, until it refuses one.</summary>
    public DeclaredSenders? Senders { get; init; }

    /// <summary>The names that <see cref="From(TransportSettings, ICollection{TransportFault}, IReadOnlyCollection{string}?)"/>
    /// reads.</summary>
    public static IReadOnlyCollection<string> Names { get; } =
        ["rate", "concurrency", "timeout", "retry", "circuit", "stall", "weight", "domains", "from", "quota"];

    /// <summary>Reads the common options; a faulty one is named and keeps its default.</summary>
    /// <param name="providerOptions">The names that the provider itself understands; every other name is a fault. Null:
    /// they are not checked.</param>
    public static TransportOptions From(TransportSettings settings, ICollection<TransportFault> faults,
        IReadOnlyCollection<string>? providerOptions = null)
    {
        var options = new TransportOptions
        {
            Name = settings.Name,
            Scheme = settings.Scheme,
            Owner = settings.Owner,
            Key = settings.Key,
            Place = settings.Place,
        };
        foreach (var (name, value) in settings.Options)
        {
            if (Names.Contains(name))
            {
                if (options.With(name, value, out var expected) is { } changed)
                    options = changed;
                else
                    faults.Add(new TransportFault(settings.Name, name, $"{expected}; not '{value}'"));
            }
            else if (providerOptions?.Contains(name) == false)
                faults.Add(new TransportFault(settings.Name, name,
                    $"is not known to {settings.Scheme}; known are {string.Join(", ", Names.Concat(providerOptions).Order())}"));
        }
        if (options.Domains.Count > 0 && settings.Scheme != "smtp")
            faults.Add(new TransportFault(settings.Name, "domains", "is for smtp only: other providers keep such limits themselves"));
        return options;
    }

    TransportOptions? With(string name, string value, out string expected)
    {
        TransportOptions? changed;
        (changed, expected) = name switch
        {
            "rate" => (RoutingSyntax.TryRate(value, out var rate) ? this with { Rate = rate } : null,
                "is recipients per s, m, h, d or a span, such as 14/s, 200/d or 5/10s, or with the burst 14/s,5"),
            "concurrency" => (RoutingSyntax.TryNumber(value, 1, 10_000, out var number) ? this with { Concurrency = number } : null,
                "is a number from 1 to 10000"),
            "timeout" => (TryPositive(value, out var timeout) ? this with { Timeout = timeout } : null, Durations.Expected),
            "retry" => (AttemptRetry.TryParse(value, out var retry) ? this with { Retry = retry } : null, AttemptRetry.Expected),
            "circuit" => (TryCircuit(value, out var circuit) ? this with { Circuit = circuit } : null,
                "is failures,window,break, such as 10,30s,5s, or off"),
            "stall" =>
                (value == "off" ? this with { Stall = null } : TryPositive(value, out var stall) ? this with { Stall = stall } : null,
                Durations.Expected + ", or off"),
            "weight" => (RoutingSyntax.TryNumber(value, 1, 1_000, out var weight)
                ? this with { Weight = weight } : null, "is a number from 1 to 1000"),
            "domains" => (DomainLimit.TryParse(value, out var domains) ? this with { Domains = domains } : null, DomainLimit.Expected),
            "quota" => (Quota.TryParse(value, out var quotas) ? this with { Quotas = quotas } : null, Quota.Expected),
            "from" => (DeclaredSenders.TryParse(value, out var senders) ? this with { Senders = senders } : null, DeclaredSenders.Expected),
            _ => (this, ""),
        };
        return changed;
    }

    static bool TryPositive(string text, out TimeSpan span) => Durations.TryParse(text, out span) && span > TimeSpan.Zero;

    static bool TryCircuit(string text, out CircuitOptions? circuit)
    {
        circuit = null;
        if (text == "off")
            return true;
        if (text.Split(',') is not [var failures, var window, var pause] || !RoutingSyntax.TryNumber(failures, 1, 10_000, out var count)
            || !TryPositive(window, out var span) || !TryPositive(pause, out var rest))
            return false;
        circuit = new CircuitOptions(count, span, rest);
        return true;
    }
}

/// <summary>How the delays between tries of one attempt grow.</summary>
public enum AttemptRetryKind : byte { None = 0, Immediate = 1, Constant = 2, Exponential = 3 }

/// <summary>Further tries within one attempt, only after outcomes known unsent for the whole call.</summary>
/// <param name="Count">Tries after the first; 0 to 10.</param>
/// <param name="Delay">Before each (constant) or before the first of them, doubling (exponential, with jitter).</param>
public readonly record struct AttemptRetry(AttemptRetryKind Kind, int Count, TimeSpan Delay)
{
    public static readonly AttemptRetry None;

    public const string Expected = "is none, immediate:2, constant:2,1s or exponential:3,500ms, with at most 10 tries and 1m of delay";

    public static bool TryParse(string text, out AttemptRetry retry)
    {
        retry = None;
        if (text == "none")
            return true;
        if (text.Split(':') is not [var kind, var rest] || rest.Split(',') is not [var tries, ..] parts
            || !RoutingSyntax.TryNumber(tries, 1, 10, out var count))
            return false;
        var delay = TimeSpan.Zero;
        if (parts.Length > 2 || (parts.Length == 2 && (!Durations.TryParse(parts[1], out delay) || delay > TimeSpan.FromMinutes(1))))
            return false;
        AttemptRetry? parsed = (kind, parts.Length) switch
        {
            ("immediate", 1) => new AttemptRetry(AttemptRetryKind.Immediate, count, delay),
            ("constant", 2) => new AttemptRetry(AttemptRetryKind.Constant, count, delay),
            ("exponential", 2) => new AttemptRetry(AttemptRetryKind.Exponential, count, delay),
            _ => null,
        };
        retry = parsed ?? None;
        return parsed is not null;
    }

    public override string ToString() => Kind switch
    {
        AttemptRetryKind.None => "none",
        AttemptRetryKind.Immediate => string.Create(CultureInfo.InvariantCulture, $"immediate:{Count}"),
        AttemptRetryKind.Constant => string.Create(CultureInfo.InvariantCulture, $"constant:{Count},{Durations.Format(Delay)}"),
        AttemptRetryKind.Exponential => string.Create(CultureInfo.InvariantCulture, $"exponential:{Count},{Durations.Format(Delay)}"),
    };
}

/// <summary>The small grammars that the options of transports and routes share.</summary>
static class RoutingSyntax
{
    public static bool TryNumber(ReadOnlySpan<char> text, int least, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= least && number <= most;

    /// <summary><c>14/s</c>, <c>200/d</c>, <c>5/10s</c>, with the burst <c>14/s,5</c>.</summary>
    public static bool TryRate(string text, out Rate rate)
    {
        rate = default;
        var comma = text.IndexOf(',');
        var slash = text.IndexOf('/');
        if (slash < 0 || !TryNumber(text.AsSpan(0, slash), 1, 1_000_000, out var count))
            return false;
        var end = comma < 0 ? text.Length : comma;
        var per = text.AsSpan(slash + 1, end - Math.Min(slash + 1, end));
        // A unit alone is one of it.
        if (!Durations.TryParse(per is "s" or "m" or "h" or "d" ? $"1{per}" : per, out var span)
            || span <= TimeSpan.Zero || span > TimeSpan.FromDays(1))
            return false;
        rate = new Rate(count, span);
        if (comma < 0)
            return true;
        if (!TryNumber(text.AsSpan(comma + 1), 1, 1_000_000, out var burst))
            return false;
        rate = rate with { Burst = burst };
        return true;
    }
}
