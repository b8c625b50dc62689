using System.Buffers;
using System.Text.Json;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Vendors;

/// <summary>Resend's send calls for the simulated vendor: read by the readers of our own API, which is a superset of Resend's, and answered
/// as Resend does.</summary>
sealed class ResendDialect : IDialect
{
    const string Bearer = "Bearer ";

    public string Vendor => "resend";

    public bool Serves(string path) => path is "/emails" or "/emails/batch" || ResendMails.Serves(path);

    public DialectCredential? ReadCredential(InboundCall call) =>
        call.Header("Authorization") is { } header && header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            ? new DialectCredential(header[Bearer.Length..].Trim())
            : null;

    public DialectReading Read(InboundCall call)
    {
        if (call.Method != "POST" || ResendMails.Serves(call.Path))
            return new DialectReading.Answered(Refuse(ProblemCatalog.Make("method-not-allowed", "This call takes POST.")));
        var body = new ReadOnlySequence<byte>(call.Body);
        var isBatch = call.Path == "/emails/batch";
        var (submissions, problem) = isBatch ? ReadBatch(body) : ReadOne(body);
        if (submissions is null)
            return new DialectReading.Answered(Refuse(problem!));
        var isPermissive = call.Header("x-batch-validation") == "permissive";
        return new DialectReading.Submit(submissions, receipt => isBatch ? AnswerBatch(receipt) : AnswerOne(receipt.Items[0]))
        {
            AllOrNothing = !isPermissive,
            IdempotencyKey = call.Header("Idempotency-Key"),
        };
    }

    public DialectAnswer Refuse(Problem problem)
    {
        var bad = problem.Errors.FirstOrDefault(error => error.Slug == "invalid-address")?.Pointer.Split('/');
        var (status, name, words) = problem.Slug switch
        {
            "sandbox" => (403, "validation_error",
                $"You can only send testing emails to your own email address ({problem.Errors[0].Detail})."),
            "unverified-sender" => (403, "validation_error", $"The domain is not verified. {problem.Detail}"),
            "suspended" => (403, "suspended_api_key", problem.Detail),
            "missing-credential" => (401, "missing_api_key", "Missing API key in the authorization header."),
            _ when problem.Status is 401 => (401, "invalid_api_key", "API key is invalid"),
            _ when problem.Status is 429 => (429, "rate_limit_exceeded", "Too many requests."),
            _ when problem.Status == 503 => (503, "service_unavailable", problem.Detail),
            _ when problem.Status >= 500 => (problem.Status, "internal_server_error", problem.Detail),
            _ when bad is ["", ("to" or "cc" or "bcc") and var field, ..] =>
                (422, "validation_error", $"Invalid `{field}` field. {problem.Detail}"),
            _ => (problem.Status, ProblemCatalog.Find(problem.Slug)?.ResendName ?? "validation_error", problem.Detail),
        };
        var answer = Json(status, writer =>
        {
            writer.WriteNumber("statusCode"u8, status);
            writer.WriteString("name"u8, name);
            writer.WriteString("message"u8, words);
        });
        return answer.WithRetryAfter(problem.RetryAfter);
    }

    static (IReadOnlyList<DialectSubmission>?, Problem?) ReadOne(ReadOnlySequence<byte> body)
    {
        var read = JsonBody.Parse<SubmissionRequest>(body, SendReader.Email, null);
        return (read.Value is { } request ? [new DialectSubmission(request)] : null, read.Problem);
    }

    static (IReadOnlyList<DialectSubmission>?, Problem?) ReadBatch(ReadOnlySequence<byte> body)
    {
        var read = JsonBody.Parse<List<Submission.SubmissionEntry>>(body, SendReader.Batch, null);
        return (read.Value is { } entries
            ? [.. entries.Select(entry => new DialectSubmission(entry.Request ?? new SubmissionRequest()) { Fault = entry.Problem })]
            : null, read.Problem);
    }

    DialectAnswer AnswerOne(DialectItem item) => item.Problem is { } problem
        ? Refuse(problem)
        : Json(200, writer => writer.WriteString("id"u8, item.Id?.ToString()));

    DialectAnswer AnswerBatch(DialectReceipt receipt)
    {
        var refused = receipt.Items.FirstOrDefault(item => item.Problem is not null).Problem;
        if (refused is not null && receipt.Items.All(item => item.Id is null))
            return Refuse(refused);
        return Json(200, writer =>
        {
            writer.WriteStartArray("data"u8);
            foreach (var item in receipt.Items.Where(item => item.Id is not null))
            {
                writer.WriteStartObject();
                writer.WriteString("id"u8, item.Id?.ToString());
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteStartArray("errors"u8);
            foreach (var (index, item) in receipt.Items.Index().Where(item => item.Item.Problem is not null))
            {
                writer.WriteStartObject();
                writer.WriteNumber("index"u8, index);
                writer.WriteString("message"u8, item.Problem!.Detail);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        });
    }

    public static DialectAnswer Json(int status, Action<Utf8JsonWriter> members) => DialectAnswer.Json(status, ApiJson.Write(writer =>
    {
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
    }));
}
