using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Engine.Tests.Providers;

/// <summary>Envelopes for tests of providers.</summary>
static class Envelopes
{
    public static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);

    public static Mailbox Mailbox(string text) =>
        Postrider.Mail.Addresses.Mailbox.TryParse(text, out var mailbox, out var fault)
            ? mailbox
            : throw new FormatException($"{text}: {fault}");

    /// <summary>One To, one Cc, one Bcc; the attempt is for all of them.</summary>
    public static OutgoingEnvelope New(int toRecipients = 1, string from = "Shop <shop@example.com>")
    {
        List<MessageRecipient> all = [.. Enumerable.Range(0, toRecipients)
            .Select(n => new MessageRecipient(n, RecipientKind.To, Mailbox($"Ann <ann{n}@example.net>")))];
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

    /// <summary>A message of its own id to these addresses, written <c>a@to.test</c>, <c>cc:a@to.test</c> or
    /// <c>bcc:a@to.test</c>.</summary>
    public static OutgoingEnvelope To(params string[] recipients) => With(Content, recipients);

    public static MessageContent Content { get; } = new()
    {
        From = Mailbox("Sender <sender@from.test>"),
        Subject = "Hello",
        Text = "Hello.\n"
    };

    /// <inheritdoc cref="To"/>
    public static OutgoingEnvelope With(MessageContent content, params string[] recipients)
    {
        MessageRecipient[] all = [.. recipients.Select((text, n) => Recipient(text, n))];
        return new OutgoingEnvelope
        {
            Message = MessageId.Create(At.ToUnixTimeMilliseconds(), Interlocked.Increment(ref _counter) & 0xFFF, 1),
            Tenant = TenantId.First,
            ReversePath = content.From.Address,
            Content = content,
            Recipients = all,
            AllRecipients = all,
            Stream = MailStream.Transactional,
            Generation = 1,
        };
    }

    static MessageRecipient Recipient(string text, int n) => text switch
    {
        ['c', 'c', ':', .. var cc] => new MessageRecipient(n, RecipientKind.Cc, Mailbox(cc)),
        ['b', 'c', 'c', ':', .. var bcc] => new MessageRecipient(n, RecipientKind.Bcc, Mailbox(bcc)),
        _ => new MessageRecipient(n, RecipientKind.To, Mailbox(text)),
    };

    static int _counter;
}
