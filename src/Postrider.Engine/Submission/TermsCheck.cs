using System.Globalization;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Reads how a message is to be treated: its times, its stream, the names it is found by.</summary>
static class TermsCheck
{
    const int MaxTagLength = 128;
    const int MaxNameLength = 64;
    const int MaxValueLength = 1_000;
    const int MaxOrderingKeyLength = 128;

    public static MailStream Stream(string? stream, MailStream otherwise, Faults faults)
    {
        switch (stream)
        {
            case null: return otherwise;
            case "transactional": return MailStream.Transactional;
            case "bulk": return MailStream.Bulk;
            default:
                faults.Add("/stream", "invalid-field", "The stream is 'transactional' or 'bulk'.");
                return otherwise;
        }
    }

    /// <summary>Null when the message leaves it open.</summary>
    public static AmbiguityPolicy? OnAmbiguous(string? policy, Faults faults)
    {
        switch (policy)
        {
            case null: return null;
            case "retry": return AmbiguityPolicy.Retry;
            case "hold": return AmbiguityPolicy.Hold;
            default:
                faults.Add("/on_ambiguous", "invalid-field", "on_ambiguous is 'retry' (at least once) or 'hold' (at most once).");
                return null;
        }
    }

    /// <summary>Null: now. A time that is past is now.</summary>
    public static DateTimeOffset? SendAt(string? text, DateTimeOffset now, SubmissionOptions options, Faults faults)
    {
        if (text is null)
            return null;
        if (!TimeText.TryParseInstant(text, out var at))
            faults.Add("/send_at", "invalid-time",
                "send_at is a date and time with zone (RFC 3339), such as 2026-03-01T09:30:00Z or 2026-03-01T09:30:00+01:00.");
        else if (at - now > options.MaxSendAhead)
            faults.Add("/send_at", "invalid-time", $"send_at is more than {options.MaxSendAhead.TotalDays:0} days ahead.");
        else
            return at > now ? at : null;
        return null;
    }

    public static TimeSpan ExpiresIn(string? text, SubmissionOptions options, Faults faults)
    {
        if (text is null)
            return options.DefaultExpiresIn;
        if (TimeText.TryParseSpan(text, out var span) && span > TimeSpan.Zero && span <= options.MaxExpiresIn)
            return span;
        faults.Add("/expires_in", "invalid-field",
            "expires_in is a number of seconds, or one with a unit such as 90m, 24h or 2d; "
            + $"at least 1 s, at most {options.MaxExpiresIn.TotalDays:0.#} days.");
        return options.DefaultExpiresIn;
    }

    /// <summary>Null for none; one in flight per key is kept in order.</summary>
    public static string? OrderingKey(string? key, Faults faults)
    {
        if (key is not null && !IsText(key, 1, MaxOrderingKeyLength))
            faults.Add("/ordering_key", "invalid-field",
                $"An ordering key has 1 to {MaxOrderingKeyLength} characters, without control characters.");
        return key;
    }

    public static string? Route(string? route, Faults faults)
    {
        if (route is not null && !IsText(route, 1, MaxNameLength))
            faults.Add("/route", "invalid-field", $"The name of a route has 1 to {MaxNameLength} characters, without control characters.");
        return route;
    }

    public static void Tags(IReadOnlyList<string> tags, SubmissionOptions options, Faults faults)
    {
        if (tags.Count > options.MaxTags)
        {
            faults.Add("/tags", "invalid-field", $"The message has {tags.Count:N0} tags; at most {options.MaxTags:N0} are taken.");
            return;
        }
        for (var i = 0; i < tags.Count; i++)
        {
            if (!IsText(tags[i], 1, MaxTagLength))
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"/tags/{i}"), "invalid-field",
                    $"A tag has 1 to {MaxTagLength} characters, without control characters.");
        }
    }

    public static void Metadata(IReadOnlyList<MetadataEntry> entries, SubmissionOptions options, Faults faults)
    {
        if (entries.Count > options.MaxMetadata)
        {
            faults.Add("/metadata", "invalid-field",
                $"The message has {entries.Count:N0} metadata entries; at most {options.MaxMetadata:N0} are taken.");
            return;
        }
        for (var i = 0; i < entries.Count; i++)
        {
            var (name, value) = entries[i];
            if (!IsText(name, 1, MaxNameLength) || !IsText(value, 0, MaxValueLength))
            {
                faults.Add($"/metadata/{Faults.Token(name)}", "invalid-field",
                    $"The name of a metadata entry has 1 to {MaxNameLength} characters, its value up to {MaxValueLength:N0}, "
                    + "both without control characters.");
            }
        }
    }

    static bool IsText(string text, int min, int max) => text.Length >= min && text.Length <= max && HeaderText.IsSafe(text, out _);
}
