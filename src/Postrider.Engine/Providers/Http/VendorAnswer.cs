using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>How far a call to a vendor got.</summary>
enum VendorAnswerKind : byte
{
    /// <summary>Status line, headers and the whole body were read.</summary>
    Answered,
    /// <summary>The request was surely not whole when it broke off.</summary>
    Unsent,
    /// <summary>It may have been accepted.</summary>
    Unknown,
    /// <summary>Our own commit point took it back; nothing was sent.</summary>
    Withdrawn,
}

/// <summary>What a call to a vendor came to.</summary>
sealed class VendorAnswer
{
    const int MaxTextLength = 1000;

    readonly HttpResponseHeaders? _headers;

    public VendorAnswer(string method, int status, HttpResponseHeaders headers, ReadOnlyMemory<byte> body) =>
        (Method, Status, _headers, Body) = (method, status, headers, body);

    /// <param name="words">What went wrong.</param>
    public VendorAnswer(string method, string words, VendorAnswerKind kind) => (Method, Words, Kind) = (method, words, kind);

    public VendorAnswerKind Kind { get; } = VendorAnswerKind.Answered;

    /// <summary>0 when there was no answer.</summary>
    public int Status { get; }
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>Null when it named no time; not yet capped.</summary>
    public TimeSpan? RetryAfter { get; init; }

    string Method { get; }

    /// <summary>Null for an answer.</summary>
    string? Words { get; }

    /// <summary>The first value of a header, or null.</summary>
    public string? Header(string name) =>
        _headers is not null && _headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    /// <summary>The body in a shape of the vendor's; null when it is none.</summary>
    public T? As<T>(JsonTypeInfo<T> shape) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body.Span, shape);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>An outcome in the vendor's own words.</summary>
    /// <param name="enhanced">The RFC 3463 code that says the same, or null.</param>
    public Outcome ToOutcome(OutcomeKind kind, OutcomeScope scope, string words, string? enhanced = null) =>
        new(kind, scope, new Reply(Status, enhanced, OneLine(words), Method), RetryAfter);

    /// <param name="id">Under which the vendor knows it.</param>
    public Outcome ToAccepted(string vendor, string id) =>
        ToOutcome(OutcomeKind.Accepted, OutcomeScope.Recipient, $"accepted by {vendor} as {id}", "2.0.0") with { ProviderId = id };

    /// <param name="otherwise">How long to wait where there is no Retry-After; null when nobody says.</param>
    public Outcome ToThrottled(string words, TimeSpan? otherwise) =>
        ToOutcome(OutcomeKind.Throttled, OutcomeScope.Transport, words) with { RetryAfter = RetryAfter ?? otherwise };

    /// <summary>What HTTP itself says where the vendor's own shape was not seen: of a success, of a refusal, of a fault.</summary>
    /// <param name="vendor">Its name, for the words.</param>
    public Outcome WithoutShape(string vendor)
    {
        switch (Kind)
        {
            case VendorAnswerKind.Unsent:
                return ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, $"{vendor}: {Words}");
            case VendorAnswerKind.Unknown:
                return ToOutcome(OutcomeKind.Unknown, OutcomeScope.Transport, $"{vendor}: {Words}; it may have been accepted");
            case VendorAnswerKind.Withdrawn:
                // Withdrawn by ourselves: the one outcome of which no circuit is told.
                return ToOutcome(OutcomeKind.Unfit, OutcomeScope.Recipient, "withdrawn before it was sent");
        }
        var said = $"{vendor} answered {Status}: {Excerpt()}";
        return Status switch
        {
            >= 300 and < 400 =>
                ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, $"{vendor} answered {Status}, a redirect: the endpoint is wrong"),
            408 => ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, said),
            413 => ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, said, "5.3.4"),
            429 => ToOutcome(OutcomeKind.Throttled, OutcomeScope.Transport, said),
            >= 400 and < 500 => ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, said),
            _ => ToOutcome(
                OutcomeKind.Unknown, OutcomeScope.Transport, $"{said}; that is no answer of {vendor}'s, it may have been accepted"),
        };
    }

    string Excerpt() => Body.IsEmpty ? "no text" : Encoding.UTF8.GetString(Body.Span[..Math.Min(Body.Length, 300)]);

    /// <summary>Untrusted text as one line without control characters, at most <see cref="MaxTextLength"/> characters.</summary>
    static string OneLine(string text)
    {
        var cut = text.Length <= MaxTextLength ? text : text[..MaxTextLength];
        return cut.AsSpan().IndexOfAnyInRange('\0', '\u001f') < 0 ? cut : string.Create(cut.Length, cut, static (line, from) =>
        {
            for (var i = 0; i < line.Length; i++)
                line[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });
    }
}

/// <summary>Reads how long a vendor asks us to wait (RFC 9110 §10.2.3).</summary>
static class RetryAfterReader
{
    /// <summary>Numbers beyond it are cut to it, so that sums of instants cannot overflow; the policy caps far below.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    /// <summary>Null when there is no such header or it is neither a number of seconds nor a date.</summary>
    public static TimeSpan? Read(HttpResponseHeaders headers, DateTimeOffset now)
    {
        if (!headers.TryGetValues("Retry-After", out var values) || values.FirstOrDefault()?.Trim() is not { } text)
            return null;
        if (text.Length > 0 && text.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0)
            return text.Length > 9 ? Longest : Cut(TimeSpan.FromSeconds(int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture)));
        // A date counts from the sender's own clock where it told it.
        return DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.None, out var at)
            ? Cut(at - (headers.Date ?? now))
            : null;
    }

    static TimeSpan Cut(TimeSpan span) => span < TimeSpan.Zero ? TimeSpan.Zero : span > Longest ? Longest : span;
}
