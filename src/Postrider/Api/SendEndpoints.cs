using System.Text.Json;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>The calls that hand over mail: <c>POST /emails</c>, <c>/emails/batch</c>, <c>/emails/send</c>.</summary>
static class SendEndpoints
{
    // Above this many the answer to /emails/send leaves the list out; the batch has it.
    const int MaxListed = 1_000;

    const string Example =
        """{"from":"Shop <shop@example.com>","to":["ann@example.com"],"subject":"Your order","text":"It is on its way."}""";

    static readonly string[] Refusals =
    [
        "malformed-json", "invalid-idempotency-key", "idempotency-mismatch", "too-large", "unsupported-media-type", "unknown-field",
        "invalid-field", "no-recipients", "too-many-recipients", "invalid-address", "header-injection", "forbidden-header",
        "too-many-headers", "invalid-attachment", "url-not-allowed", "invalid-time", "no-content", "no-such-template", "template-data",
        "template-limit", "unverified-sender", "no-transport",
        "rate-limited", "queue-full", "quota-spent", "storage-full", "storage-low", "commit-unknown", "draining", "busy",
    ];

    static readonly SendCall<SubmissionRequest> One = new("POST /emails", SendReader.Email, WriteOne, StatusCodes.Status202Accepted);
    static readonly SendCall<List<SubmissionEntry>> Many = new("POST /emails/batch", SendReader.Batch, WriteBatch, StatusCodes.Status200OK);
    static readonly SendCall<DestinationsRequest> ToDestinations =
        new("POST /emails/send", SendReader.Send, WriteDestinations, StatusCodes.Status202Accepted);

    public static void MapSending(this IEndpointRouteBuilder app)
    {
        app.MapPost("/emails", (Delegate)SendAsync).For(Access.Send).TakingMail()
            .Takes<EmailShape>().Answers<SendAnswer>(202)
            .Says("sendEmail", "Hands over one message. The answer comes when it is on disk, not when it is delivered.", Example, Refusals);
        app.MapPost("/emails/batch", (Delegate)SendBatchAsync).For(Access.Send).TakingMail()
            .Takes<IReadOnlyList<EmailShape>>(NdjsonSubmission.MediaType).Answers<BatchAnswer>(200)
            .Says("sendBatch", "Up to 1,000 messages with a result each; as application/x-ndjson any number, answered line by line.",
                $"[{Example}]",
                [.. Refusals, "too-many-messages"]);
        app.MapPost("/emails/send", (Delegate)SendToDestinationsAsync).For(Access.Send).TakingMail()
            .Takes<DestinationsShape>().Answers<DestinationsAnswer>(202)
            .Says("sendToDestinations", "One content for many: a message for each destination, in one batch.",
                """{"from":"news@example.com","destinations":[{"email":"ann@example.com"}],"subject":"News","text":"It works."}""",
                [.. Refusals, "too-many-messages", "no-such-list"]);
    }

    /// <summary>The hot path: one message.</summary>
    static Task SendAsync(HttpContext context, JsonBody bodies, Submitter submitter) =>
        TakeAsync(context, bodies, One, (request, terms) => submitter.SubmitAsync(request, terms, CancellationToken.None));

    static Task SendBatchAsync(HttpContext context, JsonBody bodies, NdjsonSubmission lines, Submitter submitter)
    {
        if (NdjsonSubmission.IsFor(context.Request))
            return lines.RunAsync(context);
        // Only Resend's SDKs send it, and read the answer by their own rules.
        var validation = context.Request.Headers["x-batch-validation"];
        return TakeAsync(
            context, bodies, validation == "permissive" ? Many with { Write = WritePermissiveBatch } : Many,
            (entries, terms) => submitter.SubmitManyAsync(entries, terms, allOrNothing: validation == "strict", CancellationToken.None));
    }

    static Task SendToDestinationsAsync(HttpContext context, JsonBody bodies, Submitter submitter, LargeBatches batches) =>
        TakeAsync(context, bodies, ToDestinations, (request, terms) => request.List is { } list
            ? SendToListAsync(request.Content, list, terms, batches)
            : submitter.SubmitToDestinationsAsync(request.Content, request.Destinations, terms, CancellationToken.None));

    static async Task<SubmissionResult> SendToListAsync(
        SubmissionRequest content, MessageId list, SubmissionContext terms, LargeBatches batches)
    {
        var (added, problem) = await batches.AddAsync(content, terms, list);
        if (added is not { } there)
            return new SubmissionResult.Refused(problem!);
        var receipt = new SubmissionReceipt(there.Batch.Id, []) { Count = there.Batch.Total };
        return there.IsNew ? new SubmissionResult.Accepted(receipt) : new SubmissionResult.Replayed(WriteDestinations(receipt));
    }

    /// <summary>What the three calls have in common. A caller that leaves does not undo what is being stored.</summary>
    static async Task TakeAsync<T>(
        HttpContext context, JsonBody bodies, SendCall<T> call, Func<T, SubmissionContext, Task<SubmissionResult>> submit) where T : class
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        var body = problem is null
            ? await bodies.ReadSendAsync(context, call.Shape, key is null ? null : call.Name)
            : new(null, problem);
        var result = body.Value is { } value
            ? await submit(value, new SubmissionContext(context.Caller.Tenant, key, body.Hash) { Answer = call.Write })
            : new SubmissionResult.Refused(body.Problem!);
        await AnswerAsync(context, result, call);
    }

    static Task AnswerAsync<T>(HttpContext context, SubmissionResult result, SendCall<T> call) where T : class => result switch
    {
        SubmissionResult.Accepted(var receipt) => WriteAsync(context, call.Write(receipt), call.Status),
        SubmissionResult.Replayed(var answer) => WriteAsync(context, answer, call.Status, replayed: true),
        SubmissionResult.Refused(var problem) => ProblemWriter.WriteAsync(context, problem),
        _ => throw new InvalidOperationException($"Unknown result {result.GetType().Name}."),
    };

    public static ReadOnlyMemory<byte> WriteOne(SubmissionReceipt receipt)
    {
        var message = receipt.Items[0].Message!;
        var recipients = new SentRecipientAnswer[message.Recipients.Count];
        for (var i = 0; i < recipients.Length; i++)
        {
            var (recipient, state) = message.Recipients[i];
            recipients[i] = new SentRecipientAnswer(recipient.Mailbox.Address.ToString(), recipient.Kind, state);
        }
        var status = Array.TrueForAll(recipients, r => !r.Status.IsOpen) ? "failed" : "incomplete"; // all suppressed
        return JsonSerializer.SerializeToUtf8Bytes(
            new SendAnswer(message.Id.ToString(), status, null, recipients), ApiJson.Written.SendAnswer);
    }

    static ReadOnlyMemory<byte> WriteBatch(SubmissionReceipt receipt) => ApiJson.Write(writer =>
    {
        writer.WriteStartObject();
        WriteItems(writer, receipt, receipt.Items);
        writer.WriteEndObject();
    });

    /// <summary>As Resend does: the accepted ones alone, and the refused by their places.</summary>
    static ReadOnlyMemory<byte> WritePermissiveBatch(SubmissionReceipt receipt) => ApiJson.Write(writer =>
    {
        writer.WriteStartObject();
        WriteItems(writer, receipt, receipt.Items.Where(item => item.Message is not null));
        writer.WriteStartArray("errors"u8);
        foreach (var (index, item) in receipt.Items.Index())
            if (item.Problem is { } problem)
            {
                writer.WriteStartObject();
                writer.WriteNumber("index"u8, index);
                writer.WriteString("message"u8, problem.Detail);
                writer.WriteEndObject();
            }
        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    static void WriteItems(Utf8JsonWriter writer, SubmissionReceipt receipt, IEnumerable<SubmissionItem> items)
    {
        writer.WriteString("batch_id"u8, receipt.Batch?.ToString());
        writer.WriteStartArray("data"u8);
        foreach (var item in items)
            WriteItem(writer, item);
        writer.WriteEndArray();
    }

    static ReadOnlyMemory<byte> WriteDestinations(SubmissionReceipt receipt)
    {
        List<DestinationAnswer>? emails = receipt.Count > MaxListed || receipt.Items.Count == 0 ? null :
            [.. receipt.Items.Select(
                i => new DestinationAnswer(i.Message!.Id.ToString(), i.Message.Recipients[0].Recipient.Mailbox.Address.ToString()))];
        return JsonSerializer.SerializeToUtf8Bytes(
            new DestinationsAnswer(receipt.Batch!.Value.ToString(), receipt.Count, emails), ApiJson.Written.DestinationsAnswer);
    }

    /// <summary><c>{"id"}</c> or <c>{"error"}</c>.</summary>
    static void WriteItem(Utf8JsonWriter writer, SubmissionItem item)
    {
        writer.WriteStartObject();
        if (item.Message is { } message)
            writer.WriteString("id"u8, message.Id.ToString());
        else
        {
            writer.WritePropertyName("error"u8);
            ProblemWriter.Write(writer, item.Problem!, forResend: true);
        }
        writer.WriteEndObject();
    }

    static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body, int status, bool replayed = false)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        if (replayed)
            response.Headers[IdempotencyKey.Replayed] = "true";
        await response.BodyWriter.WriteAsync(body);
    }
}

/// <summary>How one of the calls is read and answered.</summary>
/// <param name="Name">Method and path: the same body is another request elsewhere.</param>
/// <param name="Status">Of its success.</param>
sealed record SendCall<T>(string Name, Shape<T> Shape, Func<SubmissionReceipt, ReadOnlyMemory<byte>> Write, int Status) where T : class;

/// <summary>The caller's key of a request.</summary>
static class IdempotencyKey
{
    /// <summary>The header of an answer that an earlier call with the key got.</summary>
    public const string Replayed = "Idempotent-Replayed";

    /// <summary>Null without a key; also null with a <paramref name="problem"/> when the header is no key.</summary>
    public static string? Read(HttpRequest request, out Problem? problem)
    {
        problem = null;
        var header = request.Headers["Idempotency-Key"];
        if (header.Count == 0)
            return null;
        if (header is [{ } key] && SubmissionContext.IsKey(key))
            return key;
        problem = SubmissionProblems.InvalidIdempotencyKey;
        return null;
    }
}
