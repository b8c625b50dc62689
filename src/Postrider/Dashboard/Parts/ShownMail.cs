using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail as people look at it. Everything in it is a stranger's: shown as text, or in a frame that can do nothing.</summary>
public sealed record ShownMail
{
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>Of the message as it goes over the wire; of one that is not made yet, those that its sender gave.</summary>
    public IReadOnlyList<ShownField> Headers { get; init; } = [];
    public IReadOnlyList<MimeAttachment> Attachments { get; init; } = [];

    /// <summary>Null: there is no message yet.</summary>
    public ReadOnlyMemory<byte>? Source { get; init; }

    /// <summary>The source was made now, as each attempt makes it; else it is every byte that is kept.</summary>
    public bool IsSourceMade { get; init; }

    /// <summary>As it is handed to a transport that carries whole messages: by the same hand.</summary>
    public static ShownMail Of(MessageView view, MessageContent content)
    {
        if (content.Mime is { } mime)
            return Of(mime);
        List<MessageRecipient> recipients = [.. view.Recipients.Select(one => new MessageRecipient(one.N, one.Kind, one.Mailbox))];
        using var made = RenderedMessage.Of(new OutgoingEnvelope
        {
            Message = view.Id,
            Tenant = view.Tenant,
            ReversePath = content.MailFrom,
            Content = content,
            Recipients = recipients,
            AllRecipients = recipients,
            Stream = view.Stream,
            Generation = 0,
        });
        return Of(made.Bytes.ToArray()) with
        {
            Text = content.Text,
            Html = content.Html,
            Attachments = content.Attachments,
            IsSourceMade = true,
        };
    }

    public static ShownMail Of(MessageContent content) => content.Mime is { } mime ? Of(mime) : new ShownMail
    {
        Text = content.Text,
        Html = content.Html,
        Headers = [.. content.Headers.Select(field => new ShownField(field.Name, field.Value))],
        Attachments = content.Attachments,
    };

    /// <summary>What cannot be read is shown as its source alone.</summary>
    public static ShownMail Of(ReadOnlyMemory<byte> mime)
    {
        if (!MimeReader.TryRead(mime, out var message, out _))
            return new ShownMail { Source = mime };
        var parts = MessageParts.Of(message);
        return new ShownMail
        {
            Text = parts.Text,
            Html = parts.Html,
            Headers = [.. message.Headers.Fields.Select(line => new ShownField(line.Name, line.Text))],
            Attachments = [.. parts.Attachments.Select(part => part.ToAttachment())],
            Source = mime,
        };
    }
}

/// <summary>A header field, decoded for people.</summary>
public readonly record struct ShownField(string Name, string Value);
