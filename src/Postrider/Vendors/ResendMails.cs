using System.Text.Json;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Submission;

namespace Postrider.Vendors;

/// <summary>Resend's calls about a mail that it has: <c>GET</c> and <c>PATCH /emails/{id}</c>, <c>POST /emails/{id}/cancel</c>.</summary>
static class ResendMails
{
    public static bool Serves(string path) => path.Split('/') switch
    {
        ["", "emails", { Length: > 0 } id] => id != "batch",
        ["", "emails", { Length: > 0 }, "cancel"] => true,
        _ => false,
    };

    public static DialectAnswer Answer(InboundCall call, SimulatedVendor vendor, DateTimeOffset now)
    {
        var parts = call.Path.Split('/');
        if (vendor.Find(parts[2]) is not { } mail)
            return Refuse(ProblemCatalog.Make("not-found", "Email not found"));
        return (call.Method, parts.Length) switch
        {
            ("GET", 3) => ResendDialect.Json(200, writer => Write(writer, mail, vendor.Faults, now)),
            ("PATCH", 3) when SendAt(call) is not { } at => Refuse(Faults.One("/scheduled_at", "invalid-time", "`scheduled_at` is no time.")),
            ("PATCH", 3) => Done(mail.Plan.TryMove(SendAt(call)!.Value, now)),
            ("POST", 4) => Done(mail.Plan.TryCancel(now)),
            _ => Refuse(ProblemCatalog.Make("method-not-allowed", "An email takes GET and PATCH, its cancel POST.")),
        };

        DialectAnswer Refuse(Problem problem) => vendor.Dialect.Refuse(problem);

        DialectAnswer Done(bool inTime) => !inTime
            ? Refuse(Faults.One("", "not-scheduled", "The email is not scheduled, or not any more."))
            : ResendDialect.Json(200, writer =>
            {
                writer.WriteString("object"u8, "email");
                writer.WriteString("id"u8, mail.Id.ToString());
            });
    }

    /// <summary>Null when there is none that is a time.</summary>
    static DateTimeOffset? SendAt(InboundCall call)
    {
        try
        {
            using var body = JsonDocument.Parse(call.Body);
            return body.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("scheduled_at"u8, out var text)
                && text.ValueKind == JsonValueKind.String && TimeText.TryParseInstant(text.GetString(), out var at) ? at : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null; // the second: text that is no Unicode
        }
    }

    static void Write(Utf8JsonWriter writer, VendorMail mail, VendorFaults faults, DateTimeOffset now)
    {
        var (sendAt, isCancelled) = mail.Plan.Now;
        writer.WriteString("object"u8, "email");
        writer.WriteString("id"u8, mail.Id.ToString());
        writer.WriteString("from"u8, mail.Content.From.ToString());
        WriteList(writer, "to", Of(RecipientKind.To));
        WriteList(writer, "cc", Of(RecipientKind.Cc));
        WriteList(writer, "bcc", Of(RecipientKind.Bcc));
        WriteList(writer, "reply_to", mail.Content.ReplyTo.Select(mailbox => mailbox.ToString()));
        writer.WriteString("subject"u8, mail.Content.Subject);
        writer.WriteString("html"u8, mail.Content.Html);
        writer.WriteString("text"u8, mail.Content.Text);
        writer.WriteString("created_at"u8, mail.At);
        writer.WriteString("last_event"u8, isCancelled ? "canceled" : sendAt > now ? "scheduled"
            : faults.FateOf(mail.Submission.Recipients[0].Mailbox.Address) switch
            {
                FeedbackKind.Rejected => "suppressed",
                FeedbackKind.BouncedHard => "bounced",
                _ => "delivered",
            });
        if (sendAt is { } at)
            writer.WriteString("scheduled_at"u8, at);
        else
            writer.WriteNull("scheduled_at"u8);

        IEnumerable<string> Of(RecipientKind kind) =>
            mail.Submission.Recipients.Where(one => one.Kind == kind).Select(one => one.Mailbox.ToString());
    }

    static void WriteList(Utf8JsonWriter writer, string name, IEnumerable<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (var text in texts)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
