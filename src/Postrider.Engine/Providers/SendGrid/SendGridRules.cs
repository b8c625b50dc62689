using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers.SendGrid;

/// <summary>What SendGrid itself refuses in a mail before it looks at addresses, in its own words where they are known.</summary>
static class SendGridRules
{
    const int MaxRecipients = 1_000;
    const int MaxPersonalizations = 1_000;
    const int MaxCategories = 10;
    const int MaxCategoryLength = 255;

    /// <summary>Written by SendGrid itself, and refused from anybody else.</summary>
    public static IReadOnlySet<string> ReservedHeaders { get; } = ProviderCapabilities.HeaderNames(
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "Content-Type", "Content-Transfer-Encoding",
        "To", "From", "Subject", "Reply-To", "CC", "BCC");

    public static IReadOnlyList<SendGridError> Check(SendGridMail mail)
    {
        var faults = new List<SendGridError>();
        var personalizations = mail.Personalizations ?? [];
        if (personalizations.Count == 0)
            Add("The personalizations field is required and must have at least one personalization.", "personalizations");
        if (personalizations.Count > MaxPersonalizations)
            Add($"The personalizations field may have at most {MaxPersonalizations} personalizations.", "personalizations");
        foreach (var (index, personalization) in personalizations.Index())
            CheckPersonalization(personalization, string.Create(CultureInfo.InvariantCulture, $"personalizations.{index}"), faults);
        if (personalizations.Sum(p => (p?.To?.Count ?? 0) + (p?.Cc?.Count ?? 0) + (p?.Bcc?.Count ?? 0)) > MaxRecipients)
            Add($"The total number of recipients must be no more than {MaxRecipients}.", "personalizations");
        if (string.IsNullOrWhiteSpace(mail.From?.Email)
            && !(personalizations.Count > 0 && personalizations.All(p => !string.IsNullOrWhiteSpace(p?.From?.Email))))
        {
            Add("The from object must be provided for every email send. It is an object that requires the email parameter, "
                + "but may also contain a name parameter.", "from.email");
        }
        if (mail is { ReplyTo: not null, ReplyToList.Count: > 0 })
            Add("The reply_to and reply_to_list parameters are mutually exclusive.", "reply_to");
        CheckContent(mail, personalizations, faults);
        CheckHeaders(mail.Headers, "headers", faults);
        CheckCategories(mail.Categories ?? [], faults);
        foreach (var (index, attachment) in (mail.Attachments ?? []).Index())
        {
            if (string.IsNullOrEmpty(attachment?.Content))
                Add("The attachment content must be a string at least one character in length.",
                    string.Create(CultureInfo.InvariantCulture, $"attachments.{index}.content"));
            else if (string.IsNullOrEmpty(attachment.Filename))
                Add("The attachment filename must be a string at least one character in length.",
                    string.Create(CultureInfo.InvariantCulture, $"attachments.{index}.filename"));
        }
        return faults;

        void Add(string message, string field) => faults.Add(new SendGridError(message, field));
    }

    static void CheckPersonalization(SendGridPersonalization? personalization, string field, List<SendGridError> faults)
    {
        if (personalization?.To is not { Count: > 0 })
        {
            faults.Add(new SendGridError(
                "The to array is required for all personalization objects, and must have at least one email object "
                + "with a valid email address.", field + ".to"));
            return;
        }
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (list, addresses) in new[] { ("to", personalization.To), ("cc", personalization.Cc), ("bcc", personalization.Bcc) })
        {
            foreach (var (index, address) in (addresses ?? []).Index())
            {
                if (string.IsNullOrWhiteSpace(address?.Email))
                    faults.Add(new SendGridError("Does not contain a valid address.",
                        string.Create(CultureInfo.InvariantCulture, $"{field}.{list}.{index}.email")));
                else if (!seen.Add(address.Email.Trim()))
                    faults.Add(new SendGridError(
                        "Each email address in the personalization block should be unique between to, cc, and bcc. "
                        + $"We found the first duplicate instance of [{address.Email}] in the {field}.{list} field.",
                        field));
            }
        }
        CheckHeaders(personalization.Headers, field + ".headers", faults);
    }

    static void CheckContent(SendGridMail mail, IReadOnlyList<SendGridPersonalization> personalizations, List<SendGridError> faults)
    {
        foreach (var (index, content) in (mail.Content ?? []).Index())
        {
            if (string.IsNullOrEmpty(content?.Type))
                faults.Add(new SendGridError("The content type is required.",
                    string.Create(CultureInfo.InvariantCulture, $"content.{index}.type")));
            else if (string.IsNullOrEmpty(content.Value))
                faults.Add(new SendGridError("The content value must be a string at least one character in length.",
                    string.Create(CultureInfo.InvariantCulture, $"content.{index}.value")));
        }
        if (!string.IsNullOrEmpty(mail.TemplateId))
            return;
        if (mail.Content is not { Count: > 0 })
            faults.Add(new SendGridError(
                "Unless a valid template_id is provided, the content parameter is required. "
                + "There must be at least one defined content block.", "content"));
        if (string.IsNullOrEmpty(mail.Subject)
            && (personalizations.Count == 0 || personalizations.Any(p => string.IsNullOrEmpty(p?.Subject))))
            faults.Add(new SendGridError(
                "The subject is required. You can get around this requirement if you use a template with a subject defined "
                + "or if every personalization has a subject defined.",
                "subject"));
    }

    static void CheckHeaders(Dictionary<string, string?>? headers, string field, List<SendGridError> faults)
    {
        foreach (var (name, value) in headers ?? [])
        {
            if (ReservedHeaders.Contains(name))
                faults.Add(new SendGridError($"The header {name} is reserved and cannot be used.", $"{field}.{name}"));
            else if (value is null)
                faults.Add(new SendGridError("The header value must be a string.", $"{field}.{name}"));
        }
    }

    static void CheckCategories(IReadOnlyList<string> categories, List<SendGridError> faults)
    {
        if (categories.Count > MaxCategories)
            faults.Add(new SendGridError($"The categories parameter may have at most {MaxCategories} categories.", "categories"));
        if (categories.Any(category => category is null || category.Length > MaxCategoryLength))
            faults.Add(new SendGridError($"A category is a string of at most {MaxCategoryLength} characters.", "categories"));
        if (categories.Distinct(StringComparer.Ordinal).Count() < categories.Count)
            faults.Add(new SendGridError("The categories must be unique.", "categories"));
    }
}
