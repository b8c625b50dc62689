using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>Mailgun's send calls as an entrance: <c>/v3/{domain}/messages</c> and <c>/v3/{domain}/messages.mime</c>.</summary>
public sealed class MailgunDialect : IDialect
{
    // Mailgun's own limits.
    const int MaxOptionBytes = 16 * 1024;
    internal const int MaxRecipients = 1_000;

    public string Vendor => "mailgun";

    public bool Serves(string path) => path.StartsWith("/v3/", StringComparison.Ordinal)
        && path.Split('/') is ["", "v3", { Length: > 0 }, "messages" or "messages.mime"];

    /// <summary>The user is <c>api</c>, or anything; the password is the key.</summary>
    public DialectCredential? ReadCredential(InboundCall call) =>
        CallbackText.Basic(call.Header("Authorization")) is (_, { Length: > 0 } key) ? new DialectCredential(key) : null;

    public DialectReading Read(InboundCall call)
    {
        if (call.Method != "POST")
            return Refused(405, "Method not allowed");
        if (FormReader.Read(call.Header("Content-Type"), call.Body) is not { } form)
            return Refused(400, "The body is neither multipart/form-data nor application/x-www-form-urlencoded, or is not whole");
        if (form.Where(part => MailgunSubmissions.IsOption(part.Name)).Sum(part => part.Name.Length + part.Value.Length) > MaxOptionBytes)
            return Refused(400, "Send options (parameters starting with o:, h:, v:, or t:) are limited to 16KB");
        IReadOnlyList<DialectSubmission> submissions;
        try
        {
            submissions = !call.Path.EndsWith(".mime", StringComparison.Ordinal) ? MailgunSubmissions.Of(form)
                : MailgunSubmissions.OfMime(form) is { } mime ? [mime] : [];
        }
        catch (JsonException)
        {
            return Refused(400, "'recipient-variables' or 't:variables' parameter is not a valid JSON object");
        }
        if (submissions.Count == 0)
            return Refused(400, "'message' parameter is missing");
        if (submissions.Any(submission => submission.Request.To.Count == 0))
            return Refused(400, "'to' parameter is missing"); // cc and bcc alone are not enough for it
        if (submissions.Sum(submission => submission.Request.To.Count) > MaxRecipients)
            return Refused(400, $"'to' parameter has more than {MaxRecipients} recipients");
        var domain = call.Path.Split('/')[2];
        return new DialectReading.Submit(submissions, receipt => Answer(receipt, domain))
        {
            AllOrNothing = true,
            DryRun = MailgunSubmissions.IsTest(form),
        };
    }

    public DialectAnswer Refuse(Problem problem)
    {
        // In plain text, as Mailgun says it.
        var answer = problem.Status == 401
            ? new DialectAnswer(401, Encoding.ASCII.GetBytes("Forbidden"), "text/plain")
            : Error(StatusOf(problem), Words(problem));
        return answer.WithRetryAfter(problem.RetryAfter);
    }

    DialectAnswer Answer(DialectReceipt receipt, string domain)
    {
        if (receipt.Items.Select(item => item.Problem).FirstOrDefault(problem => problem is not null) is { } problem)
            return Refuse(problem);
        // A message that was only tried out has no id.
        return Json(200, new MailgunAnswer($"<{receipt.Id?.ToString() ?? "test"}@{domain}>", "Queued. Thank you."));
    }

    static string Words(Problem problem)
    {
        if (problem.Slug == "sandbox")
            return "Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients";
        var fault = problem.Errors.FirstOrDefault(error => error.Slug == "invalid-address");
        return fault?.Pointer.Split('/') switch
        {
            ["", ("from" or "to" or "cc" or "bcc") and var field, ..] =>
                $"'{field}' parameter is not a valid address. please check documentation",
            _ => problem.Detail,
        };
    }

    static int StatusOf(Problem problem) => problem switch
    {
        { Slug: "no-such-template" or "sandbox" } => 400,
        { Status: 403 or 404 or 413 or 429 or >= 500 } => problem.Status,
        _ => 400,
    };

    static DialectReading.Answered Refused(int status, string words) => new(Error(status, words));

    static DialectAnswer Error(int status, string words) => Json(status, new MailgunAnswer(null, words));

    static DialectAnswer Json(int status, MailgunAnswer answer) =>
        DialectAnswer.Json(status, JsonSerializer.SerializeToUtf8Bytes(answer, MailgunJson.Written.MailgunAnswer));
}
