using System.Text.Json;
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
        "invalid-field", "not-available", "no-recipients", "too-many-recipients", "invalid-address", "header-injection", "forbidden-header",
        "too-many-headers", "invalid-attachment", "url-not-allowed", "invalid-time", "no-content", "unverified-sender", "no-transport",
        "rate-limited", "queue-full", "storage-low", "commit-unknown", "draining",
    ];

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
                [.. Refusals, "too-many-messages"]);
    }

    /// <summary>The hot path: one message. A caller that leaves does not undo what is being stored.</summary>
    static async Task SendAsync(HttpContext context, JsonBody bodies, Submitter submitter)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        var body = problem is null
            ? await bodies.ReadSendAsync(context, SendReader.Email, key is null ? null : "POST /emails")
            : new(null, problem);
        var result = body.Value is null
            ? new SubmissionResult.Refused(body.Problem!)
            : await submitter.SubmitAsync(body.Value, Context(context, key, body.Hash, WriteOne), CancellationToken.None);
        await AnswerAsync(context, result, WriteOne, StatusCodes.Status202Accepted);
    }

    static async Task SendBatchAsync(HttpContext context, JsonBody bodies, NdjsonSubmission lines, Submitter submitter)
    {
        if (NdjsonSubmission.IsFor(context.Request))
        {
            await lines.RunAsync(context);
            return;
        }
        var key = IdempotencyKey.Read(context.Request, out var problem);
        var body = problem is null
            ? await bodies.ReadSendAsync(context, SendReader.Batch, key is null ? null : "POST /emails/batch")
            : new(null, problem);
        // Only Resend's SDKs send it, and read the answer by their own rules.
        var validation = context.Request.Headers["x-batch-validation"];
        Func<SubmissionReceipt, ReadOnlyMemory<byte>> write = validation == "permissive" ? WritePermissiveBatch : WriteBatch;
        var result = body.Value is null
            ? new SubmissionResult.Refused(body.Problem!)
            : await submitter.SubmitManyAsync(
                body.Value, Context(context, key, body.Hash, write), allOrNothing: validation == "strict", CancellationToken.None);
        await AnswerAsync(context, result, write, StatusCodes.Status200OK);
    }

    static async Task SendToDestinationsAsync(HttpContext context, JsonBody bodies, Submitter submitter)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        var body = problem is null
            ? await bodies.ReadSendAsync(context, SendReader.Send, key is null ? null : "POST /emails/send")
            : new(null, problem);
        var result = body.Value is null
            ? new SubmissionResult.Refused(body.Problem!)
            : await submitter.SubmitToDestinationsAsync(
                body.Value.Content, body.Value.Destinations, Context(context, key, body.Hash, WriteDestinations), CancellationToken.None);
        await AnswerAsync(context, result, WriteDestinations, StatusCodes.Status202Accepted);
    }

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

    static ReadOnlyMemory<byte> WriteBatch(SubmissionReceipt receipt)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, ProblemWriter.Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("batch_id"u8, receipt.Batch?.ToString());
            writer.WriteStartArray("data"u8);
            foreach (var item in receipt.Items)
                WriteItem(writer, item);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return bytes.ToArray();
    }

    /// <summary>As Resend does: the accepted ones alone, and the refused by their places.</summary>
    static ReadOnlyMemory<byte> WritePermissiveBatch(SubmissionReceipt receipt)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, ProblemWriter.Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("batch_id"u8, receipt.Batch?.ToString());
            writer.WriteStartArray("data"u8);
            foreach (var item in receipt.Items)
                if (item.Message is not null)
                    WriteItem(writer, item);
            writer.WriteEndArray();
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
        }
        return bytes.ToArray();
    }

    static ReadOnlyMemory<byte> WriteDestinations(SubmissionReceipt receipt)
    {
        List<DestinationAnswer>? emails = receipt.Items.Count > MaxListed ? null :
            [.. receipt.Items.Select(
                i => new DestinationAnswer(i.Message!.Id.ToString(), i.Message.Recipients[0].Recipient.Mailbox.Address.ToString()))];
        return JsonSerializer.SerializeToUtf8Bytes(
            new DestinationsAnswer(receipt.Batch!.Value.ToString(), receipt.Items.Count, emails), ApiJson.Written.DestinationsAnswer);
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

    static SubmissionContext Context(
        HttpContext context, string? key, byte[]? hash, Func<SubmissionReceipt, ReadOnlyMemory<byte>> answer) =>
        new(context.Caller.Tenant, key, hash) { Answer = answer };

    static Task AnswerAsync(
        HttpContext context, SubmissionResult result, Func<SubmissionReceipt, ReadOnlyMemory<byte>> write, int status) => result switch
        {
            SubmissionResult.Accepted(var receipt) => WriteAsync(context, write(receipt), status),
            SubmissionResult.Replayed(var answer) => WriteAsync(context, answer, status, replayed: true),
            SubmissionResult.Refused(var problem) => ProblemWriter.WriteAsync(context, problem),
            _ => throw new InvalidOperationException($"Unknown result {result.GetType().Name}."),
        };

    static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body, int status, bool replayed = false)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        if (replayed)
            response.Headers["Idempotent-Replayed"] = "true";
        await response.BodyWriter.WriteAsync(body);
    }
}

/// <summary>The caller's key of a request.</summary>
static class IdempotencyKey
{
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
