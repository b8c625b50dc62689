using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Engine.Tests.Providers;

/// <summary>Envelopes for tests of providers.</summary>
static class Envelopes
{
    public static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);

    public static Mailbox Mailbox(string text) =>
        Postrider.Mail.Addresses.Mailbox.TryParse(text, out var mailbox, out var fault) ? mailbox : throw new FormatException($"{text}: {fault}");

    /// <summary>One To, one Cc, one Bcc; the attempt is for all of them.</summary>
    public static OutgoingEnvelope New(int toRecipients = 1, string from = "Shop <shop@example.com>")
    {
        List<MessageRecipient> all = [.. Enumerable.Range(0, toRecipients).Select(n => new MessageRecipient(n, RecipientKind.To, Mailbox($"Ann <ann{n}@example.net>")))];
        all.Add(new MessageRecipient(all.Count, RecipientKind.Cc, Mailbox("Cy <cy@example.net>")));
        all.Add(new MessageRecipient(all.Count, RecipientKind.Bcc, Mailbox("Secret <bo@example.net>")));
        var sender = Mailbox(from);
        return new OutgoingEnvelope
        {
            Message = MessageId.Create(At.ToUnixTimeMilliseconds(), 7, 0),
            Tenant = TenantId.First,
            ReversePath = sender.Address,
            Content = new MessageContent { From = sender, Subject = "Grüße", Text = "hello", Html = "<p>hello</p>" },
            Recipients = all,
            AllRecipients = all,
            Stream = MailStream.Transactional,
            Generation = 0,
        };
    }
}
