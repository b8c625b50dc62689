using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.Ses;

/// <summary>A pair of an AWS key, with the session token of temporary ones.</summary>
sealed record SesKey(string AccessKeyId, string Secret, string? SessionToken = null);

/// <summary>AWS Signature Version 4 for the service <c>ses</c>: the same code signs what we send and verifies what is sent to us.</summary>
/// <remarks>Steps and names as in "Create a signed AWS API request" (AWS General Reference). Headers and body are taken as they are on the
/// wire.</remarks>
static class SigV4
{
    public const string Algorithm = "AWS4-HMAC-SHA256";
    public const string DateHeader = "x-amz-date";
    public const string BodyHashHeader = "x-amz-content-sha256";
    public const string TokenHeader = "x-amz-security-token";
    const string Service = "ses";
    const string Terminator = "aws4_request";
    const string DateFormat = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>The headers that a request needs beside those it has: date, body hash, token, Authorization.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Sign(SigV4Request request, SesKey key, string region, DateTimeOffset now)
    {
        var date = now.UtcDateTime.ToString(DateFormat, CultureInfo.InvariantCulture);
        var hash = HashOf(request.Body.Span);
        List<KeyValuePair<string, string>> own = [new(DateHeader, date), new(BodyHashHeader, hash)];
        if (key.SessionToken is { } token)
            own.Add(new(TokenHeader, token));
        List<KeyValuePair<string, string>> all = [.. request.Headers, .. own];
        List<string> names = [.. all.Select(header => header.Key.ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal)];
        var scope = new SigV4Scope(date[..8], region, Service);
        var signature = Signature(key.Secret, scope, date, Canonical(request.Method, request.Target, all, names, hash));
        own.Add(new("Authorization",
            $"{Algorithm} Credential={key.AccessKeyId}/{scope}, SignedHeaders={string.Join(';', names)}, Signature={signature}"));
        return own;
    }

    /// <summary>Lower-case hex of the signature over a canonical request.</summary>
    /// <param name="date">As it stands in the request: <c>20300101T000000Z</c>.</param>
    public static string Signature(string secret, SigV4Scope scope, string date, string canonical)
    {
        var toSign = $"{Algorithm}\n{date}\n{scope}\n{HashOf(Encoding.UTF8.GetBytes(canonical))}";
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (var part in new[] { scope.Date, scope.Region, scope.Service, Terminator })
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)));
    }

    /// <param name="target">Path and query as they stand in the request line.</param>
    /// <param name="names">Lower case, in the order signed.</param>
    public static string Canonical(
        string method, string target, IReadOnlyList<KeyValuePair<string, string>> headers, IReadOnlyList<string> names, string bodyHash)
    {
        var question = target.IndexOf('?', StringComparison.Ordinal);
        var text = new StringBuilder();
        text.Append(method).Append('\n');
        text.Append(CanonicalPath(question < 0 ? target : target[..question])).Append('\n');
        text.Append(question < 0 ? "" : CanonicalQuery(target[(question + 1)..])).Append('\n');
        foreach (var name in names)
        {
            var values = headers.Where(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase))
                .Select(header => Collapse(header.Value));
            text.Append(name).Append(':').AppendJoin(',', values).Append('\n');
        }
        return text.Append('\n').AppendJoin(';', names).Append('\n').Append(bodyHash).ToString();
    }

    public static string HashOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>The instant of a request, or null.</summary>
    public static DateTimeOffset? DateOf(string text) =>
        DateTimeOffset.TryParseExact(text, DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? date
            : null;

    /// <summary>Empty segments and dots are resolved, then each segment is percent-encoded once more; our own paths stay as they
    /// are.</summary>
    static string CanonicalPath(string path)
    {
        var segments = new List<string>();
        foreach (var segment in path.Split('/'))
        {
            if (segment == ".." && segments.Count > 0)
                segments.RemoveAt(segments.Count - 1);
            else if (segment is not ("" or "." or ".."))
                segments.Add(Uri.EscapeDataString(segment));
        }
        var isFolder = path.EndsWith('/') && segments.Count > 0;
        return "/" + string.Join('/', segments) + (isFolder ? "/" : "");
    }

    static string CanonicalQuery(string query) => string.Join('&', query.Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2))
        .Select(pair => (Name: Reescape(pair[0]), Value: pair.Length > 1 ? Reescape(pair[1]) : ""))
        .OrderBy(pair => pair.Name, StringComparer.Ordinal).ThenBy(pair => pair.Value, StringComparer.Ordinal)
        .Select(pair => $"{pair.Name}={pair.Value}"));

    static string Reescape(string text) => Uri.EscapeDataString(Uri.UnescapeDataString(text));

    /// <summary>Trimmed, runs of spaces as one.</summary>
    static string Collapse(string value) => string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}

/// <summary>A request that is to be signed.</summary>
/// <param name="Target">Path and query as they will stand in the request line.</param>
/// <param name="Headers">Those to be signed: host and content-type at least, as they will stand on the wire.</param>
sealed record SigV4Request(
    string Method, string Target, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body);

/// <summary>What a signature is good for. Its text is the credential scope.</summary>
/// <param name="Date"><c>yyyyMMdd</c>.</param>
readonly record struct SigV4Scope(string Date, string Region, string Service)
{
    public override string ToString() => $"{Date}/{Region}/{Service}/aws4_request";
}

/// <summary>Why a signed request does not stand.</summary>
enum SigV4Fault : byte { None, Missing, Malformed, Expired, Mismatch, TokenRefused }

/// <summary>The Authorization header of a signed request, taken apart.</summary>
sealed record SigV4Authorization(string AccessKeyId, SigV4Scope Scope, IReadOnlyList<string> SignedHeaders, string Signature)
{
    /// <summary>AWS allows 5 minutes for most services; 15 spare clients with bad clocks, and a repetition is told by its invocation
    /// id.</summary>
    static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    /// <summary>Null when there is none of this kind, or it is malformed.</summary>
    public static SigV4Authorization? Read(InboundCall call)
    {
        if (call.Header("Authorization") is not { } header || !header.StartsWith(SigV4.Algorithm + " ", StringComparison.Ordinal))
            return null;
        string? credential = null, names = null, signature = null;
        foreach (var part in header[SigV4.Algorithm.Length..].Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.StartsWith("Credential=", StringComparison.Ordinal))
                credential = part["Credential=".Length..];
            else if (part.StartsWith("SignedHeaders=", StringComparison.Ordinal))
                names = part["SignedHeaders=".Length..];
            else if (part.StartsWith("Signature=", StringComparison.Ordinal))
                signature = part["Signature=".Length..];
        }
        return credential?.Split('/') is [{ Length: > 0 } id, { Length: 8 } date, { Length: > 0 } region, "ses", "aws4_request"]
            && names is not null && signature is not null
            ? new SigV4Authorization(id, new SigV4Scope(date, region, "ses"), names.Split(';'), signature)
            : null;
    }

    public SigV4Fault Verify(InboundCall call, string secret, DateTimeOffset now)
    {
        // Only the host that the client meant and the time it meant make a signature worth anything; what claims to be AWS's own must be
        // signed.
        var isComplete = SignedHeaders.Contains("host") && SignedHeaders.Contains(SigV4.DateHeader)
            && call.Headers.All(header => !header.Key.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase)
                || SignedHeaders.Contains(header.Key.ToLowerInvariant()));
        if (!isComplete || call.Header(SigV4.DateHeader) is not { } date || SigV4.DateOf(date) is not { } at
            || !date.StartsWith(Scope.Date, StringComparison.Ordinal))
            return SigV4Fault.Malformed;
        if (call.Header(SigV4.TokenHeader) is not null)
            return SigV4Fault.TokenRefused;
        if ((now - at).Duration() > Window)
            return SigV4Fault.Expired;
        var hash = SigV4.HashOf(call.Body.Span);
        if (call.Header(SigV4.BodyHashHeader) is { } claimed && claimed != hash)
            return SigV4Fault.Mismatch;
        var expected = SigV4.Signature(secret, Scope, date, SigV4.Canonical(call.Method, call.Target, call.Headers, SignedHeaders, hash));
        return CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(Signature))
            ? SigV4Fault.None
            : SigV4Fault.Mismatch;
    }
}
