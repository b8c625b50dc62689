using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>What is written is read back, and nothing that comes hurts the reader.</summary>
public sealed class MimeReaderProperties
{
    static readonly byte[][] Pieces = [.. new[]
    {
        "\r\n", "\n", "\r", "\0", " ", "\t", "--", "--b", "--b--", "--bb\r\n", "b", ":", ";", "=", "\"", "\\", "(", ")", "*", "%", "'",
        "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/digest; boundary=\"bb\"\r\n",
        "Content-Type: message/rfc822\r\n", "Content-Type: text/plain; charset=", "utf-8", "utf-7", "iso-2022-jp", "utf-16",
        "Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n", "=C3=", "R3LD",
        "Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1=x\r\n", "Subject: =?utf-8?Q?=C3?= =?utf-7?B?x?=\r\n",
        "From ", "\u00ff\u00fe", "A: 1\r\n", "\r\n\r\n",
    }.Select(Encoding.Latin1.GetBytes)];

    static void Holds(Action<Dice> property, int tests = 1_000) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(tests).WithQuietOnSuccess(true),
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => property(new Dice((ulong)seed))));

    [Fact]
    public void What_the_writer_writes_is_read_back() => Holds(dice =>
    {
        var written = MessageMaker.Any(dice, dice.Pick(0, 1, 3, 30), smtpUtf8: true);
        Assert.True(MimeReader.TryRead(Output.Of(written), out var read, out _));

        Assert.Equal(Output.Names(written), read.Headers.Fields.Select(field => field.Name));
        Assert.Equal((written.Subject ?? "").Trim(' ', '\t'), read.Headers.Find("Subject")?.Text ?? "");
        Assert.True(read.Headers.TryReadMailboxes("To", default, out var to, out _));
        Assert.Equal(written.To.Select(mailbox => mailbox.Address), to.Select(mailbox => mailbox.Address));
        var leaves = Leaves(read).ToArray();
        var texts = leaves.Where(leaf => leaf.Disposition is null).ToArray();
        Assert.Equal(Texts(written).Select(Unend), texts.Select(leaf => Unend(leaf.DecodeText())));
        var files = leaves.Where(leaf => leaf.Disposition is not null).ToArray();
        // Those that the HTML shows come first.
        var attachments = written.Attachments.OrderBy(file =>
            file is { Inline: true, ContentId: not null } && written.Html is not null ? 0 : 1);
        Assert.Equal(
            attachments.Select(file => (file.FileName, file.ContentId, Convert.ToHexString(file.Content.Span))),
            files.Select(file => (file.FileName ?? "", file.ContentId, Convert.ToHexString(ContentOf(file)))));
    });

    [Fact]
    public void Any_bytes_are_read_or_refused_by_name() => Holds(dice =>
    {
        var bytes = dice.OneIn(4) ? dice.Bytes(dice.Next(500)) : Nonsense(dice);
        Walk(bytes, dice);
    }, tests: 20_000);

    [Fact]
    public void Damaged_messages_are_read_or_refused_by_name() => Holds(dice =>
    {
        var bytes = Output.Of(MessageMaker.Any(dice, recipients: 3)).ToList();
        for (var n = dice.Next(20); n >= 0 && bytes.Count > 0; n--)
            Damage(bytes, dice);
        Walk([.. bytes], dice);
    }, tests: 2_000);

    [Fact]
    public void Every_prefix_of_a_message_is_read()
    {
        var bytes = Output.Of(MessageMaker.Any(new Dice(7), recipients: 5));
        Assert.True(bytes.Length > 500);
        for (var length = 0; length < Math.Min(bytes.Length, 5_000); length++)
            Walk(bytes[..length], new Dice((ulong)length));
    }

    [Fact]
    public void Time_grows_with_the_length_and_no_faster()
    {
        // Each of these was made to be slow: lines that look like delimiters, parts inside parts, parameters without end.
        string[] hostile =
        [
            Repeat("--b--\n", 100_000, "Content-Type: multipart/mixed; boundary=\"b--c\"\n\n"),
            Repeat("--b\n", 900, "Content-Type: multipart/mixed; boundary=b\n\n") + Repeat("--\n", 300_000),
            Nested(99) + Repeat("--x\n", 200_000),
            "A: " + Repeat("=?utf-8?Q?x?= ", 7_000) + "\n\n",
            "A: " + Repeat("=?", 45_000) + "\n\n",
            "Content-Type: text/plain" + Repeat("; a*0=x", 13_000) + "\n\n",
            "Content-Type: text/plain; x=\"" + Repeat("\\", 90_000) + "\n\n",
            "Content-Type: text/plain; x=" + Repeat("a (", 30_000) + "\n\n",
            "Content-Transfer-Encoding: quoted-printable\n\n" + Repeat("=", 1_000_000),
            "Content-Transfer-Encoding: quoted-printable\n\n" + Repeat("= \t", 300_000),
            Repeat("A:\n ", 999),
        ];
        foreach (var text in hostile)
        {
            var clock = TimeProvider.System;
            var start = clock.GetTimestamp();
            Walk(Encoding.ASCII.GetBytes(text), new Dice(1));
            Assert.True(clock.GetElapsedTime(start) < TimeSpan.FromSeconds(5), text[..60]);
        }
    }

    static string Repeat(string text, int count, string before = "") => before + string.Concat(Enumerable.Repeat(text, count));

    static string Nested(int levels) =>
        string.Concat(Enumerable.Range(0, levels).Select(n => $"{new string('n', 50)}{n}")
            .Select(boundary => $"Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n--{boundary}\n"));

    static byte[] Nonsense(Dice dice)
    {
        var bytes = new List<byte>();
        for (var n = dice.Next(60); n >= 0; n--)
            bytes.AddRange(dice.Pick<byte[]>(Pieces));
        return [.. bytes];
    }

    static void Damage(List<byte> bytes, Dice dice)
    {
        var at = dice.Next(bytes.Count);
        switch (dice.Next(4))
        {
            case 0: bytes[at] = (byte)dice.Next(256); break;
            case 1: bytes.RemoveRange(at, Math.Min(dice.Next(100), bytes.Count - at)); break;
            case 2: bytes.InsertRange(at, dice.Pick<byte[]>(Pieces)); break;
            default: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(dice.Next(200), bytes.Count - at))); break;
        }
    }

    /// <summary>Looks at everything that can be looked at.</summary>
    static void Walk(byte[] bytes, Dice dice)
    {
        var limits = dice.OneIn(3) ? new MimeLimits { MaxDepth = 4, MaxParts = 10, MaxFields = 10 } : MimeLimits.Default;
        if (!MimeReader.TryRead(bytes, limits, out var message, out var fault))
        {
            Assert.NotEqual(MimeFault.None, fault);
            return;
        }
        Assert.Equal(bytes.Length, message.Whole.Length);
        Look(message, depth: 1);
        HeaderBlock.TryReadGroups(bytes, limits, out _, out _);
    }

    static void Look(MimeEntity entity, int depth)
    {
        Assert.InRange(depth, 1, MimeLimits.Default.MaxDepth);
        Assert.InRange(entity.Body.Length, 0, entity.Whole.Length);
        foreach (var field in entity.Headers.Fields)
            Assert.True(HeaderText.IsSafe(field.Text, out _) && HeaderText.IsSafe(field.Name, out _));
        _ = (entity.FileName, entity.Disposition, entity.ContentId, entity.MediaType, entity.Decode().Length, entity.DecodeText());
        var length = 0;
        foreach (var part in entity.Parts)
        {
            Look(part, depth + 1);
            length += part.Whole.Length;
        }
        // The header of a part that has no body keeps its line end, which belongs to the delimiter too.
        Assert.InRange(length, 0, entity.Body.Length + 2);
    }

    internal static IEnumerable<MimeEntity> Leaves(MimeEntity entity) =>
        entity.IsMultipart && entity.Parts.Count > 0 ? entity.Parts.SelectMany(Leaves) : [entity];

    static ReadOnlySpan<byte> ContentOf(MimeEntity file) => file.IsMessage ? file.Body.Span : file.Decode().Span;

    static IEnumerable<string> Texts(MimeMessage message)
    {
        if (message.Text is not null || (message.Html is null && message.Attachments.Count == 0))
            yield return message.Text ?? "";
        if (message.Html is not null)
            yield return message.Html;
    }

    /// <summary>Half surrogates cannot be written; a message ends with a line end whether its text does or not.</summary>
    static string Unend(string text)
    {
        var crlf = string.Join("\r\n", text.Split(["\r\n", "\r", "\n"], StringSplitOptions.None));
        return crlf.EndsWith("\r\n", StringComparison.Ordinal) ? crlf[..^2] : crlf;
    }
}
