using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>Grammar and order of commands, one row each.</summary>
public sealed class SmtpServerTests
{
    [Fact]
    public async Task A_whole_session_takes_a_message_and_says_goodbye()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var client = await SmtpDialogue.ConnectAsync(server.Port);

        Assert.Equal("220 mail.test ESMTP", await client.ReadAsync());
        Assert.Equal(
            "250-mail.test\n250-PIPELINING\n250-SIZE 26214400\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n250-ENHANCEDSTATUSCODES\n250-8BITMIME\n"
            + "250-SMTPUTF8\n250-CHUNKING\n250 DSN", await client.AskAsync("EHLO client.test"));
        Assert.Equal("250 2.1.0 OK", await client.AskAsync("MAIL FROM:<a@from.test>"));
        Assert.Equal("250 2.1.5 OK", await client.AskAsync("RCPT TO:<b@to.test>"));
        Assert.Equal("550 5.1.1 unknown", await client.AskAsync("RCPT TO:<bounce@to.test>"));
        Assert.StartsWith("354 ", await client.AskAsync("DATA"));
        Assert.Equal("250 2.0.0 queued", await client.AskAsync("Subject: x\r\n\r\n..\r\n."));
        Assert.Equal("221 2.0.0 goodbye", await client.AskAsync("QUIT"));
        Assert.True(await client.IsClosedAsync());

        Assert.Equal("Subject: x\r\n\r\n.\r\n", KeepingServer.TextOf(server.Only));
        Assert.Equal("a@from.test", server.Only.From.ReversePath!.ToString());
        Assert.Equal(["b@to.test"], server.Only.Recipients.Select(r => r.Address.ToString()));
    }

    /// <summary>Right after EHLO.</summary>
    [Theory]
    [InlineData("NOOP", "250 2.0.0")]
    [InlineData("noop anything", "250 2.0.0")]
    [InlineData("RSET", "250 2.0.0")]
    [InlineData("RSET now", "501 5.5.4")]
    [InlineData("QUIT now", "501 5.5.4")]
    [InlineData("HELP", "214 2.0.0")]
    [InlineData("VRFY ann", "252 2.5.0")]
    [InlineData("EXPN list", "502 5.5.1")]
    [InlineData("", "500 5.5.2")]
    [InlineData("GET / HTTP/1.1", "500 5.5.2")]
    [InlineData("MAIL\tFROM:<a@from.test>", "500 5.5.2")]
    [InlineData("NOOP \0", "500 5.5.2")]
    [InlineData("NOOP \u2028", "500 5.5.2")]
    [InlineData("HELO client.test", "250 mail.test")]
    [InlineData("EHLO [127.0.0.1]", "250-mail.test")]
    [InlineData("EHLO [IPv6:::1]", "250-mail.test")]
    [InlineData("EHLO my_host", "250-mail.test")]
    [InlineData("EHLO", "501 5.5.4")]
    [InlineData("EHLO a b", "501 5.5.4")]
    [InlineData("EHLO 💥", "501 5.5.4")]
    [InlineData("RCPT TO:<b@to.test>", "503 5.5.1")]
    [InlineData("DATA", "503 5.5.1")]
    [InlineData("STARTTLS", "502 5.5.1")]
    [InlineData("AUTH", "501 5.5.4")]
    [InlineData("AUTH CRAM-MD5", "504 5.5.4")]
    [InlineData("AUTH PLAIN AHVzZXIAc2VjcmV0 more", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test>", "250 2.1.0")]
    [InlineData("mail from:<a@from.test>  ", "250 2.1.0")]
    [InlineData("MAIL FROM: <a@from.test>", "250 2.1.0")]
    [InlineData("MAIL FROM:<>", "250 2.1.0")]
    [InlineData("MAIL FROM:<\"a>b\"@from.test>", "250 2.1.0")]
    [InlineData("MAIL FROM:<@relay.test,@other.test:a@from.test>", "250 2.1.0")]
    [InlineData("MAIL", "501 5.5.4")]
    [InlineData("MAIL FROM a@from.test", "501 5.5.4")]
    [InlineData("MAIL FROM:a@from.test", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test>SIZE=5", "501 5.5.4")]
    [InlineData("MAIL TO:<a@from.test>", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@@from.test>", "553 5.1.7")]
    [InlineData("MAIL FROM:<a@[127.0.0.1]>", "553 5.1.7")]
    [InlineData("MAIL FROM:<ü@from.test>", "553 5.6.7")]
    [InlineData("MAIL FROM:<ü@from.test> SMTPUTF8", "250 2.1.0")]
    [InlineData("MAIL FROM:<a@from.test> SMTPUTF8=yes", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1 AUTH=<>", "250 2.1.0")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=26214400", "250 2.1.0")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=26214401", "552 5.3.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=99999999999999999999", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=-1", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> SIZE=1 SIZE=2", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> BODY=BINARYMIME", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> RET=NONE", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> ENVID=a+0D", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> =5", "501 5.5.4")]
    [InlineData("MAIL FROM:<a@from.test> XVERP", "555 5.5.4")]
    public async Task A_command_gets_its_reply(string command, string reply)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        Assert.StartsWith(reply, await client.AskAsync(command));
    }

    /// <summary>Right after MAIL.</summary>
    [Theory]
    [InlineData("RCPT TO:<b@to.test>", "250 2.1.5")]
    [InlineData("RCPT TO:<b@to.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b+2Bc@to.test", "250 2.1.5")]
    [InlineData("RCPT TO:<b@to.test> NOTIFY=NEVER", "250 2.1.5")]
    [InlineData("RCPT TO:<b@to.test> NOTIFY=NEVER,DELAY", "501 5.5.4")]
    [InlineData("RCPT TO:<b@to.test> NOTIFY=", "501 5.5.4")]
    [InlineData("RCPT TO:<b@to.test> ORCPT=b@to.test", "501 5.5.4")]
    [InlineData("RCPT TO:<b@to.test> SIZE=5", "555 5.5.4")]
    [InlineData("RCPT TO:<>", "553 5.1.3")]
    [InlineData("RCPT TO:<b>", "553 5.1.3")]
    [InlineData("RCPT TO:<b@to..test>", "553 5.1.3")]
    [InlineData("RCPT TO:<postmaster>", "550 5.1.1")]
    [InlineData("RCPT TO:<postmaster@to.test>", "250 2.1.5")]
    [InlineData("RCPT TO:<ü@to.test>", "553 5.6.7")]
    [InlineData("RCPT FROM:<b@to.test>", "501 5.5.4")]
    [InlineData("MAIL FROM:<c@from.test>", "503 5.5.1")]
    [InlineData("DATA", "503 5.5.1")]
    [InlineData("STARTTLS", "503 5.5.1")]
    [InlineData("AUTH PLAIN AHVzZXIAc2VjcmV0", "503 5.5.1")]
    [InlineData("NOOP", "250 2.0.0")]
    public async Task In_a_transaction_a_command_gets_its_reply(string command, string reply)
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var client = await server.GreetedAsync();
        await client.AskAsync("MAIL FROM:<a@from.test>");

        Assert.StartsWith(reply, await client.AskAsync(command));
    }

    [Theory]
    [InlineData("MAIL FROM:<a@from.test>")]
    [InlineData("AUTH PLAIN AHVzZXIAc2VjcmV0")]
    [InlineData("STARTTLS")]
    public async Task Nothing_goes_before_EHLO(string command)
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var client = await SmtpDialogue.ConnectAsync(server.Port);
        await client.ReadAsync();

        Assert.StartsWith("503 5.5.1", await client.AskAsync(command));
        Assert.StartsWith("250", await client.AskAsync("EHLO client.test"));
        Assert.StartsWith(command == "STARTTLS" ? "220" : "2", await client.AskAsync(command));
    }

    [Theory]
    [InlineData("RSET", "250")]
    [InlineData("EHLO again.test", "250")]
    public async Task RSET_and_EHLO_forget_the_transaction(string command, string reply)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();

        Assert.StartsWith(reply, await client.AskAsync(command));
        Assert.StartsWith("503 5.5.1", await client.AskAsync("DATA"));
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<a@from.test>"));
    }

    [Fact]
    public async Task A_group_of_commands_is_answered_in_order_and_bad_recipients_cost_the_good_ones_nothing()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        var replies = await client.AskAsync(
            "MAIL FROM:<a@from.test>\r\nRCPT TO:<bounce@to.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n", 4);
        Assert.Equal(["250", "550", "250", "354"], replies.Select(r => r[..3]));
        // The content, and the next group in the same write.
        replies = await client.AskAsync(
            "one\r\n.\r\nMAIL FROM:<a@from.test>\r\nRCPT TO:<bounce@to.test>\r\nDATA\r\nQUIT\r\n", 5);
        Assert.Equal(["250", "250", "550", "554", "221"], replies.Select(r => r[..3]));
        Assert.Equal("one\r\n", KeepingServer.TextOf(server.Only));
    }

    [Fact]
    public async Task Chunks_make_a_message_with_its_dots_and_any_cut()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();

        Assert.Equal(["250 2.0.0 5 octets received", "250 2.0.0 3 octets received", "250 2.0.0 queued"],
            await client.AskAsync("BDAT 5\r\n.\r\n.\rBDAT 3\r\n\nabBDAT 2 LAST\r\n\r\n", 3));
        Assert.Equal(".\r\n.\r\nab\r\n", KeepingServer.TextOf(server.Only));
        await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\n", 2);
        Assert.Equal("250 2.0.0 queued", await client.AskAsync("BDAT 0 LAST"));
    }

    [Fact]
    public async Task Chunks_out_of_turn_are_read_all_the_same_so_that_they_are_not_taken_for_commands()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        Assert.Equal(["503 5.5.1 say MAIL first", "250 2.0.0 OK"], await client.AskAsync("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", 2));
        Assert.Equal("503 5.5.1 say MAIL first", (await client.AskAsync("BDAT 6\r\nQUIT\r\n", 1))[0]);
        await client.AskAsync("MAIL FROM:<a@from.test>");
        Assert.Equal("503 5.5.1 say RCPT first", (await client.AskAsync("BDAT 6\r\nQUIT\r\n", 1))[0]);
        await client.AskAsync("RSET");
        await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\n", 2);
        Assert.StartsWith("250", (await client.AskAsync("BDAT 6\r\nQUIT\r\n", 1))[0]);
        Assert.StartsWith("503 5.5.1", await client.AskAsync("DATA"));
        Assert.StartsWith("503 5.5.1", await client.AskAsync("RCPT TO:<c@to.test>"));
        Assert.StartsWith("501 5.5.4", await client.AskAsync("BDAT many"));
        Assert.True(await client.IsClosedAsync());
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task What_was_announced_reaches_the_receiver()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();
        await client.AskAsync("MAIL FROM:<ü@from.test> SMTPUTF8 BODY=8BITMIME SIZE=12 RET=FULL ENVID=id+2B1");
        await client.AskAsync("RCPT TO:<ö@to.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;old+2Btag@to.test");
        await client.AskAsync("DATA");
        Assert.StartsWith("250", await client.AskAsync("Subject: ü\r\n\r\nü\r\n."));

        var mail = server.Only;
        Assert.Equal(("ü@from.test", SmtpBody.EightBitMime, true, 12L, SmtpDsnReturn.Full, "id+1"), (mail.From.ReversePath!.ToString(),
            mail.From.Body, mail.From.SmtpUtf8, mail.From.Size, mail.From.Return, mail.From.EnvelopeId));
        Assert.Equal(("ö@to.test", SmtpNotify.Failure | SmtpNotify.Delay, "old+tag@to.test"), (mail.Recipients[0].Address.ToString(),
            mail.Recipients[0].Notify, mail.Recipients[0].OriginalRecipient));
    }

    [Fact]
    public async Task Eight_bit_bodies_need_no_announcement_but_headers_do()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");
        Assert.Equal("250 2.0.0 queued", await client.AskAsync("Subject: x\r\n\r\nü\r\n."));
        await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n", 3);
        Assert.StartsWith("553 5.6.7", await client.AskAsync("Subject: ü\r\n\r\nx\r\n."));
        Assert.Single(server.Mails);
    }

    [Theory]
    [InlineData(450)]
    [InlineData(554)]
    public async Task What_the_receiver_refuses_is_not_taken_and_the_session_goes_on(int code)
    {
        await using var server = KeepingServer.Start();
        server.Receive = _ => Task.FromResult(new SmtpReply(code, null, "no\r\n250 yes ü"));
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");

        // What a receiver says is text, whatever it quotes: it cannot make a second reply of one.
        Assert.Equal($"{code}-no?\n{code} 250 yes ?", await client.AskAsync("x\r\n."));
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<a@from.test>"));
    }

    [Fact]
    public async Task A_receiver_that_throws_takes_nothing_and_ends_the_session_with_421()
    {
        await using var server = KeepingServer.Start();
        server.Receive = _ => throw new InvalidOperationException("bug");
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");

        Assert.StartsWith("421 4.3.0", await client.AskAsync("x\r\n."));
        Assert.True(await client.IsClosedAsync());
        Assert.IsType<InvalidOperationException>(Assert.Single(server.Faults));
    }
}
