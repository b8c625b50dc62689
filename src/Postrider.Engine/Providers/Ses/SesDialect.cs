using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Postrider.Messages;

namespace Postrider.Providers.Ses;

/// <summary>SES's v2 API as an entrance: SendEmail (simple, raw, template), SendBulkEmail and GetAccount, signed with a key of
/// ours.</summary>
public sealed class SesDialect : IDialect
{
    const string SendPath = "/v2/email/outbound-emails";
    const string BulkPath = "/v2/email/outbound-bulk-emails";
    const string AccountPath = "/v2/email/account";

    /// <summary>The same over all attempts of one call, in every AWS SDK.</summary>
    const string InvocationHeader = "amz-sdk-invocation-id";

    /// <summary>We have no quota of SES's kind; -1 is its way to say so.</summary>
    static ReadOnlySpan<byte> Account => """
        {"SendingEnabled":true,"ProductionAccessEnabled":true,"EnforcementStatus":"HEALTHY",
         "SendQuota":{"Max24HourSend":-1,"MaxSendRate":1000,"SentLast24Hours":0}}
        """u8;

    const string Malformed = "signature-malformed";
    const string Mismatch = "signature-mismatch";
    const string Expired = "signature-expired";

    public string Vendor => "ses";

    public bool Serves(string path) => path.StartsWith("/v2/email/", StringComparison.Ordinal);

    public DialectCredential? ReadCredential(InboundCall call) =>
        SigV4Authorization.Read(call) is { } authorization ? new DialectCredential(authorization.AccessKeyId, IsSigned: true) : null;

    public Problem? Verify(InboundCall call, string secret, DateTimeOffset now) =>
        (SigV4Authorization.Read(call)?.Verify(call, secret, now) ?? SigV4Fault.Missing) switch
        {
            SigV4Fault.None => null,
            SigV4Fault.Missing or SigV4Fault.Malformed => new Problem(Malformed, 403, "Malformed signature",
                "Authorization is no complete AWS4-HMAC-SHA256 signature: host, x-amz-date and all x-amz headers must be signed."),
            SigV4Fault.Expired => new Problem(Expired, 403, "Signature expired",
                string.Create(CultureInfo.InvariantCulture,
                    $"Signature expired: {call.Header(SigV4.DateHeader)} is not within 15 minutes of {now:yyyyMMdd'T'HHmmss'Z'}.")),
            SigV4Fault.TokenRefused =>
                new Problem(Malformed, 403, "Session token", "Keys of this server have no session token: leave out x-amz-security-token."),
            SigV4Fault.Mismatch => new Problem(Mismatch, 403, "Signature mismatch",
                "The request signature we calculated does not match the signature you provided. "
                + "Check your AWS Secret Access Key and signing method."),
        };

    public DialectReading Read(InboundCall call) => (call.Method, call.Path) switch
    {
        ("POST", SendPath) => Send(call),
        ("POST", BulkPath) => Bulk(call),
        ("GET", AccountPath) => new DialectReading.Answered(DialectAnswer.Json(200, Account.ToArray())),
        _ => new DialectReading.Answered(Error(404, "UnknownOperationException", $"There is no {call.Method} {call.Path} here.")),
    };

    public DialectAnswer Refuse(Problem problem)
    {
        var (status, type) = problem switch
        {
            { Slug: Mismatch } => (403, "SignatureDoesNotMatch"),
            { Slug: Expired } => (403, "InvalidSignatureException"),
            { Slug: Malformed } => (403, "IncompleteSignatureException"),
            { Slug: "missing-credential" } => (403, "MissingAuthenticationTokenException"),
            { Slug: "no-such-call" } => (404, "UnknownOperationException"),
            { Slug: "sandbox" or "unverified-sender" } => (400, "MessageRejected"),
            { Slug: "suspended" } => (400, "AccountSuspendedException"),
            { Status: 401 } => (403, "UnrecognizedClientException"),
            { Status: 403 } => (403, "AccessDeniedException"),
            { Status: 404 } => (404, "NotFoundException"),
            { Status: 413 } => (413, "RequestEntityTooLargeException"),
            { Status: 429 } => (429, "TooManyRequestsException"),
            { Status: >= 500 } => (problem.Status == 503 ? 503 : 500, "InternalServiceErrorException"),
            _ => (400, "BadRequestException"),
        };
        // For a key that is none, in its own words: ours speak of another way to present it.
        var answer = Error(status, type, type switch
        {
            "UnrecognizedClientException" => "The security token included in the request is invalid.",
            "MissingAuthenticationTokenException" => "Missing Authentication Token",
            _ when problem.Slug == "sandbox" => "Email address is not verified. The following identities failed the check in region "
                + $"US-EAST-1: {problem.Errors[0].Detail}",
            _ when problem.Slug == "unverified-sender" => $"Email address is not verified. {problem.Detail}",
            _ => problem.Detail,
        });
        return answer.WithRetryAfter(problem.RetryAfter);
    }

    DialectReading Send(InboundCall call)
    {
        if (Parse(call, SesJson.Default.SesEmail, out var fault) is not { } email)
            return fault;
        if (SesSubmissions.Of(email, out var words) is not { } submission)
            return BadRequest(words);
        return new DialectReading.Submit([submission], receipt => receipt.Items[0].Problem is { } problem
            ? Refuse(problem)
            : DialectAnswer.Json(200,
                JsonSerializer.SerializeToUtf8Bytes(new SesSent(receipt.Items[0].Id?.ToString()), SesJson.Plain.SesSent)))
        {
            IdempotencyKey = call.Header(InvocationHeader),
        };
    }

    DialectReading Bulk(InboundCall call)
    {
        if (Parse(call, SesJson.Default.SesBulk, out var fault) is not { } bulk)
            return fault;
        if (SesSubmissions.Of(bulk, out var words) is not { } submissions)
            return BadRequest(words);
        return new DialectReading.Submit(submissions, Answer) { IdempotencyKey = call.Header(InvocationHeader) };
    }

    /// <summary>A result for each entry, in order; the call itself has succeeded, unless none of it could even be tried.</summary>
    DialectAnswer Answer(DialectReceipt receipt)
    {
        if (receipt.Items.All(item => item.Problem is { Status: 401 or 403 or 429 or >= 500 }))
            return Refuse(receipt.Items[0].Problem!);
        return DialectAnswer.Json(200, JsonSerializer.SerializeToUtf8Bytes(
            new SesBulkResult([.. receipt.Items.Select(item => item.Problem is { } problem
                ? new SesBulkItem(StatusOf(problem), problem.Detail, null)
                : new SesBulkItem("SUCCESS", null, item.Id?.ToString()))]), SesJson.Plain.SesBulkResult));
    }

    static string StatusOf(Problem problem) => problem switch
    {
        { Slug: "unverified-sender" } => "MAIL_FROM_DOMAIN_NOT_VERIFIED",
        { Status: 404 } => "TEMPLATE_NOT_FOUND",
        { Status: 429 } => "ACCOUNT_THROTTLED",
        { Status: >= 500 } => "TRANSIENT_FAILURE",
        { Status: 403 or 413 } => "MESSAGE_REJECTED",
        _ => "INVALID_PARAMETER",
    };

    static T? Parse<T>(InboundCall call, JsonTypeInfo<T> type, out DialectReading fault) where T : class
    {
        fault = BadRequest("The body is not a JSON object.");
        try
        {
            return JsonSerializer.Deserialize(call.Body.Span, type);
        }
        catch (JsonException wrong)
        {
            if (wrong.Path is { Length: > 1 } path)
                fault = BadRequest($"The value at {path} has the wrong type.");
            return null;
        }
    }

    static DialectReading.Answered BadRequest(string words) => new(Error(400, "BadRequestException", words));

    static DialectAnswer Error(int status, string type, string message) =>
        DialectAnswer.Json(status,
            JsonSerializer.SerializeToUtf8Bytes(new SesErrorBody { Type = type, Message = message }, SesJson.Plain.SesErrorBody))
            .With("x-amzn-errortype", type);
}
