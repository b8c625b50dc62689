using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Dkim;
using Postrider.Mail.Tests.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Dkim;

public sealed class DkimSignerTests
{
    static readonly DateTimeOffset At = new(2026, 11, 22, 2, 44, 28, 700, TimeSpan.Zero);

    // One for all tests: making it takes a while.
    static readonly DkimKey Key = DkimKey.Import(DkimKey.Generate());
    static readonly DkimSigner Signer = new("example.com", "s1", Key);

    [Fact]
    public void The_example_of_RFC_8463_verifies()
    {
        var message = Wire("""
            DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
             d=football.example.com; i=@football.example.com;
             q=dns/txt; s=test; t=1528637909; h=from : to : subject :
             date : message-id : from : subject : date;
             bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
             b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
             DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
             dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
            From: Joe SixPack <joe@football.example.com>
            To: Suzie Q <suzie@shopping.example.net>
            Subject: Is dinner ready?
            Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
            Message-ID: <20030712040037.46341.5F8J@football.example.com>

            Hi.

            We lost the game.  Are you hungry yet?

            Joe.

            """);
        const string Record = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY"
            + "/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj"
            + "+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
        Assert.Null(DkimVerifier.Verify(message, _ => Record));
    }

    [Fact]
    public void Every_message_verifies() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300),
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var dice = new Dice((ulong)seed);
            var message = Output.Of(MessageMaker.Any(dice, dice.Pick(0, 1, 3, 30), smtpUtf8: dice.OneIn(4)));
            Assert.Null(DkimVerifier.Verify(Signed(message), Records));
        }));

    [Fact]
    public void Any_changed_octet_of_text_or_signed_header_is_refused()
    {
        var signed = Signed(Output.Of(MessageMaker.Simple()));
        var from = Encoding.ASCII.GetString(signed).IndexOf("\r\nDate:", StringComparison.Ordinal);
        for (var at = from; at < signed.Length; at++)
        {
            if (signed[at] is (byte)' ' or (byte)'\r' or (byte)'\n' or (byte)':')
                continue; // white space may change under the relaxed forms
            var changed = (byte[])signed.Clone();
            changed[at] = changed[at] == 'q' ? (byte)'7' : (byte)'q';
            Assert.NotNull(DkimVerifier.Verify(changed, Records));
        }
    }

    [Theory]
    [InlineData("Subject: Urgent\r\n")]
    [InlineData("From: Mallory <mallory@example.net>\r\n")]
    [InlineData("Reply-To: mallory@example.net\r\n")]
    [InlineData("Content-Type: text/html\r\n")]
    [InlineData("To: everybody@example.org\r\n")]
    [InlineData("Cc: everybody@example.org\r\n")]
    [InlineData("Date: Mon, 01 Jan 2035 00:00:00 +0000\r\n")]
    [InlineData("Message-ID: <2@example.net>\r\n")]
    public void A_field_put_in_front_that_readers_would_show_is_refused(string field)
    {
        byte[] changed = [.. Encoding.ASCII.GetBytes(field), .. Signed(Output.Of(MessageMaker.Simple()))];
        Assert.Equal("the header was changed", DkimVerifier.Verify(changed, Records));
    }

    [Theory]
    [InlineData("Received: from a by b; Mon, 01 Jan 2035 00:00:00 +0000\r\n")]
    [InlineData("Return-Path: <bounce@example.com>\r\n")]
    [InlineData("Authentication-Results: mx.example.org; dkim=pass\r\n")]
    public void What_servers_put_in_front_does_no_harm(string field)
    {
        byte[] changed = [.. Encoding.ASCII.GetBytes(field), .. Signed(Output.Of(MessageMaker.Simple()))];
        Assert.Null(DkimVerifier.Verify(changed, Records));
    }

    [Fact]
    public void Text_put_behind_the_message_is_refused() => Assert.Equal(
        "the body was changed", DkimVerifier.Verify([.. Signed(Output.Of(MessageMaker.Simple())), .. "Buy!\r\n"u8], Records));

    [Fact]
    public void The_same_message_has_the_same_signature_at_every_try()
    {
        var message = Output.Of(MessageMaker.Simple());
        Assert.Equal(Signed(message), Signed(message));
        Assert.Equal("1795315468", DkimVerifier.TagsOf(Signed(message))["t"]);
    }

    [Fact]
    public void A_signature_has_no_end() =>
        Assert.False(DkimVerifier.TagsOf(Signed(Output.Of(MessageMaker.Simple()))).ContainsKey("x"));

    [Fact]
    public void A_field_that_is_there_twice_is_signed_twice()
    {
        var message = Wire("To: a@example.org\nTo: b@example.org\nFrom: c@example.com\n\nHi\n");
        var signed = Signed(message);
        Assert.Null(DkimVerifier.Verify(signed, Records));
        Assert.StartsWith("From:From:To:To:To:", DkimVerifier.TagsOf(signed)["h"], StringComparison.Ordinal);
        var changed = Encoding.ASCII.GetString(signed).Replace("a@example.org", "x@example.org", StringComparison.Ordinal);
        Assert.Equal("the header was changed", DkimVerifier.Verify(Encoding.ASCII.GetBytes(changed), Records));
    }

    [Fact]
    public void A_signature_that_is_there_already_stays_and_both_are_good()
    {
        var once = Signed(Output.Of(MessageMaker.Simple()));
        var twice = Signed(once);
        Assert.Null(DkimVerifier.Verify(twice, Records));
        Assert.Equal(once, twice[^once.Length..]);
    }

    [Theory]
    [InlineData("Subject: x\n\nHi\n")]
    [InlineData("\nFrom: a@example.com\n")]
    [InlineData("")]
    [InlineData("Fromage: a@example.com\n\nHi\n")]
    public void Without_From_nothing_is_signed(string message)
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.False(Signer.TrySign(Wire(message), At, output));
        Assert.Equal(0, output.WrittenCount);
    }

    [Theory]
    [InlineData("From: a@example.com")]
    [InlineData("From: a@example.com\n")]
    [InlineData("From: a@example.com\n\n")]
    [InlineData("From: a@example.com\n\n\n \n")]
    [InlineData("from:a@example.com\nSUBJECT : odd case\n\nx")]
    public void Messages_at_the_edge_verify(string message) => Assert.Null(DkimVerifier.Verify(Signed(Wire(message)), Records));

    [Fact]
    public void Lines_of_the_signature_are_short_and_none_is_blank()
    {
        var message = Output.Of(MessageMaker.Simple());
        var field = Encoding.ASCII.GetString(Signed(message)[..^message.Length]);
        Assert.EndsWith("\r\n", field, StringComparison.Ordinal);
        Assert.All(field[..^2].Split("\r\n"),
            line => Assert.InRange(line.Replace("\t", "        ", StringComparison.Ordinal).Length, 10, 80));
        Assert.InRange(field.Length, 1, DkimSigner.UsualBytes);
    }

    [Fact]
    public async Task Many_threads_sign_with_one_key()
    {
        var message = Output.Of(MessageMaker.Simple());
        var expected = Signed(message);
        byte[][] Twenty() => [.. Enumerable.Range(0, 20).Select(_ => Signed(message))];
        var all = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(Twenty)));
        Assert.All(all.SelectMany(signed => signed), signed => Assert.Equal(expected, signed));
    }

    [Fact]
    public void Keys_that_are_no_RSA_key_or_too_small_are_refused()
    {
        Assert.ThrowsAny<CryptographicException>(() => DkimKey.Import("nonsense"u8));
        using var small = RSA.Create(512);
        Assert.ThrowsAny<CryptographicException>(() => DkimKey.Import(small.ExportPkcs8PrivateKey()));
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.ThrowsAny<CryptographicException>(() => DkimKey.Import(curve.ExportPkcs8PrivateKey()));
    }

    [Fact]
    public void A_record_reads_back_as_its_key_in_strings_of_at_most_255()
    {
        var text = DkimRecord.Text(Key);
        var strings = DkimRecord.Strings(text);
        Assert.All(strings, part => Assert.InRange(part.Length, 1, 255));
        Assert.Equal(2, strings.Count);
        Assert.True(DkimRecord.TryParse(string.Concat(strings), out var record));
        Assert.Equal(("rsa", Convert.ToHexString(Key.PublicKey.Span)), (record.KeyType, Convert.ToHexString(record.PublicKey.Span)));
        Assert.Equal("s1._domainkey.example.com", DkimRecord.Name("s1", "example.com"));
    }

    [Theory]
    [InlineData("p=AAAA", true)]
    [InlineData("v=DKIM1; p=", true)] // revoked
    [InlineData("v=DKIM1; k=rsa; t=s; n=a note; p=AA AA;", true)]
    [InlineData("k=rsa; v=DKIM1; p=AAAA", false)] // v= comes first
    [InlineData("v=DKIM2; p=AAAA", false)]
    [InlineData("v=DKIM1; k=rsa", false)]
    [InlineData("v=DKIM1; p=AAAA; p=AAAA", false)]
    [InlineData("v=DKIM1; p=!!!", false)]
    [InlineData("v=spf1 -all", false)]
    [InlineData("=x; p=AAAA", false)]
    [InlineData("", false)]
    public void Texts_of_records(string text, bool isOne) => Assert.Equal(isOne, DkimRecord.TryParse(text, out _));

    static string? Records(string name) => name == "s1._domainkey.example.com" ? DkimRecord.Text(Key) : null;

    static byte[] Wire(string text) => Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"));

    static byte[] Signed(byte[] message)
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.True(Signer.TrySign(message, At, output));
        output.Write(message);
        return output.WrittenSpan.ToArray();
    }
}
