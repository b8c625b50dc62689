using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers.Simulated;

/// <summary>How a simulated provider behaves, from its DSN.</summary>
sealed record SimulatedOptions
{
    static readonly Dictionary<string, string> Expected = new()
    {
        ["latency"] = "is a span such as 20ms, or a range 20ms-80ms",
        ["fail"] = Fraction,
        ["refuse"] = Fraction,
        ["throttle"] = Fraction + ", and may name what it asks for: 0.1,2s",
        ["unknown"] = Fraction,
        ["defer"] = Fraction,
        ["bounce"] = Fraction,
        ["outage"] = "is start+length, such as 10s+60s, or to come again start+length/period, such as 2s+2s/4s; several with commas. "
            + "It lasts longer than 0s, and no longer than its period",
        ["seed"] = "is a number",
    };

    const string Fraction = "is a probability from 0 to 1";

    public static IReadOnlyCollection<string> Names => Expected.Keys;

    /// <summary><c>latency=</c>: from connect to answer; half before the message is sent, half after.</summary>
    public TimeSpan ShortestLatency { get; init; }
    public TimeSpan LongestLatency { get; init; }

    /// <summary><c>fail=</c>: calls that end unreachable.</summary>
    public double Fail { get; init; }

    /// <summary><c>refuse=</c>: calls that end with the account refused.</summary>
    public double Refuse { get; init; }

    /// <summary><c>throttle=</c>: calls that are throttled.</summary>
    public double Throttle { get; init; }

    /// <summary>What a throttled call asks for; null: it names no time.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary><c>unknown=</c>: calls whose answer is lost.</summary>
    public double Unknown { get; init; }

    /// <summary><c>defer=</c>, <c>bounce=</c>: recipients that are deferred or do not exist.</summary>
    public double Defer { get; init; }
    public double Bounce { get; init; }

    /// <summary><c>outage=</c>: when it is unreachable.</summary>
    public IReadOnlyList<Outage> Outages { get; init; } = [];

    /// <summary><c>seed=</c>: the same seed gives the same run. Null: another one each time.</summary>
    public ulong? Seed { get; init; }

    public bool IsOut(TimeSpan age) => Outages.Any(outage => outage.Covers(age));

    /// <summary>Reads the options; each faulty one is named in <paramref name="faults"/> and keeps its default.</summary>
    public static SimulatedOptions Read(TransportSettings settings, ICollection<string> faults)
    {
        var options = new SimulatedOptions();
        foreach (var (name, expected) in Expected)
        {
            if (!settings.Options.TryGetValue(name, out var text))
                continue;
            if (options.With(name, text) is { } changed)
                options = changed;
            else
                faults.Add($"option '{name}' {expected}; not '{text}'");
        }
        if (options.Fail + options.Refuse + options.Throttle + options.Unknown > 1)
            faults.Add("options 'fail', 'refuse', 'throttle' and 'unknown' are shares of all calls: together at most 1");
        if (options.Defer + options.Bounce > 1)
            faults.Add("options 'defer' and 'bounce' are shares of all recipients: together at most 1");
        return options;
    }

    /// <summary>What one option's value has to be, behind "is"; null: it is that.</summary>
    public static string? Expects(string name, string text) =>
        new SimulatedOptions().With(name, text) is null ? Expected[name]["is ".Length..] : null;

    SimulatedOptions? With(string name, string text) => name switch
    {
        "latency" => ReadLatency(text),
        "fail" => Share(text) is { } share ? this with { Fail = share } : null,
        "refuse" => Share(text) is { } share ? this with { Refuse = share } : null,
        "throttle" => ReadThrottle(text.Split(',')),
        "unknown" => Share(text) is { } share ? this with { Unknown = share } : null,
        "defer" => Share(text) is { } share ? this with { Defer = share } : null,
        "bounce" => Share(text) is { } share ? this with { Bounce = share } : null,
        "outage" => ReadOutages(text),
        _ => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? this with { Seed = seed } : null,
    };

    SimulatedOptions? ReadLatency(string text)
    {
        var parts = text.Split('-');
        return parts.Length <= 2 && Durations.TryParse(parts[0], out var shortest) && Durations.TryParse(parts[^1], out var longest)
            && shortest <= longest
            ? this with { ShortestLatency = shortest, LongestLatency = longest }
            : null;
    }

    SimulatedOptions? ReadThrottle(string[] parts) => parts switch
    {
        [var share] when Share(share) is { } value => this with { Throttle = value },
        [var share, var wait] when Share(share) is { } value && Durations.TryParse(wait, out var span) =>
            this with { Throttle = value, RetryAfter = span },
        _ => null,
    };

    SimulatedOptions? ReadOutages(string text)
    {
        var outages = new List<Outage>();
        foreach (var one in text.Split(','))
        {
            if (Outage.Read(one) is not { } outage)
                return null;
            outages.Add(outage);
        }
        return this with { Outages = outages };
    }

    static double? Share(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 1
            ? share : null;
}

/// <summary>A time in which a simulated provider cannot be reached.</summary>
/// <param name="Start">After it was made.</param>
/// <param name="Period">It comes again so long after each start; null: once.</param>
public readonly record struct Outage(TimeSpan Start, TimeSpan Length, TimeSpan? Period)
{
    public bool Covers(TimeSpan age) =>
        age >= Start && (Period is { } period ? new TimeSpan((age - Start).Ticks % period.Ticks) : age - Start) < Length;

    /// <summary>Null: it is none. One of no length would never be met, one longer than its period never end.</summary>
    public static Outage? Read(string text)
    {
        if (text.Split('/') is not [var once, .. var rest] || rest.Length > 1 || once.Split('+') is not [var start, var length]
            || !Durations.TryParse(start, out var from) || !Durations.TryParse(length, out var span)
            || span == TimeSpan.Zero)
            return null;
        if (rest is not [var period])
            return new Outage(from, span, null);
        return Durations.TryParse(period, out var each) && each >= span ? new Outage(from, span, each) : null;
    }
}
