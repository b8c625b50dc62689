using System.Collections;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>What we write is what others read, field by field, for messages of every shape.</summary>
public sealed class PeerTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("postrider-peers-").FullName;
    readonly List<string> _differences = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>401 without SMTPUTF8, and fewer with it: that differs in the addresses only.</summary>
    static MimeMessage[] Messages(bool smtpUtf8) =>
    [
        .. Enumerable.Range(0, smtpUtf8 ? 100 : 400).Select(n =>
        {
            var dice = new Dice((ulong)n);
            return MessageMaker.Any(dice, dice.Pick(0, 1, 1, 2, 5, 40), smtpUtf8);
        }),
        MessageMaker.Any(new Dice(1_000_001), recipients: smtpUtf8 ? 50 : 1_000, smtpUtf8),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Needs", "python")]
    public void Pythons_email_reads_what_we_write_and_finds_no_defect(bool smtpUtf8)
    {
        var messages = Messages(smtpUtf8);
        Compare(messages, PeerReaders.ReadWithPython(Write(messages)), (message, found, what) =>
        {
            CompareHeader(message, found, what, text => text ?? "");
            Same(what("tree"), Tree(message), found.GetProperty("tree").GetString());
            var texts = found.GetProperty("texts").EnumerateArray().Select(text => (text[0].GetString()!, Unend(text[1].GetString()!)));
            Same(what("texts"), Texts(message).Select(text => (text.Type, Unend(Crlf(text.Text)))), texts);
            Same(what("attachments"), Attachments(message), found.GetProperty("attachments").EnumerateArray().Select(Attachment));
            Same(what("defects"), [], found.GetProperty("defects").EnumerateArray().Select(defect => defect.GetString()));
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Needs", "node")]
    public void Npms_mailparser_reads_what_we_write(bool smtpUtf8)
    {
        var messages = Messages(smtpUtf8);
        Compare(messages, PeerReaders.ReadWithMailparser(Write(messages)), (message, found, what) =>
        {
            // mailparser trims names and knows no difference between empty and absent.
            CompareHeader(message, found, what, text => text?.Trim() ?? "");
            Same(what("text"), Lf(message.Text), Lf(found.GetProperty("text").GetString()));
            Same(what("html"), Lf(message.Html), Lf(found.GetProperty("html").GetString()));
            var written = Attachments(message).ToArray();
            var read = found.GetProperty("attachments").EnumerateArray().Select(Attachment);
            Same(what("attachments"), written, read.Select((file, n) => n < written.Length ? Forgive(file, written[n]) : file));
        });
    }

    string Write(MimeMessage[] messages)
    {
        for (var n = 0; n < messages.Length; n++)
            File.WriteAllBytes(Path.Combine(_folder, $"{n:D4}.eml"), Output.Of(messages[n]));
        return _folder;
    }

    void Compare(MimeMessage[] messages, JsonElement[] found, Action<MimeMessage, JsonElement, Func<string, string>> compare)
    {
        Assert.Equal(messages.Length, found.Length);
        for (var n = 0; n < messages.Length; n++)
            compare(messages[n], found[n], field => $"message {n}, {field}");
        Assert.True(_differences.Count == 0, $"{_differences.Count} differences:\n{string.Join('\n', _differences.Take(20))}");
    }

    void Same<T>(string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            _differences.Add($"{what}:\n  written {Show(expected)}\n  read    {Show(actual)}");
    }

    void Same<T>(string what, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        if (!expected.SequenceEqual(actual))
            _differences.Add($"{what}:\n  written {Show(expected)}\n  read    {Show(actual)}");
    }

    static string Show<T>(T value)
    {
        IEnumerable<object?> items = value is IEnumerable many and not string ? many.Cast<object?>() : [value];
        var json = JsonSerializer.Serialize(items.Select(item => $"{item}"));
        return json.Length > 1500 ? json[..1500] : json;
    }

    void CompareHeader(MimeMessage message, JsonElement found, Func<string, string> what, Func<string?, string> same)
    {
        Same(what("names"),
            Output.Names(message).Select(Lower),
            found.GetProperty("names").EnumerateArray().Select(name => Lower(name.GetString()!)));
        Same(what("from"), Mailboxes([message.From], same), Mailboxes(found.GetProperty("from"), same));
        Same(what("sender"), Mailboxes(message.Sender is null ? [] : [message.Sender], same), Mailboxes(found.GetProperty("sender"), same));
        Same(what("reply-to"), Mailboxes(message.ReplyTo, same), Mailboxes(found.GetProperty("reply_to"), same));
        Same(what("to"), Mailboxes(message.To, same), Mailboxes(found.GetProperty("to"), same));
        Same(what("cc"), Mailboxes(message.Cc, same), Mailboxes(found.GetProperty("cc"), same));
        Same(what("subject"), same(message.Subject?.Trim(' ', '\t')), same(found.GetProperty("subject").GetString()));
        Same(what("custom"),
            message.Headers.Select(field => (Lower(field.Name), same(field.Value))),
            found.GetProperty("custom").EnumerateArray().Select(field => (Lower(field[0].GetString()!), same(field[1].GetString()))));
        Same(what("message id"), $"<{message.MessageId}>", found.GetProperty("message_id").GetString());
        Same(what("date"), message.Date, DateTimeOffset.Parse(found.GetProperty("date").GetString()!, CultureInfo.InvariantCulture));
    }

    static IEnumerable<(string Name, EmailAddress Address)> Mailboxes(IEnumerable<Mailbox> mailboxes, Func<string?, string> same) =>
        mailboxes.Select(mailbox => (same(mailbox.Name), mailbox.Address));

    static IEnumerable<(string Name, EmailAddress Address)> Mailboxes(JsonElement mailboxes, Func<string?, string> same) =>
        mailboxes.EnumerateArray().Select(mailbox => (same(mailbox[0].GetString()), EmailAddress.Parse(mailbox[1].GetString()!)));

    static IEnumerable<(string Type, string Text)> Texts(MimeMessage message)
    {
        if (message.Text is not null || (message.Html is null && message.Attachments.Count == 0))
            yield return ("text/plain", message.Text ?? "");
        if (message.Html is not null)
            yield return ("text/html", message.Html);
    }

    static bool IsRelated(MimeMessage message, MimeAttachment attachment) =>
        attachment is { Inline: true, ContentId: not null } && message.Html is not null;

    static string Tree(MimeMessage message)
    {
        var texts = string.Join(',', Texts(message).Select(text => text.Type));
        var body = texts.Contains(',', StringComparison.Ordinal) ? $"multipart/alternative({texts})" : texts;
        var related = message.Attachments.Where(file => IsRelated(message, file)).Select(file => Type(message, file)).ToArray();
        if (related.Length > 0)
            body = $"multipart/related({body},{string.Join(',', related)})";
        var mixed = message.Attachments.Where(file => !IsRelated(message, file)).Select(file => Type(message, file));
        var parts = string.Join(',', mixed.Prepend(body).Where(part => part.Length > 0));
        return parts == body ? body : $"multipart/mixed({parts})";
    }

    /// <summary>The embedded message that <see cref="MessageMaker"/> makes holds the boundaries of seed 1.</summary>
    static string Type(MimeMessage message, MimeAttachment attachment) =>
        attachment.ContentType == "message/rfc822" && message.BoundarySeed == 1
            ? MediaType.OctetStream
            : Lower(attachment.ContentType.Split(';')[0]);

    /// <summary>mailparser decodes encoded words in file names once more, and guesses the type of an octet stream from its name.</summary>
    static Found Forgive(Found read, Found written) => read with
    {
        FileName = EncodedWord.Resembles(written.FileName) ? written.FileName : read.FileName,
        Type = written.Type == MediaType.OctetStream ? written.Type : read.Type,
    };

    sealed record Found(string FileName, string Type, string Disposition, string? ContentId, string Sha256);

    /// <summary>In the order in which they are written.</summary>
    static IEnumerable<Found> Attachments(MimeMessage message) =>
        message.Attachments.OrderBy(attachment => !IsRelated(message, attachment)).Select(attachment => new Found(
            attachment.FileName.Trim(),
            Type(message, attachment),
            attachment.Inline ? "inline" : "attachment",
            attachment.ContentId is null ? null : $"<{attachment.ContentId}>",
            Convert.ToHexStringLower(SHA256.HashData(attachment.Content.Span))));

    static Found Attachment(JsonElement found) => new(
        // Python takes away the no-break space too.
        found.GetProperty("file_name").GetString()!.Trim(),
        found.GetProperty("type").GetString()!,
        found.GetProperty("disposition").GetString()!,
        found.GetProperty("content_id").GetString(),
        found.GetProperty("sha256").GetString()!);

    static string Lower(string name) => name.ToLowerInvariant();

    static string Crlf(string text) => string.Join("\r\n", text.Split(["\r\n", "\r", "\n"], StringSplitOptions.None));

    /// <summary>A message ends with a line end, whether its text does or not.</summary>
    static string Unend(string text) => text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text;

    static string Lf(string? text) => Crlf(text ?? "").Replace("\r\n", "\n", StringComparison.Ordinal).TrimEnd('\n');
}
