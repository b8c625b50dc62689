using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

/// <summary>The rule for vendors that take no whole messages.</summary>
public sealed class TakenApartTests
{
    static MessageContent Whole(string text) => new()
    {
        From = Envelopes.Mailbox("Ann <ann@example.org>"),
        Subject = "Hello",
        Mime = Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n")),
    };

    [Fact]
    public void What_we_render_and_take_apart_is_what_was_said()
    {
        for (var seed = 0UL; seed < 300; seed++)
        {
            var said = Vendors.AnyContent(seed);
            using var rendered = RenderedMessage.Of(Envelopes.With(said, "bob@to.test"));
            var whole = said with { Text = null, Html = null, Headers = [], Attachments = [], Mime = rendered.Bytes.ToArray() };

            var apart = TakenApart.Of(whole, out var why);

            Assert.True(apart is not null, why);
            Assert.Null(apart.Mime);
            if (said.Text is not null || said.Html is not null)
                Assert.Equal((Lines(said.Text), Lines(said.Html)), (Lines(apart.Text), Lines(apart.Html)));
            Assert.Equal(said.Headers.Select(field => (field.Name, field.Value)), apart.Headers.Select(field => (field.Name, field.Value)));
            Assert.Equal(
                said.Attachments.Select(file => Convert.ToHexString(file.Content.Span)).Order(),
                apart.Attachments.Select(file => Convert.ToHexString(file.Content.Span)).Order());
        }
    }

    [Fact]
    public void Senders_headers_stay_and_those_of_servers_go()
    {
        var apart = TakenApart.Of(
            Whole("""
                Received: from a by b
                DKIM-Signature: v=1
                From: ann@example.org
                Sender: eve@example.org
                To: bob@example.com
                Date: Thu, 01 Jan 2026 00:00:00 +0000
                Message-ID: <1@example.org>
                In-Reply-To: <0@example.org>
                List-Unsubscribe: <https://example.org/u>
                X-Umlaut: =?utf-8?Q?=C3=BC?=
                MIME-Version: 1.0
                Content-Type: text/html; charset=iso-8859-1
                Content-Transfer-Encoding: quoted-printable

                <p>=FC</p>
                """), out _);

        Assert.Equal(["In-Reply-To <0@example.org>", "List-Unsubscribe <https://example.org/u>", "X-Umlaut ü"],
            apart!.Headers.Select(field => $"{field.Name} {field.Value}"));
        Assert.Equal((null, "<p>ü</p>"), (apart.Text, apart.Html));
    }

    [Fact]
    public void File_names_that_no_header_may_hold_are_replaced() => Assert.Equal("attachment", Assert.Single(TakenApart.Of(
        Whole("Content-Type: a/b\nContent-Disposition: attachment; filename*=utf-8''a%0D%0AB:%20c\n\nx"), out _)!.Attachments).FileName);

    [Theory]
    [InlineData("multipart/signed; boundary=b\n\n--b\n\nx\n--b--", "multipart/signed, which means something only as it was written")]
    [InlineData("text/calendar; method=REQUEST\n\nx", "text/calendar, which means something only as it was written")]
    [InlineData("multipart/mixed; boundary=b\n\n{1,001 parts}", "a message whose parts cannot be read")]
    public void What_would_be_another_message_is_not_taken_apart(string text, string reason)
    {
        var parts = string.Concat(Enumerable.Repeat("--b\n\n", 1_001));
        text = text.Replace("{1,001 parts}", parts, StringComparison.Ordinal);

        Assert.Null(TakenApart.Of(Whole($"Content-Type: {text}"), out var why));
        Assert.Equal(reason, why);
    }

    static string? Lines(string? text) => text is null ? null
        : string.Join('\n', text.Split(["\r\n", "\r", "\n"], StringSplitOptions.None)).TrimEnd('\n');
}
