using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Suppression;
using Xunit;

namespace Postrider.Engine.Tests.Suppression;

public sealed class UnsubscribeLinksTests
{
    static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    static readonly Unsubscription Ann = new(new TenantId(7), MailStream.Bulk, new MessageId(123456789), 3, "ann@example.org");

    readonly UnsubscribeLinks _links = new(Key, "https://mail.example.com/");

    static MessageContent Content(params HeaderField[] headers) => new()
    {
        From = new Mailbox(null, EmailAddress.Parse("news@example.com")),
        Subject = "News",
        Text = "News.",
        Headers = headers,
    };

    static MessageRecipient To(int n, string address) => new(n, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(address)));

    static MessageContent Sent(UnsubscribeLinks links, MailStream stream = MailStream.Bulk, MessageContent? content = null) =>
        links.AddTo(content ?? Content(), Ann.Tenant, stream, Ann.Message, [To(3, Ann.Email)]);

    [Fact]
    public void A_token_gives_back_what_went_in_and_is_the_same_every_time()
    {
        var token = _links.TokenOf(Ann);

        Assert.True(_links.TryRead(token, out var read));
        Assert.Equal(Ann, read);
        Assert.Equal(token, _links.TokenOf(Ann));
        Assert.NotEqual(token, _links.TokenOf(Ann with { N = 4 }));
        Assert.DoesNotContain("ann", token, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_token_that_was_changed_anywhere_or_made_with_another_key_is_refused()
    {
        var token = _links.TokenOf(Ann);
        // The last character holds bits that mean nothing.
        for (var at = 0; at < token.Length - 1; at++)
            Assert.False(_links.TryRead(string.Concat(token.AsSpan(0, at), token[at] == 'A' ? "B" : "A", token.AsSpan(at + 1)), out _));
        Assert.False(new UnsubscribeLinks(new byte[32], "https://mail.example.com").TryRead(token, out _));
    }

    [Fact]
    public void Any_text_is_read_without_a_fault() =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<string?>(), text => !_links.TryRead(text ?? "", out _)));

    [Fact]
    public void Bulk_mail_of_one_recipient_gets_both_fields()
    {
        var headers = Sent(_links).Headers.ToDictionary(header => header.Name, header => header.Value);

        Assert.Equal("List-Unsubscribe=One-Click", headers["List-Unsubscribe-Post"]);
        Assert.StartsWith("<https://mail.example.com/u/", headers["List-Unsubscribe"]);
        Assert.True(_links.TryRead(headers["List-Unsubscribe"]["<https://mail.example.com/u/".Length..^1], out var who));
        Assert.Equal(Ann, who);
    }

    [Theory]
    [InlineData("http://mail.example.com")]
    [InlineData("https://127.0.0.1:8025")]
    [InlineData("https://localhost")]
    [InlineData("")]
    public void Nothing_is_added_where_recipients_cannot_reach_us_by_https(string publicUrl)
    {
        var links = new UnsubscribeLinks(Key, publicUrl);

        Assert.False(links.IsOn);
        Assert.Empty(Sent(links).Headers);
    }

    [Fact]
    public void Other_mail_stays_as_it_is()
    {
        Assert.True(HeaderField.TryCreate("List-Unsubscribe", "<https://other.example/>", out var own, out _));

        Assert.Empty(Sent(_links, MailStream.Transactional).Headers);
        Assert.Equal([own], Sent(_links, content: Content(own)).Headers);
        Assert.Empty(_links.AddTo(
            Content(), Ann.Tenant, MailStream.Bulk, Ann.Message, [To(0, "a@example.org"), To(1, "b@example.org")]).Headers);
        Assert.Empty(Sent(_links, content: Content() with { Mime = "Subject: x\r\n\r\n"u8.ToArray() }).Headers);
    }
}
