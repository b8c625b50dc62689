using System.Globalization;
using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Submission;

namespace Postrider.Vendors;

/// <summary>How a simulated vendor refuses every message, or those for some recipients.</summary>
enum VendorRefusal : byte
{
    /// <summary>An account that is not approved yet may not send to everybody.</summary>
    Sandbox,
    InvalidRecipient,
    Rejected,
    TooLarge,
    UnverifiedSender,
    Suspended,
    BadKey,
}

/// <summary>What is wrong with a simulated vendor. Written as <c>latency=20ms&amp;fail=0.05</c>, on the command line and in control calls
/// alike.</summary>
sealed record VendorFaults
{
    const string Share = "is a probability from 0 to 1";

    static readonly Dictionary<string, string> Expected = new()
    {
        ["latency"] = Durations.Expected,
        ["fail"] = Share,
        ["status"] = "is the status of failures, 500 or 503",
        ["break"] = Share,
        ["throttle"] = Share,
        ["retry_after"] = Durations.Expected,
        ["rate"] = "is a number of calls each second; 0 for any number",
        ["outage"] = "is how long from now, such as 1h",
        ["hang"] = Share,
        ["cut"] = Share,
        ["refuse"] = "is one of sandbox, invalid_recipient, rejected, too_large, unverified_sender, suspended, bad_key, or none",
        ["to"] = "are the recipients that are refused: addresses or patterns such as *@example.com",
        ["bounce"] = "are recipients that bounce after all: addresses or patterns such as *@example.com",
        ["suppress"] = "are recipients on the vendor's own list of those it does not mail: addresses or patterns such as *@example.com",
        ["complain"] = "are recipients that complain: addresses or patterns such as *@example.com",
        ["callbacks"] = "is the URL that callbacks go to, or none",
        ["lose"] = Share,
        ["late"] = Durations.Expected,
    };

    /// <summary>Before each answer.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Share of calls that fail in the vendor's documented shape, with <see cref="Status"/>.</summary>
    public double Fail { get; init; }
    public int Status { get; init; } = 503;

    /// <summary>Share of calls that are answered 502 with a page of somebody in between.</summary>
    public double Break { get; init; }

    /// <summary>Share of calls that are throttled, with <see cref="RetryAfter"/>.</summary>
    public double Throttle { get; init; }
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Calls each second beyond which they are throttled; 0: any number.</summary>
    public int Rate { get; init; }

    /// <summary>Until then every call fails in the documented shape; null: no outage.</summary>
    public DateTimeOffset? OutageUntil { get; init; }

    /// <summary>Share of calls that are accepted and never answered.</summary>
    public double Hang { get; init; }

    /// <summary>Share of calls that are accepted and whose connection is cut instead of an answer.</summary>
    public double Cut { get; init; }

    /// <summary>Null: nothing is refused that is right.</summary>
    public VendorRefusal? Refuse { get; init; }

    /// <summary>Who is refused; empty: everybody.</summary>
    public string To { get; init; } = "";
    public string Bounce { get; init; } = "";
    public string Complain { get; init; } = "";

    /// <summary>Whom it does not mail because of what was before. Postmark says so in its answer, the others by a callback.</summary>
    public string Suppress { get; init; } = "";

    /// <summary>Where callbacks go; null: nowhere.</summary>
    public Uri? Callbacks { get; init; }

    /// <summary>Share of callbacks that never come.</summary>
    public double Lose { get; init; }

    /// <summary>How long after the answer callbacks come.</summary>
    public TimeSpan Late { get; init; }

    public bool Refuses(EmailAddress recipient) => To.Length == 0 || Matches(To, recipient);

    /// <summary>What becomes of a mail to this recipient that was taken.</summary>
    public FeedbackKind FateOf(EmailAddress recipient) => Matches(Suppress, recipient) ? FeedbackKind.Rejected
        : Matches(Bounce, recipient) ? FeedbackKind.BouncedHard
        : FeedbackKind.Delivered;

    /// <summary>False for no pattern at all.</summary>
    public static bool Matches(string patterns, EmailAddress recipient) =>
        patterns.Length > 0 && AllowedRecipients.Parse(patterns, out _).Includes(recipient);

    /// <summary>Puts options over these; each faulty one is named in <paramref name="faults"/> and changes nothing.</summary>
    public VendorFaults With(IEnumerable<KeyValuePair<string, string>> options, DateTimeOffset now, ICollection<string> faults)
    {
        var changed = this;
        foreach (var (name, text) in options)
        {
            if (!Expected.TryGetValue(name, out var expected))
                faults.Add($"there is no option '{name}'; there are {string.Join(", ", Expected.Keys)}");
            else if (changed.With(name, text, now) is { } next)
                changed = next;
            else
                faults.Add($"option '{name}' {expected}; not '{text}'");
        }
        return changed;
    }

    /// <summary>As it is written; <c>none</c> for no fault. An outage stands with the time that is left of it.</summary>
    public string ToText(DateTimeOffset now)
    {
        var normal = new VendorFaults();
        var left = OutageUntil > now ? OutageUntil.Value - now : TimeSpan.Zero;
        (string Name, string Text, bool IsSet)[] options =
        [
            ("latency", Durations.Format(Latency), Latency != normal.Latency), ("fail", Written(Fail), Fail > 0),
            ("status", Written(Status), Status != normal.Status), ("break", Written(Break), Break > 0),
            ("throttle", Written(Throttle), Throttle > 0), ("retry_after", Durations.Format(RetryAfter), RetryAfter != normal.RetryAfter),
            ("rate", Written(Rate), Rate > 0), ("outage", Durations.Format(left), left > TimeSpan.Zero), ("hang", Written(Hang), Hang > 0),
            ("cut", Written(Cut), Cut > 0), ("refuse", JsonNamingPolicy.SnakeCaseLower.ConvertName($"{Refuse}"), Refuse is not null),
            ("to", To, To.Length > 0), ("bounce", Bounce, Bounce.Length > 0), ("complain", Complain, Complain.Length > 0),
            ("suppress", Suppress, Suppress.Length > 0),
            ("callbacks", $"{Callbacks}", Callbacks is not null), ("lose", Written(Lose), Lose > 0),
            ("late", Durations.Format(Late), Late > TimeSpan.Zero),
        ];
        var text = string.Join('&', options.Where(option => option.IsSet).Select(option => $"{option.Name}={option.Text}"));
        return text.Length > 0 ? text : "none";

        static string Written(double number) => number.ToString(CultureInfo.InvariantCulture);
    }

    VendorFaults? With(string name, string text, DateTimeOffset now) => name switch
    {
        "latency" => Span(text) is { } span ? this with { Latency = span } : null,
        "fail" => Probability(text) is { } share ? this with { Fail = share } : null,
        "status" => text is "500" or "503" ? this with { Status = text == "500" ? 500 : 503 } : null,
        "break" => Probability(text) is { } share ? this with { Break = share } : null,
        "throttle" => Probability(text) is { } share ? this with { Throttle = share } : null,
        "retry_after" => Span(text) is { } span ? this with { RetryAfter = span } : null,
        "rate" => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var rate) ? this with { Rate = rate } : null,
        "outage" => Span(text) is { } span ? this with { OutageUntil = span == TimeSpan.Zero ? null : now + span } : null,
        "hang" => Probability(text) is { } share ? this with { Hang = share } : null,
        "cut" => Probability(text) is { } share ? this with { Cut = share } : null,
        "refuse" => ReadRefusal(text),
        "to" => ArePatterns(text) ? this with { To = text } : null,
        "bounce" => ArePatterns(text) ? this with { Bounce = text } : null,
        "complain" => ArePatterns(text) ? this with { Complain = text } : null,
        "suppress" => ArePatterns(text) ? this with { Suppress = text } : null,
        "callbacks" => ReadCallbacks(text),
        "lose" => Probability(text) is { } share ? this with { Lose = share } : null,
        _ => Span(text) is { } span ? this with { Late = span } : null,
    };

    VendorFaults? ReadRefusal(string text)
    {
        if (text == "none")
            return this with { Refuse = null };
        var name = text.Replace("_", "", StringComparison.Ordinal);
        return !int.TryParse(name, out _) && Enum.TryParse<VendorRefusal>(name, ignoreCase: true, out var refusal)
            ? this with { Refuse = refusal }
            : null;
    }

    VendorFaults? ReadCallbacks(string text) =>
        text == "none" ? this with { Callbacks = null }
        : Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? this with { Callbacks = uri }
        : null;

    static bool ArePatterns(string text)
    {
        AllowedRecipients.Parse(text, out var faults);
        return faults.Count == 0;
    }

    static TimeSpan? Span(string text) => Durations.TryParse(text, out var span) ? span : text == "0" ? TimeSpan.Zero : null;

    static double? Probability(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 1
            ? share : null;
}
