using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>Whatever comes whole is refused by name, or fit for the wire and means one thing to every reader.</summary>
public sealed class WholeMessageProperties
{
    static readonly string[] Damage =
    [
        "\r", "\n", "\r\n", "\r\r\n", "\r\n\r\n", "\n\n", "\0", "Bcc: v@evil.com\r\n", "\rBcc: v@evil.com\r", "From: v@evil.com\n", " \r\n",
        "\t", ":", ".\r\n", "\r\n.\r\n", "\u00ff", "ü", "--=_0000000000000001.0\r\n", new string('x', 1_200),
        "Content-Transfer-Encoding: base64\r\n", "Content-Type: multipart/mixed; boundary=\"=_0000000000000001.1\"\r\n",
    ];

    static void Holds(Action<Dice> property, int tests) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(tests).WithQuietOnSuccess(true),
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => property(new Dice((ulong)seed))));

    [Fact]
    public void What_is_taken_is_fit_for_the_wire() => Holds(dice =>
    {
        if (!WholeMessage.TryRead(Damaged(dice), MimeLimits.Default, out var message, out var fault))
        {
            Assert.Null(message);
            Assert.NotEqual(WholeMessageFault.None, fault);
            return;
        }
        var text = Encoding.Latin1.GetString(message!.Bytes.Span);
        Assert.All(text.Split("\r\n"), line =>
        {
            Assert.InRange(line.Length, 0, 998);
            Assert.True(line.AsSpan().IndexOfAny('\r', '\n', '\0') < 0);
        });
        // The same again changes nothing, and copies nothing.
        Assert.True(WholeMessage.TryRead(message.Bytes, MimeLimits.Default, out var again, out _));
        Assert.True(message.Bytes.Equals(again!.Bytes));
    }, tests: 5_000);

    [Fact]
    public void A_careless_reader_finds_the_same_fields_in_the_header() => Holds(dice =>
    {
        if (!WholeMessage.TryRead(Damaged(dice), MimeLimits.Default, out var message, out _))
            return;
        var text = Encoding.Latin1.GetString(message!.Bytes.Span);
        var start = message.Headers.Fields is [var first, ..] ? first.Start : 0;
        var end = text.IndexOf("\r\n\r\n", start, StringComparison.Ordinal);
        // Any CR or LF ends a line for it, and a line that does not start with white space is a field.
        var careless = (end < 0 ? text : text[..end])[start..].Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] is not (' ' or '\t')).Select(line => line.Split(':')[0].TrimEnd(' ', '\t'));
        var hasHeader = !text[start..].StartsWith("\r\n", StringComparison.Ordinal);
        Assert.Equal(message.Headers.Fields.Select(field => field.Name), hasHeader ? careless : []);
    }, tests: 5_000);

    [Fact]
    public void Long_lines_say_the_same_afterwards() => Holds(dice =>
    {
        var body = dice.Body(10).Replace("\0", "", StringComparison.Ordinal) + new string('x', dice.Next(3_000));
        var bytes = Encoding.UTF8.GetBytes($"A: 1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}");

        Assert.True(WholeMessage.TryRead(bytes, MimeLimits.Default, out var message, out _));
        Assert.Equal(Lines(body), Lines(message!.Entity.DecodeText()));
    }, tests: 1_000);

    [Fact]
    public void Every_charset_of_this_machine_reads_any_bytes()
    {
        var dice = new Dice(1);
        foreach (var charset in CodePagesEncodingProvider.Instance.GetEncodings().Select(encoding => encoding.Name)
            .Concat(Encoding.GetEncodings().Select(encoding => encoding.Name)).Append("utf-7"))
        {
            for (var n = 0; n < 20; n++)
            {
                var header = Encoding.ASCII.GetBytes($"Subject: =?{charset}?B?{Convert.ToBase64String(dice.Bytes(30))}?=\r\n"
                    + $"Content-Type: text/plain; charset={charset}; name*={charset}''%1B%24%42%80%FF\r\n\r\n");
                Assert.True(MimeReader.TryRead((byte[])[.. header, .. dice.Bytes(200)], out var message, out _));
                _ = (message.DecodeText(), message.FileName);
                Assert.True(HeaderText.IsSafe(message.Headers.Find("Subject")!.Value.Text, out var fault), $"{charset}: {fault}");
            }
        }
    }

    static byte[] Damaged(Dice dice)
    {
        var bytes = Output.Of(MessageMaker.Any(dice, recipients: 2)).ToList();
        for (var n = dice.Next(4); n > 0; n--)
        {
            var at = dice.OneIn(2) ? dice.Next(Math.Min(bytes.Count, 300)) : dice.Next(bytes.Count);
            bytes.InsertRange(at, Encoding.UTF8.GetBytes(dice.Pick<string>(Damage)));
        }
        return [.. bytes];
    }

    static string Lines(string text) => string.Join('\n', text.Split(["\r\n", "\r", "\n"], StringSplitOptions.None)).TrimEnd('\n');
}
