using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Webhooks;

/// <summary>Header fields that a customer adds to its webhooks, such as Authorization.</summary>
/// <remarks>Stricter than what the HTTP client would take: a line break would make two fields of one.</remarks>
public static class WebhookHeaders
{
    const int Most = 10;
    const int MaxNameLength = 100;
    const int MaxValueLength = 1_000;

    // RFC 9110 §5.6.2.
    static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    // What frames the request, names its target, or is ours to say.
    static readonly HashSet<string> Reserved = new(
        ["host", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer",
            "expect", "http2-settings", "user-agent", "date"],
        StringComparer.OrdinalIgnoreCase);

    static readonly string[] ReservedBeginnings = ["webhook-", "content-", "proxy-", "sec-"];

    /// <summary>What is wrong, by name; null: nothing.</summary>
    public static (string Name, string Fault)? FaultOf(IReadOnlyDictionary<string, string> headers)
    {
        if (headers.Count > Most)
            return ("", $"There may be at most {Most} header fields.");
        foreach (var (name, value) in headers)
        {
            if (name.Length is 0 or > MaxNameLength || name.AsSpan().ContainsAnyExcept(NameCharacters))
                return (name, "This is no name of a header field.");
            if (Reserved.Contains(name) || Array.Exists(ReservedBeginnings, b => name.StartsWith(b, StringComparison.OrdinalIgnoreCase)))
                return (name, "This header field is set by Postrider.");
            if (value.Length > MaxValueLength || value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                return (name, "A value has at most 1,000 characters of printable ASCII, without line breaks.");
        }
        using var probe = new HttpRequestMessage();
        foreach (var (name, value) in headers)
        {
            try
            {
                probe.Headers.Add(name, value);
            }
            catch (Exception e) when (e is FormatException or InvalidOperationException)
            {
                return (name, "The value does not have the form that this header field has.");
            }
        }
        return headers.Keys.GroupBy(n => n, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Skip(1).Any()) is { } twice
            ? (twice.Key, "This header field is given twice.") : null;
    }

    internal static byte[] Write(IReadOnlyDictionary<string, string> headers) =>
        JsonSerializer.SerializeToUtf8Bytes(headers, WebhookHeadersJson.Default.IReadOnlyDictionaryStringString);

    internal static IReadOnlyDictionary<string, string> Read(byte[] json) =>
        JsonSerializer.Deserialize(json, WebhookHeadersJson.Default.IReadOnlyDictionaryStringString) ?? new Dictionary<string, string>();
}

[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
sealed partial class WebhookHeadersJson : JsonSerializerContext;
