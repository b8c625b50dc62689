using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>What holds for every message that can be made.</summary>
public sealed class MessageWriterProperties
{
    static readonly byte[] CrLf = "\r\n"u8.ToArray();

    static void Holds(Action<MimeMessage> property, bool smtpUtf8 = false) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1_000),
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var dice = new Dice((ulong)seed);
            property(MessageMaker.Any(dice, dice.Pick(0, 1, 3, 30), smtpUtf8));
        }));

    [Fact]
    public void Lines_end_with_CRLF_and_are_never_over_998() => Holds(
        message =>
        {
            var bytes = Output.Of(message).AsSpan();
            Assert.True(bytes.EndsWith(CrLf));
            foreach (var range in bytes.Split(CrLf))
            {
                Assert.False(bytes[range].ContainsAny((byte)'\r', (byte)'\n', (byte)0));
                Assert.InRange(bytes[range].Length, 0, 998);
            }
        },
        smtpUtf8: true);

    [Fact]
    public void All_is_ASCII_without_SMTPUTF8() =>
        Holds(message => Assert.True(!MessageWriter.NeedsSmtpUtf8(message) && Ascii.IsValid(Output.Of(message))));

    [Fact]
    public void Only_addresses_that_need_SMTPUTF8_bring_raw_UTF8() => Holds(
        message =>
        {
            var open = Output.TextOf(message);
            Mailbox[] all = [message.From, message.Sender ?? message.From, .. message.To, .. message.Cc, .. message.ReplyTo];
            foreach (var address in all.Select(mailbox => Encoding.UTF8.GetBytes(mailbox.Address.ToAscii())))
                open = open.Replace(Encoding.Latin1.GetString(address), "", StringComparison.Ordinal);
            Assert.True(Ascii.IsValid(open));
        },
        smtpUtf8: true);

    [Fact]
    public void The_header_has_the_fields_of_the_message_and_no_other() =>
        Holds(message => Assert.Equal(Expected(message), Output.Names(message)));

    [Fact]
    public void Header_lines_are_folded_and_none_is_blank() => Holds(message => Assert.All(
        Output.Halves(message).Header.Split("\r\n", StringSplitOptions.RemoveEmptyEntries),
        line =>
        {
            Assert.False(string.IsNullOrWhiteSpace(line));
            // Longer only where there is no place to fold.
            Assert.True(line.Length <= 76 || !line.TrimStart()[..70].Contains(", ", StringComparison.Ordinal), line);
            Assert.True(line.Length <= 76 || !line.Contains("=?utf-8?", StringComparison.Ordinal), line);
        }));

    [Fact]
    public void Boundaries_stand_between_parts_and_nowhere_else() => Holds(message =>
    {
        var parts = (message.Text is null ? 0 : 1) + (message.Html is null ? 0 : 1) + message.Attachments.Count;
        var body = Output.Halves(message).Body;
        var seed = message.BoundarySeed.ToString("x16", CultureInfo.InvariantCulture);
        var lines = body.Split("\r\n").Where(line => line.StartsWith($"--=_{seed}.", StringComparison.Ordinal)).ToArray();
        var closings = lines.Count(line => line.EndsWith("--", StringComparison.Ordinal));
        // A tree with n leaves and c branches has n + c - 1 edges.
        Assert.Equal(closings == 0 ? 0 : parts + closings - 1, lines.Length - closings);
    });

    [Fact]
    public void The_same_message_gives_the_same_bytes() => Holds(message => Assert.Equal(Output.Of(message), Output.Of(message with { })));

    [Fact]
    public void No_string_can_add_a_header() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5_000),
        Prop.ForAll(Nasty.Strings, text =>
        {
            var simple = MessageMaker.Simple();
            var message = simple with { Text = text };
            if (HeaderText.IsSafe(text, out _))
            {
                var file = new MimeAttachment { FileName = text, Content = default, ContentType = text };
                message = message with { Subject = text, Attachments = [file] };
            }
            if (Mailbox.TryCreate(text, simple.From.Address, out var named, out _))
                message = message with { From = named, To = [named, named] };
            if (Mailbox.TryParse(text, out var parsed, out _))
                message = message with { Cc = [parsed] };
            if (HeaderField.TryCreate("X-Value", text, out var value, out _))
                message = message with { Headers = [value] };
            if (HeaderField.TryCreate(text, "x", out var field, out _))
                message = message with { Headers = [.. message.Headers, field] };
            if (MimeMessage.IsMessageId(text))
                message = message with { MessageId = text };
            Assert.Equal(Expected(message), Output.Names(message));
        }));

    static IEnumerable<string> Expected(MimeMessage message)
    {
        var multipart = message.Attachments.Count > 0 || (message.Text is not null && message.Html is not null);
        return (string[])
        [
            "Date", "From",
            .. message.Sender is null ? [] : new[] { "Sender" },
            .. message.ReplyTo.Count == 0 ? [] : new[] { "Reply-To" },
            .. message.To.Count == 0 && message.Cc.Count > 0 ? [] : new[] { "To" },
            .. message.Cc.Count == 0 ? [] : new[] { "Cc" },
            "Message-ID",
            .. message.Subject is null ? [] : new[] { "Subject" },
            .. message.Headers.Select(field => field.Name),
            "MIME-Version", "Content-Type",
            .. multipart ? [] : new[] { "Content-Transfer-Encoding" },
        ];
    }
}

/// <summary>Strings made of what hurts parsers and writers.</summary>
static class Nasty
{
    static readonly string[] Pieces =
    [
        "\r", "\n", "\r\n", "\0", " ", "\t", "\"", "\\", "<", ">", "(", ")", "[", "]", "@", ",", ";", ":", ".",
        "=?utf-8?Q?", "=?utf-8?B?", "?=",
        "=0D=0A", "a", "b@x.com", "x.com",
        "ü", "文", "🎉", "\ud83d", "\udc00", "\u2028", "\u0085", "\u200b", "Bcc: v@evil.com", "X-Evil: 1", "IPv6:", "127.0.0.1",
        "xn--", "text/plain", "charset=", "--", "=_", "From ",
    ];

    public static Arbitrary<string> Strings { get; } = Arb.From(
        Gen.Elements(Pieces).ListOf().Select(string.Concat),
        text => Enumerable.Range(0, text.Length).Select(i => text.Remove(i, 1)));
}
