using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail as people look at it. Everything in it is a stranger's: shown as text, or in a frame that can do nothing.</summary>
public sealed record ShownMail
{
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>Of the message as it goes over the wire; of one that is not made yet, those that its sender gave.</summary>
    public IReadOnlyList<ShownField> Headers { get; init; } = [];
    public IReadOnlyList<MimeAttachment> Attachments { get; init; } = [];

    /// <summary>Null: it is made at each attempt.</summary>
    public ReadOnlyMemory<byte>? Source { get; init; }

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
