using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Says a refusal in SMTP: what may be tried again is 4xx, what will never be taken 5xx (RFC 5321 §4.2.1, RFC 3463).</summary>
static class SmtpProblems
{
    public static SmtpReply Reply(Problem problem)
    {
        var (code, enhanced) = Codes(problem);
        return new SmtpReply(code, enhanced, Text(problem));
    }

    static (int Code, string Enhanced) Codes(Problem problem) => problem.Slug switch
    {
        "storage-low" or "queue-full" or "storage-full" or "quota-spent" => (452, "4.3.1"),
        "draining" => (421, "4.3.2"),
        "no-transport" => (451, "4.3.5"),
        "too-large" => (552, "5.3.4"),
        "unverified-sender" => (550, "5.7.1"),
        "invalid-address" => problem.Errors is [{ Pointer: "/from" or "/from/email" }, ..] ? (553, "5.1.7") : (553, "5.1.3"),
        "no-recipients" => (554, "5.5.1"),
        "too-many-recipients" => (554, "5.5.3"),
        "invalid-idempotency-key" or "idempotency-mismatch" => (554, "5.5.4"),
        _ when problem.Status == 429 => (451, "4.7.0"),
        _ when problem.Status >= 500 => (451, "4.3.0"),
        _ => (554, "5.6.0"),
    };

    /// <summary>What is wrong rather than that something is: the first fault, when there are any.</summary>
    static string Text(Problem problem)
    {
        var text = problem.Errors is [var first, ..] ? first.Detail : problem.Detail;
        return text.ReplaceLineEndings(" ");
    }
}
