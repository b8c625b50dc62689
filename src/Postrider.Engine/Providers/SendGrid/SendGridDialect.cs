using System.Globalization;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Providers.SendGrid;

/// <summary>SendGrid's <c>POST /v3/mail/send</c> as an entrance: each personalization becomes a message of its own, and all of them are
/// accepted or none.</summary>
public sealed class SendGridDialect : IDialect
{
    const string SendPath = "/v3/mail/send";

    /// <summary>What the SDKs ask to find out what a key may do.</summary>
    const string ScopesPath = "/v3/scopes";

    const string Bearer = "Bearer ";

    public string Vendor => "sendgrid";

    public bool Serves(string path) => path is SendPath or ScopesPath;

    public DialectCredential? ReadCredential(InboundCall call) =>
        call.Header("Authorization") is { } header && header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            && header.AsSpan(Bearer.Length).Trim() is { Length: > 0 } key
            ? new DialectCredential(key.ToString())
            : null;

    public DialectReading Read(InboundCall call)
    {
        if (call.Path == ScopesPath && call.Method == "GET")
            return new DialectReading.Answered(DialectAnswer.Json(200, """{"scopes":["mail.send"]}"""u8.ToArray()));
        if (call.Path != SendPath || call.Method != "POST")
            return Refused(405, new SendGridError("Method Not Allowed", null));
        SendGridMail? mail;
        try
        {
            // Whatever the content type says: the Node SDK overwrites it with a header of the message of that name.
            mail = JsonSerializer.Deserialize(call.Body.Span, SendGridJson.Default.SendGridMail);
        }
        catch (JsonException fault)
        {
            var field = FieldOf(fault.Path);
            return Refused(400, field.Length > 0 ? new SendGridError("Invalid type.", field) : new SendGridError("Bad Request", null));
        }
        if (mail is null)
            return Refused(400, new SendGridError("Bad Request", null));
        var faults = SendGridRules.Check(mail);
        if (faults.Count > 0)
            return Refused(400, [.. faults]);
        var isSandbox = mail.MailSettings?.SandboxMode?.Enable == true;
        return new DialectReading.Submit(SendGridSubmissions.Of(mail), receipt => Answer(mail, receipt, isSandbox))
        {
            AllOrNothing = true,
            DryRun = isSandbox,
        };
    }

    public DialectAnswer Refuse(Problem problem) => Errors(StatusOf(problem), problem.Status switch
    {
        401 => [new SendGridError("The provided authorization grant is invalid, expired, or revoked", null)],
        429 => [new SendGridError("too many requests", null)],
        _ => [new SendGridError(problem.Detail, null)],
    }, problem.RetryAfter);

    DialectAnswer Answer(SendGridMail mail, DialectReceipt receipt, bool isSandbox)
    {
        var refused = receipt.Items.Index().Where(item => item.Item.Problem is not null)
            .Select(item => (item.Index, Problem: item.Item.Problem!)).ToList();
        if (refused.Count > 0)
        {
            var first = refused[0].Problem;
            if (first.Status is 401 or 429 or >= 500)
                return Refuse(first);
            return Errors(StatusOf(first), [.. refused.SelectMany(item => ErrorsOf(mail, item.Index, item.Problem))], first.RetryAfter);
        }
        var answer = DialectAnswer.Empty(isSandbox ? 200 : 202);
        return receipt.Id is { } id ? answer.With("X-Message-Id", id.ToString()) : answer;
    }

    static IEnumerable<SendGridError> ErrorsOf(SendGridMail mail, int index, Problem problem) => problem.Errors.Count == 0
        ? [new SendGridError(problem.Detail, null)]
        : problem.Errors.Select(error => new SendGridError(error.Detail, FieldOf(mail, index, error.Pointer)));

    /// <summary>From a pointer into our submission to the field of SendGrid's body that it was read from.</summary>
    static string? FieldOf(SendGridMail mail, int index, string pointer)
    {
        var own = string.Create(CultureInfo.InvariantCulture, $"personalizations.{index}.");
        return pointer.Split('/') switch
        {
            ["", "from", ..] => (mail.Personalizations![index].From is null ? "" : own) + "from.email",
            ["", ("to" or "cc" or "bcc") and var list, var place, ..] => $"{own}{list}.{place}.email",
            ["", ("to" or "cc" or "bcc") and var list] => own + list,
            ["", "reply_to", var place, ..] => mail.ReplyToList is null ? "reply_to.email" : $"reply_to_list.{place}.email",
            ["", "subject"] => mail.Personalizations![index].Subject is null ? "subject" : own + "subject",
            ["", "text" or "html", ..] => "content",
            ["", "template"] => "template_id",
            ["", "tags", .. var rest] => string.Join('.', ["categories", .. rest]),
            ["", "metadata", .. var rest] => string.Join('.', ["custom_args", .. rest]),
            ["", _, ..] => pointer[1..].Replace('/', '.'),
            _ => null,
        };
    }

    /// <summary>From a JSON path such as <c>$.personalizations[0].to</c> to SendGrid's way of writing it.</summary>
    static string FieldOf(string? path) =>
        (path ?? "").Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).TrimStart('$', '.');

    static int StatusOf(Problem problem) => problem.Status switch
    {
        404 when problem.Slug == "no-such-template" => 400,
        401 or 403 or 404 or 413 or 429 or >= 500 => problem.Status,
        _ => 400,
    };

    static DialectReading.Answered Refused(int status, params SendGridError[] errors) => new(Errors(status, errors, null));

    static DialectAnswer Errors(int status, IReadOnlyList<SendGridError> errors, TimeSpan? retryAfter)
    {
        var answer = DialectAnswer.Json(status,
            JsonSerializer.SerializeToUtf8Bytes(new SendGridErrorBody(errors), SendGridJson.Plain.SendGridErrorBody));
        return answer.WithRetryAfter(retryAfter);
    }
}
