using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Postrider.Hosting;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>A stream of messages, one JSON object a line, of any length: each is accepted by itself and answered by a line of its own, in
/// order, after its commit.</summary>
/// <remarks>
/// Two loops: one reads lines and submits them, many at once; the other writes results in the order of the lines. With an Idempotency-Key
/// K the
/// line n has the key K:n, so a broken stream is sent again from its start and what was accepted is not accepted twice.
/// A client should read while it sends: when it lets too many results wait, reading stops until it takes some.
/// </remarks>
sealed class NdjsonSubmission(Submitter submitter, ServerOptions options, IHostApplicationLifetime lifetime)
{
    public const string MediaType = "application/x-ndjson";

    // Results that a client may leave unread, about 10 MB of them, before reading stops.
    const int MaxUnread = 65_536;

    // K, a colon and 14 digits must fit into a key.
    const int MaxKeyLength = 240;

    public static bool IsFor(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            && type.MediaType.Equals(MediaType, StringComparison.OrdinalIgnoreCase);

    public async Task RunAsync(HttpContext context)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        if (key?.Length > MaxKeyLength)
            problem = SubmissionProblems.InvalidIdempotencyKey;
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }
        LiftLimits(context);
        context.Response.ContentType = MediaType;
        await context.Response.BodyWriter.FlushAsync(); // the head goes at once: a client may wait for it before it sends
        var results = Channel.CreateBounded<Task<byte[]>>(
            new BoundedChannelOptions(MaxUnread) { SingleReader = true, SingleWriter = true });
        using var stream = new NdjsonStream(
            submitter, context.Caller.Tenant, key, options.MaxSendBytes, results.Writer, lifetime.ApplicationStopping);
        await Task.WhenAll(stream.ReadAsync(context.Request.BodyReader), WriteResultsAsync(context.Response.BodyWriter, results.Reader));
    }

    // A producer may be slow, and the whole may be larger than any single body.
    public static void LiftLimits(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (context.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    static async Task WriteResultsAsync(PipeWriter writer, ChannelReader<Task<byte[]>> results)
    {
        var broken = false;
        while (await results.WaitToReadAsync())
        {
            while (results.TryRead(out var result))
            {
                // Lines go together as long as none has to be waited for.
                if (!result.IsCompleted && !broken)
                    broken = (await writer.FlushAsync()).IsCompleted;
                var line = await result;
                if (!broken) // when the client is gone, what was read is still accepted
                    writer.Write(line);
            }
            broken = broken || (await writer.FlushAsync()).IsCompleted;
        }
    }
}
