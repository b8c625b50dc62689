using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>Reads the members of callbacks, which are the vendors' own and may miss or be of another kind.</summary>
static class CallbackText
{
    extension(JsonElement item)
    {
        /// <summary>Null when there is no such member, or it is no text, or no text that can be (half a surrogate pair), or this is no
        /// object.</summary>
        public string? Text(string name) => item.Member(name) is { ValueKind: JsonValueKind.String } value ? TextOf(value) : null;

        /// <summary>Undefined when there is no such member, or this is no object.</summary>
        public JsonElement Member(string name) =>
            item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) ? value : default;

        /// <summary>A member in ISO 8601, in UTC where it names no zone; null when it is none.</summary>
        public DateTimeOffset? Instant(string name) => DateTimeOffset.TryParse(
            item.Text(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
                ? at : null;
    }

    /// <summary>What is made of a callback's body; refused when it is no JSON.</summary>
    public static FeedbackReading ReadJson(InboundCall call, Func<JsonElement, FeedbackReading> read)
    {
        try
        {
            using var body = JsonDocument.Parse(call.Body);
            return read(body.RootElement);
        }
        catch (JsonException)
        {
            return new FeedbackReading.Refused(400, "not JSON");
        }
    }

    /// <summary>The same for a body that is one event.</summary>
    /// <param name="read">Gets an object; null when it cannot be read.</param>
    public static FeedbackReading ReadEvent(InboundCall call, Func<JsonElement, FeedbackEvent?> read) =>
        ReadJson(call, body => body.ValueKind == JsonValueKind.Object
            ? FeedbackReading.Events.Of(read(body))
            : new FeedbackReading.Refused(400, "not an event"));

    /// <summary>Of an element that is a text; null when it cannot be one: the parser checks the syntax, not the UTF-8 and surrogates
    /// within.</summary>
    public static string? TextOf(JsonElement text)
    {
        try
        {
            return text.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>An SMTP reply out of a vendor's words; the code is 0 where they do not start with one. Null for no words.</summary>
    public static Reply? ReplyOf(string? words, int code = 0, string? enhanced = null)
    {
        if (string.IsNullOrWhiteSpace(words))
            return code == 0 ? null : new Reply(code, enhanced, "");
        var line = new string([.. words.ReplaceLineEndings(" ").Take(1_000).Select(c => char.IsControl(c) ? ' ' : c)]);
        if (code == 0 && line.Length >= 3 && int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture,
            out var number) && number is >= 200 and < 600)
            code = number;
        return new Reply(code, enhanced, line);
    }

    /// <summary>Whether a text is the secret, in a time that does not tell how much of it is right.</summary>
    public static bool IsSecret(string? text, string secret) =>
        text is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(text)),
            SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    /// <summary>User and password of an Authorization header; null when it is none of kind Basic (RFC 7617).</summary>
    public static (string User, string Password)? Basic(string? header)
    {
        const string Scheme = "Basic ";
        if (header is null || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return null;
        var encoded = header.AsSpan(Scheme.Length).Trim();
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64Chars(encoded, bytes, out var length))
            return null;
        var text = Encoding.UTF8.GetString(bytes, 0, length);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : (text[..colon], text[(colon + 1)..]);
    }
}
