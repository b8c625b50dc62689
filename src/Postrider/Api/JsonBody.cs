using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using Postrider.Hosting;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>Reads one shape out of a JSON body; null with a problem, or a value with none.</summary>
delegate T? Shape<T>(JsonElement body, out Problem? problem) where T : class;

/// <summary>What a body said, or why it said nothing.</summary>
/// <param name="Hash">SHA-256 of call and body in canonical form; null unless asked for.</param>
readonly record struct BodyResult<T>(T? Value, Problem? Problem, byte[]? Hash = null) where T : class;

/// <summary>Reads request bodies, as JSON unless told otherwise, within limits of size and of the memory that all bodies take
/// together.</summary>
sealed class JsonBody(ServerOptions options)
{
    // Most cold calls carry some hundred bytes.
    const long MaxSmallBytes = 1_000_000;

    const long MaxNothingBytes = 4_096;

    // Duplicates would let two readers see two different messages; depth 64 is the platform's default and more than any shape has.
    static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    static readonly Problem WrongType = ProblemCatalog.Make("unsupported-media-type", "The body must be application/json in UTF-8.");
    static readonly Problem Empty = ProblemCatalog.Make("malformed-json", "The body is empty; it must be one JSON value.");
    static readonly Problem NoBody = ProblemCatalog.Make("bad-request", "The call takes no body: leave it out, or send {}.");
    static readonly Problem Busy = ProblemCatalog.Make(
        "busy", "Too many large requests are being read at once. Send it again in a moment.") with
    { RetryAfter = TimeSpan.FromSeconds(1) };

    public static readonly Problem NotCompressed = ProblemCatalog.Make(
        "bad-request", "The body is not compressed as its Content-Encoding says, or it is cut short: send it as it is, without the header.");

    long _bodyBytes; // taken by bodies that are being read, small ones left out

    /// <summary>The body of a send call.</summary>
    /// <param name="hashAs">Method and path of the call, which make the same body another request elsewhere; null: no hash.</param>
    public ValueTask<BodyResult<T>> ReadSendAsync<T>(HttpContext context, Shape<T> shape, string? hashAs) where T : class =>
        ReadAsync(context, shape, options.MaxSendBytes, hashAs);

    /// <summary>The body of any other call.</summary>
    public ValueTask<BodyResult<T>> ReadAsync<T>(HttpContext context, Shape<T> shape) where T : class =>
        ReadAsync(context, shape, MaxSmallBytes, null);

    /// <summary>The body of a call that may come without one.</summary>
    /// <param name="absent">What it then says.</param>
    public ValueTask<BodyResult<T>> ReadOptionalAsync<T>(HttpContext context, Shape<T> shape, T absent) where T : class =>
        context.Request is { ContentLength: null or 0, ContentType: null }
            ? new(new BodyResult<T>(absent, null))
            : ReadAsync(context, shape);

    /// <summary>The body of a call that takes none, of whatever type it says it is. Null: it is empty, or <c>{}</c>.</summary>
    /// <param name="parameters">What the call reads of its address.</param>
    public async ValueTask<Problem?> ReadNothingAsync(HttpContext context, IReadOnlyList<string> parameters)
    {
        var read = await ReadWholeAsync(context, MaxNothingBytes,
            buffer => buffer.IsEmpty ? default : Parse<object>(buffer, Nothing, null), static _ => new BodyResult<object>(null, NoBody));
        return read.Problem is { Slug: "malformed-json" } ? NoBody : read.Problem;

        object? Nothing(JsonElement body, out Problem? problem)
        {
            var faults = new ShapeFaults();
            if (faults.IsObject(body, ""))
                foreach (var member in body.EnumerateObject())
                    faults.Add(ShapeFaults.Below("", member.Name), "unknown-field", $"The call takes no body, and so no field {member.Name}"
                        + (parameters.Contains(member.Name) ? $": it is a parameter, ?{member.Name}=." : "."));
            problem = faults.Any ? faults.ToProblem() : null;
            return null;
        }
    }

    /// <summary>Reads a shape from JSON that is already here. Nothing of the value refers to the memory of
    /// <paramref name="json"/>.</summary>
    public static BodyResult<T> Parse<T>(ReadOnlySequence<byte> json, Shape<T> shape, string? hashAs) where T : class
    {
        if (json.IsEmpty)
            return new(null, Empty);
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            var value = shape(document.RootElement, out var problem);
            return new(value, problem, hashAs is null || value is null ? null : Hash(hashAs, document.RootElement));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is how JsonElement speaks of text that is no Unicode ("\ud800", bytes that are not UTF-8), found when it is read.
            return new(null, Malformed(e as JsonException));
        }
    }

    /// <param name="e">Null where its text is no Unicode.</param>
    static Problem Malformed(JsonException? e)
    {
        const string what = "The body is not one JSON value in UTF-8, or an object in it has the same member twice";
        return ProblemCatalog.Make("malformed-json", e is { LineNumber: { } line, BytePositionInLine: { } at }
            ? string.Create(CultureInfo.InvariantCulture, $"{what}: see line {line + 1}, byte {at + 1}.")
            : what + ".");
    }

    /// <summary>A body of any type, as it came.</summary>
    /// <param name="use">Gets bytes of its own; they count as taken until it is done.</param>
    /// <param name="limit">Null: that of the send calls.</param>
    public async ValueTask<T> ReadBytesAsync<T>(
        HttpContext context, Func<ReadOnlyMemory<byte>, Task<T>> use, Func<Problem, T> refuse, long? limit = null)
    {
        long counted = 0;
        try
        {
            var (bytes, problem) = await ReadWholeAsync(
                context, limit ?? options.MaxSendBytes, buffer => Copy(buffer, ref counted), static problem => ((byte[]?)null, problem));
            return bytes is null ? refuse(problem!) : await use(bytes);
        }
        finally
        {
            GiveBack(counted);
        }
    }

    /// <summary>Counted beside the body itself, as both are there for a moment. One that is alone may always be copied.</summary>
    (byte[]? Bytes, Problem? Problem) Copy(in ReadOnlySequence<byte> body, ref long counted)
    {
        if (body.Length > MaxSmallBytes)
        {
            counted = body.Length;
            var taken = Interlocked.Add(ref _bodyBytes, counted);
            if (taken > options.MaxBodyMemoryBytes && taken > 2 * counted)
                return (null, Busy);
        }
        return (body.ToArray(), null);
    }

    ValueTask<BodyResult<T>> ReadAsync<T>(HttpContext context, Shape<T> shape, long limit, string? hashAs) where T : class =>
        IsJson(context.Request)
            ? ReadWholeAsync(
                context, limit, buffer => Parse(buffer, shape, hashAs), static problem => new BodyResult<T>(null, problem))
            : new(new BodyResult<T>(null, WrongType));

    async ValueTask<T> ReadWholeAsync<T>(HttpContext context, long limit, Func<ReadOnlySequence<byte>, T> parse, Func<Problem, T> refuse)
    {
        if (context.Request.ContentLength > limit)
            return refuse(TooLarge(limit));
        var reader = context.Request.BodyReader;
        long counted = 0;
        try
        {
            while (true)
            {
                if (await ReadMoreAsync(reader) is not { } read)
                    return refuse(NotCompressed);
                var refusal = read.Buffer.Length > limit ? TooLarge(limit) : Count(read.Buffer.Length, ref counted);
                if (refusal is null && !read.IsCompleted)
                {
                    reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    continue;
                }
                var result = refusal is null ? parse(read.Buffer) : refuse(refusal);
                reader.AdvanceTo(read.Buffer.End);
                return result;
            }
        }
        finally
        {
            GiveBack(counted);
        }
    }

    /// <summary>The next bytes; null when they cannot be decompressed.</summary>
    public static async ValueTask<ReadResult?> ReadMoreAsync(PipeReader reader)
    {
        try
        {
            return await reader.ReadAsync();
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            // The first from gzip and deflate, the second from brotli.
            return null;
        }
    }

    void GiveBack(long counted)
    {
        if (counted > 0)
            Interlocked.Add(ref _bodyBytes, -counted);
    }

    /// <summary>Counts a body that has grown by more than a small one's size. Not null: all together take too much memory now.</summary>
    Problem? Count(long length, ref long counted)
    {
        if (length - counted <= MaxSmallBytes)
            return null;
        var taken = Interlocked.Add(ref _bodyBytes, length - counted);
        counted = length;
        return taken > options.MaxBodyMemoryBytes ? Busy : null;
    }

    public static Problem TooLarge(long limit) => ProblemCatalog.Make("too-large", $"The body is larger than {limit:N0} bytes.");

    static byte[] Hash(string call, JsonElement body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(call));
        CanonicalJson.Append(hash, body);
        return hash.GetHashAndReset();
    }

    static bool IsJson(HttpRequest request) =>
        (request.ContentType is "application/json" || IsJsonWithParameters(request.ContentType))
        && request.Headers.ContentEncoding.Count == 0; // one that is left was not decompressed

    static bool IsJsonWithParameters(string? contentType) => MediaTypeHeaderValue.TryParse(contentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));
}
