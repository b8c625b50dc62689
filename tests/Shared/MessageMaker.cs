using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;

namespace Postrider.Testing;

/// <summary>Makes messages of every shape out of dice.</summary>
public static class MessageMaker
{
    static readonly string[] Types =
    [
        "image/png", "application/pdf", "text/csv; charset=utf-8", "text/calendar; method=REQUEST; charset=\"utf-8\"",
        "application/octet-stream", "text/html", "IMAGE/SVG+XML",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "nonsense", "multipart/mixed", "a/b; c",
    ];

    /// <summary>Holds a boundary of seed 1.</summary>
    static readonly byte[] InnerMessage = "Subject: inner\r\n\r\n--=_0000000000000001.0\r\n"u8.ToArray();

    public static MimeMessage Simple(string? subject = "Hello", string? text = "Hello") => new()
    {
        From = new Mailbox("Ann", EmailAddress.Parse("ann@example.com")),
        To = [new Mailbox(null, EmailAddress.Parse("bob@example.org"))],
        MessageId = "1.2@example.com",
        Date = new DateTimeOffset(2026, 11, 21, 21, 5, 57, TimeSpan.Zero),
        BoundarySeed = 0x0123456789abcdef,
        Subject = subject,
        Text = text,
    };

    /// <param name="dice">Decides everything.</param>
    /// <param name="recipients">How many stand in To and Cc together.</param>
    /// <param name="smtpUtf8">Whether local parts may be in other scripts.</param>
    public static MimeMessage Any(Dice dice, int recipients, bool smtpUtf8 = false)
    {
        var to = dice.Next(recipients + 1);
        return new MimeMessage
        {
            From = AnyMailbox(dice, smtpUtf8),
            Sender = dice.OneIn(4) ? AnyMailbox(dice, smtpUtf8) : null,
            ReplyTo = Mailboxes(dice, dice.Next(3), smtpUtf8),
            To = Mailboxes(dice, to, smtpUtf8),
            Cc = Mailboxes(dice, recipients - to, smtpUtf8),
            MessageId = $"{dice.Next(int.MaxValue)}.{dice.Next(int.MaxValue)}@mail.example.com",
            Date = DateTimeOffset.UnixEpoch.AddSeconds(dice.Next(int.MaxValue)).ToOffset(TimeSpan.FromMinutes(dice.Next(600) - 300)),
            BoundarySeed = (ulong)dice.Next(3),
            Subject = dice.OneIn(10) ? null : dice.Line(14),
            Text = dice.OneIn(4) ? null : dice.Body(40),
            Html = dice.OneIn(2) ? null : $"<p>{dice.Body(40)}</p><img src=\"cid:img0\">",
            Headers =
            [
                .. Enumerable.Range(0, dice.Next(4)).Select(n => Field($"X-{dice.Pick("A", "Longer", new string('N', 70))}-{n}", dice.Line(10))),
            ],
            Attachments = [.. Enumerable.Range(0, dice.Pick(0, 0, 0, 1, 2, 4)).Select(n => AnyAttachment(dice, n))],
        };
    }

    public static HeaderField Field(string name, string value) =>
        HeaderField.TryCreate(name, value, out var field, out var fault) ? field : throw new ArgumentException($"{name}: {fault}");

    static Mailbox[] Mailboxes(Dice dice, int count, bool smtpUtf8) =>
        [.. Enumerable.Range(0, count).Select(_ => AnyMailbox(dice, smtpUtf8))];

    static Mailbox AnyMailbox(Dice dice, bool smtpUtf8)
    {
        var local = dice.Pick("ann", "First.Last+tag", $"u{dice.Next(1_000_000)}", "\"a b\"", "\"q\\\"uote\"",
            "!#$%&'*+-/=?^_`{|}~", new string('l', 64));
        if (smtpUtf8 && dice.OneIn(2))
            local = dice.Pick("почта", "ü", "用户", "𝒽");
        var domain = dice.Pick("example.com", "bücher.example", "почта.рф", "例え.テスト",
            $"{new string('d', 60)}.{new string('e', 60)}.example", "xn--bcher-kva.example");
        return new Mailbox(dice.OneIn(3) ? null : dice.Line(4), EmailAddress.Parse($"{local}@{domain}"));
    }

    static MimeAttachment AnyAttachment(Dice dice, int n)
    {
        if (dice.OneIn(8))
            return new MimeAttachment { FileName = "mail.eml", ContentType = "message/rfc822", Content = InnerMessage };
        var type = dice.Pick<string>(Types);
        // Readers take an inline text for one more body.
        var inline = dice.OneIn(2) && !type.StartsWith("text/", StringComparison.Ordinal);
        return new MimeAttachment
        {
            FileName = dice.Pick("report.pdf", "a b.txt", "Käse.png", dice.Line(3) + ".bin",
                "日本語の長いファイル名がここにあります、折り返しが必要です.pdf", "..\\..\\x.exe"),
            ContentType = type,
            Content = dice.Bytes(dice.Pick(0, 1, 56, 57, 58, 1000, 20_000)),
            ContentId = inline || dice.OneIn(4) ? $"img{n}" : null,
            Inline = inline,
        };
    }
}
