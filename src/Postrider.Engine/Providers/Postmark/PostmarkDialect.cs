using System.Globalization;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Providers.Postmark;

/// <summary>Postmark's send calls as an entrance: <c>/email</c>, <c>/email/batch</c>, <c>/email/withTemplate</c>,
/// <c>/email/batchWithTemplates</c>.</summary>
public sealed class PostmarkDialect : IDialect
{
    const string TokenHeader = "X-Postmark-Server-Token";

    /// <summary>The token that every SDK knows for trying out.</summary>
    const string TestToken = "POSTMARK_API_TEST";

    const int MaxMessages = 500;

    public string Vendor => "postmark";

    public bool Serves(string path) => path == "/email" || path.StartsWith("/email/", StringComparison.Ordinal);

    public DialectCredential? ReadCredential(InboundCall call) =>
        call.Header(TokenHeader)?.Trim() is { Length: > 0 } token
            ? new DialectCredential(token) { IsForTrying = token == TestToken }
            : null;

    public DialectReading Read(InboundCall call)
    {
        var isBatch = call.Path is "/email/batch" or "/email/batchWithTemplates";
        var isTemplate = call.Path is "/email/withTemplate" or "/email/batchWithTemplates";
        if (!isBatch && !isTemplate && call.Path != "/email")
            return Refused(404, 404, "There is no such call.");
        if (call.Method != "POST")
            return Refused(405, 405, "This call takes POST.");
        IReadOnlyList<PostmarkMail?> mails;
        try
        {
            mails = call.Path switch
            {
                "/email/batch" => JsonSerializer.Deserialize(call.Body.Span, PostmarkJson.Default.IReadOnlyListPostmarkMail) ?? [],
                "/email/batchWithTemplates" => JsonSerializer.Deserialize(call.Body.Span, PostmarkJson.Default.PostmarkTemplateBatch)?.Messages ?? [],
                _ => [JsonSerializer.Deserialize(call.Body.Span, PostmarkJson.Default.PostmarkMail)],
            };
        }
        catch (JsonException)
        {
            return Refused(422, 402, "Invalid JSON.");
        }
        if (mails.Count == 0)
            return Refused(422, 300, "There are no messages.");
        if (mails.Count > MaxMessages)
            return Refused(422, 410, $"Too many batch messages: at most {MaxMessages} are taken in one call.");
        // An element that is null becomes a message without anything, which is refused for what it misses.
        IReadOnlyList<PostmarkMail> given = [.. mails.Select(mail => mail ?? new PostmarkMail())];
        return new DialectReading.Submit([.. given.Select(mail => PostmarkSubmissions.Of(mail, isTemplate))], receipt => isBatch
            ? DialectAnswer.Json(200, JsonSerializer.SerializeToUtf8Bytes([.. given.Zip(receipt.Items, (mail, item) => Result(mail, item))],
                PostmarkJson.Plain.IReadOnlyListPostmarkResult))
            : Answer(given[0], receipt.Items[0]))
        {
            DryRun = call.Header(TokenHeader)?.Trim() == TestToken,
        };
    }

    public DialectAnswer Refuse(Problem problem) =>
        Refused(problem, problem.Status == 401 ? "Request does not contain a valid Server token." : problem.Detail);

    static DialectAnswer Answer(PostmarkMail mail, DialectItem item) =>
        item.Problem is { } problem ? Refused(problem, Words(mail, problem)) : Json(item.IsForNobody ? 422 : 200, Result(mail, item));

    static PostmarkResult Result(PostmarkMail mail, DialectItem item) => item switch
    {
        { Problem: { } problem } => new PostmarkResult { ErrorCode = CodesOf(problem).Code, Message = Words(mail, problem) },
        // The SDKs find the addresses by the words around them.
        { IsForNobody: true, Suppressed: { } inactive } => new PostmarkResult
        {
            ErrorCode = 406,
            Message = "You tried to send to recipient(s) that have been marked as inactive. "
                + $"Found inactive addresses: {string.Join(", ", inactive)}. "
                + "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression.",
        },
        _ => new PostmarkResult
        {
            To = mail.To,
            Cc = mail.Cc,
            Bcc = mail.Bcc,
            SubmittedAt = (item.Id?.At ?? DateTimeOffset.UnixEpoch).ToString("yyyy-MM-dd'T'HH:mm:ss.fffffffzzz", CultureInfo.InvariantCulture),
            // The .NET SDK reads it as a GUID; a message that was only tried out has none.
            MessageID = item.Id?.ToString() ?? Guid.Empty.ToString(),
            ErrorCode = 0,
            Message = item.Suppressed is { } some
                ? $"Message OK, but will not deliver to these inactive addresses: {string.Join(", ", some)}." : "OK",
        },
    };

    /// <summary>As Postmark puts it where an address is at fault, so that those who read its words find the address in them.</summary>
    static string Words(PostmarkMail mail, Problem problem)
    {
        var bad = problem.Errors.FirstOrDefault(error => error.Slug == "invalid-address");
        return bad?.Pointer.Split('/') switch
        {
            ["", "from", ..] => $"Invalid 'From' address: '{mail.From}'.",
            ["", "to" or "cc" or "bcc" or "reply_to", ..] and [_, var list, ..] => $"Invalid '{FieldOf(list)}' address: '{PostmarkSubmissions.AddressAt(mail, bad.Pointer)}'.",
            _ => problem.Detail,
        };
    }

    static string FieldOf(string list) => list switch { "to" => "To", "cc" => "Cc", "bcc" => "Bcc", _ => "ReplyTo" };

    static (int Status, int Code) CodesOf(Problem problem) => (problem.Status, problem.Slug) switch
    {
        (401 or 403, "unverified-sender") => (422, 400),
        (401, _) => (401, 10),
        (403, _) => (422, 413),
        (_, "no-such-template") => (422, 1101),
        (_, "sandbox") => (422, 412),
        (404, _) => (404, 404),
        (413, _) => (413, 300),
        (429, _) => (429, 429),
        (503, _) => (503, 100),
        ( >= 500, _) => (500, 500),
        (_, "too-many-messages") => (422, 410),
        _ => (422, 300),
    };

    static DialectReading.Answered Refused(int status, int code, string words) =>
        new(Json(status, new PostmarkResult { ErrorCode = code, Message = words }));

    static DialectAnswer Refused(Problem problem, string words)
    {
        var (status, code) = CodesOf(problem);
        return Json(status, new PostmarkResult { ErrorCode = code, Message = words }).WithRetryAfter(problem.RetryAfter);
    }

    static DialectAnswer Json(int status, PostmarkResult result) =>
        DialectAnswer.Json(status, JsonSerializer.SerializeToUtf8Bytes(result, PostmarkJson.Plain.PostmarkResult));
}
