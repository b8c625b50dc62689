using System.Security.Cryptography;
using System.Text;
using Postrider.Mail.Smtp.Server;

namespace Postrider.Submission;

/// <summary>Recognises a message that is handed over once more.</summary>
static class SmtpRepetition
{
    static readonly string[] Telling = ["From", "To", "Cc", "Subject"];

    /// <summary>
    /// What must be the same under the same idempotency key: the envelope, and who the message says it is from, to and about. The rest is
    /// not compared: a program that sends again makes a new Date, Message-ID and boundary each time.
    /// </summary>
    public static ReadOnlyMemory<byte> HashOf(SmtpReceivedMail mail, SmtpInstructions instructions)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AddEnvelope(hash, mail);
        foreach (var field in instructions.Header.Fields)
        {
            foreach (var name in Telling)
            {
                if (field.Is(name))
                    Add(hash, $"{name}:{field.Value}");
            }
        }
        return hash.GetHashAndReset();
    }

    /// <summary>A key for a client that has none: the same Message-ID, envelope and content. Null without a Message-ID: mails that are
    /// alike may be meant.</summary>
    public static string? KeyOf(SmtpReceivedMail mail, SmtpInstructions instructions)
    {
        if (instructions.Header.Find("Message-ID") is null)
            return null;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AddEnvelope(hash, mail);
        hash.AppendData(mail.Content.Span);
        return "smtp-" + Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static void AddEnvelope(IncrementalHash hash, SmtpReceivedMail mail)
    {
        Add(hash, mail.From.ReversePath?.ToString() ?? "");
        foreach (var recipient in mail.Recipients.Select(r => r.Address.ToString()).Order(StringComparer.Ordinal))
            Add(hash, recipient);
    }

    // With its end, so that two texts in a row are not one.
    static void Add(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
}
