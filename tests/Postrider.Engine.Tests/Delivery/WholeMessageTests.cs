using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Postmark;
using Postrider.Providers.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>The whole way of a message that came whole: through the store to servers that take it as it is, and to those that do
/// not.</summary>
public sealed class WholeMessageTests
{
    const string Taken = """
        {"To":"x","SubmittedAt":"2030-01-01T00:00:00Z","MessageID":"6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11","ErrorCode":0,"Message":"OK"}
        """;

    const string Header = "From: Ann <ann@example.org>\nTo: Bob <bob@example.com>\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
        + "Date: Thu, 01 Jan 2026 00:00:00 +0000\nMessage-ID: <1@example.org>\nX-Campaign:  spring\nMIME-Version: 1.0\n";

    const string Simple = Header + "Content-Type: multipart/mixed; boundary=b\n\n"
        + "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße an dich und alle anderen.\n"
        + "--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=a.csv\n\n1,2\n--b--\n";

    const string Signed = Header + "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHello.\n"
        + "--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n";

    static readonly IProviderFactory[] Factories =
        [new SmtpProviderFactory(TimeProvider.System), new PostmarkProviderFactory(TimeProvider.System)];

    static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"));

    static SubmissionRequest Raw(string text, params string[] recipients) => new()
    {
        Mime = Bytes(text),
        To = [.. recipients.Select(recipient => new AddressText(recipient))],
    };

    static Task<DeliveringNode> StartAsync(string transports) =>
        DeliveringNode.StartAsync(transports, TimeProvider.System, factories: Factories);

    static string Smtp(SmtpSink sink) => $"relay=smtp://127.0.0.1:{sink.Port}?tls=none";

    static string Postmark(HttpStub stub) => $"postmark=postmark://KEY@?endpoint={Uri.EscapeDataString(stub.Url.ToString())}";

    [Fact]
    public async Task It_arrives_byte_for_byte_under_the_envelope_that_came_with_it()
    {
        await using var sink = SmtpSink.Start();
        await using var node = await StartAsync(Smtp(sink));

        await node.SubmitAsync(Raw(Simple, "eve@example.com") with { From = new AddressText("bounces@example.org") });
        await node.SubmitAsync(Raw(Signed, "eve@example.com") with { HasEmptyReversePath = true });

        var messages = await sink.WaitForAsync(2, TimeSpan.FromSeconds(30));
        var (simple, signed) = (messages.Single(m => m.ReversePath.Length > 0), messages.Single(m => m.ReversePath.Length == 0));
        Assert.Equal(("bounces@example.org", "eve@example.com"), (simple.ReversePath, Assert.Single(simple.Recipients)));
        Assert.Equal(Bytes(Simple), simple.Content);
        Assert.Equal(Bytes(Signed), signed.Content);
    }

    [Fact]
    public async Task A_server_without_8BITMIME_gets_seven_bits_that_say_the_same()
    {
        await using var sink = SmtpSink.Start(new() { EightBitMime = false });
        await using var node = await StartAsync(Smtp(sink));

        var id = await node.SubmitAsync(Raw(Simple));

        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        var text = Assert.Single(sink.Messages).Text;
        Assert.True(Ascii.IsValid(text));
        Assert.Contains("Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe an dich", text, StringComparison.Ordinal);
        Assert.Equal(1, (await node.GetAsync(id)).Recipients[0].Tries);
    }

    [Fact]
    public async Task A_server_without_8BITMIME_cannot_carry_what_is_signed_in_eight_bits()
    {
        await using var sink = SmtpSink.Start(new() { EightBitMime = false });
        await using var other = SmtpSink.Start();
        await using var node = await StartAsync($"{Smtp(sink)} b=smtp://127.0.0.1:{other.Port}?tls=none");
        var signed = Signed.Replace("Hello.", "Grüße", StringComparison.Ordinal);

        var id = await node.SubmitAsync(Raw(signed));

        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Empty(sink.Messages);
        Assert.Equal(Bytes(signed), Assert.Single(other.Messages).Content);
    }

    [Fact]
    public async Task A_vendor_that_takes_no_whole_messages_gets_its_parts_and_the_timeline_says_so()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Taken));
        await using var node = await StartAsync(Postmark(stub));

        var id = await node.SubmitAsync(Raw(Simple));

        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        var mail = JsonElement.Parse(Assert.Single(stub.Calls).Text);
        Assert.Equal(("Ann <ann@example.org>", "Bob <bob@example.com>", "Grüße", "Grüße an dich und alle anderen."),
            (Text("From"), Text("To"), Text("Subject"), Text("TextBody")));
        var attachment = Assert.Single(mail.GetProperty("Attachments").EnumerateArray());
        Assert.Equal(("a.csv", "text/csv"), (attachment.GetProperty("Name").GetString(), attachment.GetProperty("ContentType").GetString()));
        Assert.Equal("1,2"u8.ToArray(), attachment.GetProperty("Content").GetBytesFromBase64());
        var header = Assert.Single(mail.GetProperty("Headers").EnumerateArray());
        Assert.Equal(("X-Campaign", "spring"), (header.GetProperty("Name").GetString(), header.GetProperty("Value").GetString()));
        var remarks = (await node.GetAsync(id)).Events.Select(e => e.Remark);
        Assert.Contains(TakenApart.Remark("postmark"), remarks);

        string? Text(string name) => mail.GetProperty(name).GetString();
    }

    [Theory]
    [InlineData("multipart/signed", "multipart/signed")]
    [InlineData("multipart/report", "multipart/report")]
    public async Task What_would_lose_its_meaning_goes_on_to_the_next_transport(string type, string named)
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Taken));
        await using var sink = SmtpSink.Start();
        await using var node = await StartAsync($"{Postmark(stub)} {Smtp(sink)}");
        var text = Signed.Replace("multipart/signed", type, StringComparison.Ordinal);

        var id = await node.SubmitAsync(Raw(text));

        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Empty(stub.Calls);
        Assert.Equal(Bytes(text), Assert.Single(sink.Messages).Content);
        var events = (await node.GetAsync(id)).Events;
        var unfit = events.First(e => e.Attempt is not null).Attempt!.Outcomes[0].Outcome;
        Assert.Equal((OutcomeKind.Unfit, $"postmark cannot carry {named}, which means something only as it was written"),
            (unfit.Kind, unfit.Reply.Text));
        Assert.DoesNotContain(TakenApart.Remark("postmark"), events.Select(e => e.Remark));
    }

    [Fact]
    public async Task Raw_UTF8_in_the_header_asks_for_SMTPUTF8()
    {
        await using var sink = SmtpSink.Start(new() { SmtpUtf8 = true });
        await using var node = await StartAsync(Smtp(sink));

        await node.SubmitAsync(Raw("From: ann@example.org\nTo: bob@example.com\nSubject: Grüße\n\nHello.\n"));

        var message = Assert.Single(await sink.WaitForAsync(1, TimeSpan.FromSeconds(30)));
        Assert.Contains("SMTPUTF8", message.MailParameters, StringComparison.Ordinal);
    }
}
