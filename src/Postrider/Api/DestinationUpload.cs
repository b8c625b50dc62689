using System.Text.Json;
using Microsoft.Net.Http.Headers;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>Where destinations go that are read from a body.</summary>
interface IDestinationSink
{
    /// <summary>How far an earlier call with this key came. Null: the same twice is the same here, so keys are not kept.</summary>
    Task<AppendedPart?> FindAsync(string key, CancellationToken ct);

    /// <summary>Whose storage they take; null: it is not counted.</summary>
    TenantId? Owner => null;

    /// <summary>Why a file with these fields, beside address and name, is not read; null: it is.</summary>
    Problem? FaultOfFields(IReadOnlyList<string> fields) => null;

    /// <summary>Why this one is not taken; null: it is.</summary>
    DestinationFault? FaultOf(StoredDestination destination) => null;

    /// <summary>Keeps a part; with a problem nothing more is read.</summary>
    Task<(AppendedPart Part, Problem? Problem)> AppendAsync(BatchPart part);
}

/// <summary>What came of a body.</summary>
/// <param name="IsReplayed">An earlier call with the same key brought all of it.</param>
sealed record UploadResult(AppendedPart Part, IReadOnlyList<DestinationErrorAnswer> Errors, bool IsReplayed)
{
    public UploadAnswer Answer(string id, int count) => new(id, Part.Lines, Part.Accepted, Part.Refused, count, Errors);
}

/// <summary>Reads bodies of any length with a destination a line, as CSV or JSON, and keeps them part by part: memory holds one part, and
/// with an Idempotency-Key a call that broke is sent again from its start and goes on where it was, if it brings the same lines.</summary>
sealed class DestinationUpload(
    ReadDestinations destinations, JsonBody bodies, Submitter submitter, IHostApplicationLifetime lifetime)
{
    const string Json = "application/json";
    const string Csv = "text/csv";
    const int MaxListed = 100;

    public static readonly string[] Refusals =
    [
        "malformed-json", "too-large", "invalid-idempotency-key", "not-found", "unsupported-media-type", "invalid-field", "bad-csv", "bad-encoding", "draining",
        "storage-low", "storage-full",
    ];

    static readonly Problem WrongType = ProblemCatalog.Make(
        "unsupported-media-type", "Send destinations as text/csv with a header line, as application/x-ndjson with a JSON value a line, or as a list in application/json.");

    public static DocumentedParameters Parameters(string name, string description) => new(
    [
        new("map", "Of CSV: FIELD:COLUMN, as often as needed, where a field's column has another name: email:E-Mail.", IsRepeated: true),
        new("delimiter", "Of CSV: comma, semicolon or tab. Default: found out."), new(name, description),
    ]);

    public static DestinationErrorAnswer Error(DestinationFault fault) => new(fault.N, fault.Email, fault.Slug, fault.Detail);

    /// <summary>Null: a problem was answered.</summary>
    public async Task<UploadResult?> RunAsync(HttpContext context, IDestinationSink sink)
    {
        var (result, problem) = await ReadAsync(context, sink);
        if (problem is null)
            return result;
        await ProblemWriter.WriteAsync(context, problem);
        return null;
    }

    /// <summary>A file in CSV, as the body of a call.</summary>
    /// <param name="header">Its columns where it has no header; null: the first line names them.</param>
    public async Task<(UploadResult? Result, Problem? Problem)> CsvAsync(
        TextReader text, IReadOnlyDictionary<string, string> map, IReadOnlyList<string>? header, IDestinationSink sink,
        CancellationToken ct)
    {
        Problem? unreadable = null;
        var lines = destinations.CsvAsync(text, map, null, header, sink.FaultOfFields, p => unreadable = p, ct);
        return await KeepAsync(lines, new UploadParts(sink, submitter), () => unreadable);
    }

    async Task<(UploadResult? Result, Problem? Problem)> ReadAsync(HttpContext context, IDestinationSink sink)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        var map = problem is null ? Map(context.Request.Query, out problem) : null;
        var delimiter = problem is null ? Delimiter(context.Request.Query, out problem) : null;
        var type = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var given) ? given.MediaType.Value : null;
        if (problem is not null)
            return (null, problem);
        var ct = context.RequestAborted;
        var parts = key is not null && await sink.FindAsync(key, ct) is { } earlier
            ? new UploadParts(sink, submitter, key, earlier) : new UploadParts(sink, submitter);
        parts.Tell([.. map!.OrderBy(m => m.Key, StringComparer.Ordinal).SelectMany(m => (string[])[m.Key, m.Value])]);
        using var text = ReadDestinations.Open(context.Request.Body);
        Problem? unreadable = null;
        IAsyncEnumerable<DestinationLine> lines;
        switch (type?.ToLowerInvariant())
        {
            case Csv:
                lines = destinations.CsvAsync(text, map!, delimiter, null, sink.FaultOfFields, p => unreadable = p, ct);
                break;
            case NdjsonSubmission.MediaType: lines = destinations.LinesAsync(text, ct); break;
            case Json:
                var body = await bodies.ReadSendAsync<IReadOnlyList<DestinationLine>>(context, ReadList, key is null ? null : "");
                if (body.Value is null)
                    return (null, body.Problem);
                if (body.Hash is { } hash)
                    parts.Tell([Convert.ToHexString(hash)]);
                lines = body.Value.ToAsyncEnumerable();
                break;
            default: return (null, WrongType);
        }
        NdjsonSubmission.LiftLimits(context);
        return await KeepAsync(lines, parts, () => unreadable);
    }

    IReadOnlyList<DestinationLine>? ReadList(JsonElement body, out Problem? problem)
    {
        problem = body.ValueKind == JsonValueKind.Array ? null
            : ProblemCatalog.Make("invalid-field", "Must be a list of destinations; each is a text or an object with an email.");
        return problem is null ? destinations.Of(body) : null;
    }

    async Task<(UploadResult? Result, Problem? Problem)> KeepAsync(
        IAsyncEnumerable<DestinationLine> lines, UploadParts parts, Func<Problem?> unreadable)
    {
        try
        {
            await foreach (var line in lines)
            {
                if (lifetime.ApplicationStopping.IsCancellationRequested)
                    return (null, await parts.FlushAsync() ?? SubmissionProblems.Draining);
                if (await parts.AddAsync(line) is { } refusal)
                    return (null, refusal);
                if (line.IsLast)
                    break;
            }
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            return (null, JsonBody.NotCompressed); // as in JsonBody.ReadMoreAsync
        }
        return (unreadable() ?? await parts.EndAsync()) is { } fault ? (null, fault) : (parts.Result, null);
    }

    static Dictionary<string, string>? Map(IQueryCollection query, out Problem? problem)
    {
        problem = null;
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in query["map"])
            if (entry?.IndexOf(':', StringComparison.Ordinal) is not (> 0 and var colon)
                || !map.TryAdd(entry[..colon], entry[(colon + 1)..].Trim()))
            {
                problem = ProblemCatalog.Make("invalid-field", "map must be FIELD:COLUMN, once for each field, such as email:E-Mail.");
                return null;
            }
        return map;
    }

    static char? Delimiter(IQueryCollection query, out Problem? problem)
    {
        problem = null;
        switch (query["delimiter"].ToString())
        {
            case "": return null;
            case "comma": return ',';
            case "semicolon": return ';';
            case "tab": return '\t';
            default:
                problem = ProblemCatalog.Make("invalid-field", "delimiter must be comma, semicolon or tab.");
                return null;
        }
    }
}

/// <summary>Says what bodies with destinations are.</summary>
static class DestinationUploads
{
    public static RouteHandlerBuilder TakesDestinations(this RouteHandlerBuilder builder) =>
        builder.Takes<IReadOnlyList<DestinationShape>>("text/csv", NdjsonSubmission.MediaType);
}
