using System.Net;
using System.Text;
using Postrider.Engine.Tests.Tenants;
using Postrider.Mail.Addresses;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Submission;

/// <summary>Mail by SMTP becomes a submission: who may, what the message asks for, and 250 only for what is on disk.</summary>
public sealed class SmtpSubmissionTests : IAsyncDisposable
{
    const string Message = "From: Shop <shop@example.com>\r\nTo: ann@example.com\r\nSubject: Hello\r\n\r\nIt works.\r\n";

    readonly SubmissionHouse _house = new();
    readonly Installation _keys;
    readonly IPAddress _client = IPAddress.Parse("192.0.2.7");

    public SmtpSubmissionTests() => _keys = new Installation(clock: _house.Clock);

    public ValueTask DisposeAsync() => _house.DisposeAsync();

    SmtpSubmission Session(SmtpSubmissionRules? rules = null) =>
        new(_house.Submitter, _keys.Authenticator, rules ?? new SmtpSubmissionRules(), new SmtpPeer(_client, 4711, IsLoopback: false));

    async Task<SmtpSubmission> KnownAsync(SmtpSubmissionRules? rules = null, int tenant = 1)
    {
        var session = Session(rules);
        var key = await _keys.MakeAsync(Scopes.Send, tenant: new TenantId(tenant));
        Assert.Equal(235, (await session.AuthenticateAsync("anything", key.Secret, default)).Code);
        return session;
    }

    static SmtpReceivedMail Mail(string text = Message, string? from = "bounces@example.com", params string[] to) => new()
    {
        From = new SmtpMailFrom { ReversePath = from is null ? null : EmailAddress.Parse(from) },
        Recipients = [.. (to is [] ? ["ann@example.com"] : to).Select(a => new SmtpRecipient { Address = EmailAddress.Parse(a) })],
        Content = Encoding.UTF8.GetBytes(text),
    };

    static async Task<SmtpReply> SendAsync(SmtpSubmission session, SmtpReceivedMail mail)
    {
        Assert.Equal(250, (await session.MailAsync(mail.From, default)).Code);
        foreach (var recipient in mail.Recipients)
            Assert.Equal(250, (await session.RecipientAsync(recipient, default)).Code);
        return await session.ReceiveAsync(mail, default);
    }

    static MessageId IdIn(SmtpReply reply)
    {
        Assert.Equal((250, "2.0.0"), (reply.Code, reply.Enhanced));
        Assert.StartsWith("queued as ", reply.Text, StringComparison.Ordinal);
        Assert.True(MessageId.TryParse(reply.Text.AsSpan("queued as ".Length), out var id));
        return id;
    }

    [Fact]
    public async Task A_message_is_stored_as_it_came_under_the_id_that_the_client_hears()
    {
        var reply = await SendAsync(await KnownAsync(), Mail(to: ["ann@example.com", "blind@example.com"]));

        var view = await _house.ViewAsync(IdIn(reply));
        Assert.Equal(["ann@example.com", "blind@example.com"], view.Recipients.Select(r => r.Mailbox.Address.ToString()));
        var content = (await _house.Lossy.GetContentAsync(TenantId.First, IdIn(reply), default))!;
        Assert.Equal(("Shop <shop@example.com>", "Hello", "bounces@example.com"),
            (content.From.ToString(), content.Subject, content.MailFrom!.ToString()));
        Assert.EndsWith(Message, Encoding.UTF8.GetString(content.Mime!.Value.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Instructions_are_obeyed_and_not_passed_on()
    {
        var text = "X-Postrider-Stream: bulk\r\nX-Postrider-Tag: one\r\nx-postrider-tag: =?utf-8?q?zw=C3=B6lf?=\r\n"
            + "X-Postrider-Route: default\r\nX-Postrider-Metadata: order=42\r\nX-Postrider-Metadata: a = b=c\r\nX-Postrider-Send-At: 2026-01-02T00:00:00Z\r\n"
            + "X-Postrider-Id: of-another-day\r\nBcc: blind@example.com\r\n" + Message;

        var id = IdIn(await SendAsync(await KnownAsync(), Mail(text)));

        var view = await _house.ViewAsync(id);
        Assert.Equal((MailStream.Bulk, "default"), (view.Stream, view.Route));
        Assert.Equal(["one", "zwölf"], view.Tags);
        Assert.Equal([new("order", "42"), new("a", "b=c")], view.Metadata);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero), view.SendAt);
        var mime = Encoding.UTF8.GetString((await _house.Lossy.GetContentAsync(TenantId.First, id, default))!.Mime!.Value.Span);
        Assert.DoesNotContain("X-Postrider", mime, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("blind", mime, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Postrider-Tags: one\r\n", "X-Postrider-Tags is not known")]
    [InlineData("X-Postrider-Route: a\r\nX-Postrider-Route: b\r\n", "given twice")]
    [InlineData("X-Postrider-Stream: urgent\r\n", "transactional")]
    [InlineData("X-Postrider-Send-At: tomorrow\r\n", "send_at")]
    [InlineData("X-Postrider-Route: nowhere\r\n", "no route 'nowhere'")]
    [InlineData("X-Postrider-Idempotency-Key:\r\n", "idempotency key")]
    public async Task An_instruction_that_cannot_be_obeyed_refuses_the_message(string fields, string words)
    {
        var reply = await SendAsync(await KnownAsync(), Mail(fields + Message));

        Assert.Equal(554, reply.Code);
        Assert.Contains(words, reply.Text, StringComparison.Ordinal);
        Assert.Equal(0, await _house.CountAsync());
    }

    /// <summary>What the store does, and what the client hears: never 250 for what is not on disk.</summary>
    public static TheoryData<string, int, string> Faults => new()
    {
        { "down", 451, "4.3.0" },
        { "full", 452, "4.3.1" },
        { "lost and not found", 451, "4.3.0" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Without_a_commit_there_is_no_250(string fault, int code, string enhanced)
    {
        _house.Lossy.Before = fault switch
        {
            "down" => new StoreUnavailableException("no line"),
            "full" => new StorageLowException("full"),
            _ => new StoreUnavailableException("line cut", mayHaveCommitted: true),
        };
        var session = await KnownAsync();

        var reply = await SendAsync(session, Mail());

        Assert.Equal((code, enhanced), (reply.Code, reply.Enhanced));
        Assert.Equal(0, await _house.CountAsync());
        _house.Lossy.Before = null;
        IdIn(await SendAsync(session, Mail()));
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_but_that_is_found_is_confirmed()
    {
        _house.Lossy.After = new StoreUnavailableException("line cut", mayHaveCommitted: true);

        await _house.ViewAsync(IdIn(await SendAsync(await KnownAsync(), Mail())));
    }

    [Fact]
    public async Task The_250_comes_after_the_commit()
    {
        var stored = false;
        await using var server = new SmtpServer(new SmtpServerOptions { HostName = "mail.test" }, TimeProvider.System,
            peer => new SmtpSubmission(
                _house.Submitter, _keys.Authenticator, new SmtpSubmissionRules { TrustedNetworks = [new(peer.Address, 32)] }, peer));
        var port = server.Listen(new IPEndPoint(IPAddress.Loopback, 0), implicitTls: false).Port;
        await using var client = await Testing.SmtpDialogue.GreetedAsync(port);
        await client.AskAsync("MAIL FROM:<shop@example.com>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n", 3);
        _house.Lossy.AfterCommit = () => stored = true;

        var reply = await client.AskAsync(Message + ".");

        Assert.True(stored);
        Assert.StartsWith("250 2.0.0 queued as ", reply, StringComparison.Ordinal);
        _house.Lossy.Before = new StoreUnavailableException("no line");
        await client.AskAsync("MAIL FROM:<shop@example.com>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n", 3);
        Assert.StartsWith("451 4.3.0", await client.AskAsync(Message + "."), StringComparison.Ordinal);
        Assert.Equal(1, await _house.CountAsync());
    }

    [Fact]
    public async Task A_message_in_hand_is_taken_though_the_server_stops()
    {
        var session = await KnownAsync();
        _house.Submitter.StopAccepting();

        await _house.ViewAsync(IdIn(await SendAsync(session, Mail())));
    }

    [Theory]
    [InlineData("", 554, "5.6.0")]
    [InlineData("From: a@example.com\r\nSubject: \0\r\n\r\n", 554, "5.6.0")]
    [InlineData("Subject: no sender\r\n\r\n", 553, "5.1.7")]
    [InlineData("From: a@example.com, b@example.com\r\n\r\n", 553, "5.1.7")]
    [InlineData("From: shop@forged.example\r\n\r\nx", 550, "5.7.1")]
    [InlineData("From a line that is no header\r\nThat neither\r\n\r\n", 554, "5.6.0")]
    public async Task A_bad_message_is_refused_for_good(string text, int code, string enhanced)
    {
        _house.MaySendFrom = domain => domain == "example.com";

        var reply = await SendAsync(await KnownAsync(), Mail(text));

        Assert.Equal((code, enhanced), (reply.Code, reply.Enhanced));
        Assert.Equal(0, await _house.CountAsync());
    }

    [Fact]
    public async Task A_header_of_10_MB_a_mail_loop_and_endless_nesting_are_refused()
    {
        var session = await KnownAsync();
        var folds = string.Concat(Enumerable.Repeat("X-Long: " + new string('a', 900) + "\r\n", 11_000));
        var hops = string.Concat(Enumerable.Repeat("Received: from a by b\r\n", 10_000));
        var nested = "From: a@example.com\r\n" + string.Concat(
            Enumerable.Range(0, 1_000).Select(i => $"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"));

        Assert.Equal((552, "5.3.4"), Codes(await SendAsync(session, Mail(folds + Message))));
        Assert.Equal((554, "5.4.6"), Codes(await SendAsync(session, Mail(hops + Message))));
        Assert.Equal((554, "5.6.0"), Codes(await SendAsync(session, Mail(nested))));
        Assert.Equal(0, await _house.CountAsync());

        static (int, string?) Codes(SmtpReply reply) => (reply.Code, reply.Enhanced);
    }

    [Fact]
    public async Task Under_the_same_key_a_message_is_taken_once_however_it_is_written_anew()
    {
        var session = await KnownAsync();
        const string Key = "X-Postrider-Idempotency-Key: order-42\r\n";

        var first = await SendAsync(session, Mail(Key + "Message-ID: <1@a>\r\n" + Message));
        var again = await SendAsync(session, Mail(Key + "Message-ID: <2@a>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n" + Message));
        var other = await SendAsync(session, Mail(Key + Message, to: "bob@example.com"));

        Assert.Equal(first, again);
        Assert.Equal((554, "5.5.4"), (other.Code, other.Enhanced));
        Assert.Equal(1, await _house.CountAsync());
        IdIn(await SendAsync(await KnownAsync(tenant: 2), Mail(Key + Message, to: "bob@example.com")));
    }

    [Fact]
    public async Task A_client_that_lost_our_250_may_ask_again_where_that_is_switched_on()
    {
        var session = await KnownAsync(new SmtpSubmissionRules { Deduplicate = true });
        var withId = Mail("Message-ID: <1@a>\r\n" + Message);

        Assert.Equal(await SendAsync(session, withId), await SendAsync(session, withId));
        Assert.NotEqual(await SendAsync(session, Mail()), await SendAsync(session, Mail()));
        Assert.NotEqual(
            await SendAsync(session, withId), await SendAsync(session, withId with { Recipients = Mail(to: "b@example.com").Recipients }));
        Assert.Equal(4, await _house.CountAsync());
    }

    [Fact]
    public async Task Only_a_key_that_may_send_is_a_password()
    {
        var reader = await _keys.MakeAsync(Scopes.Read | Scopes.Admin);
        var session = Session();

        Assert.Equal(535, (await session.AuthenticateAsync("x", reader.Secret, default)).Code);
        Assert.Equal(535, (await session.AuthenticateAsync("x", "pr_guess", default)).Code);
        Assert.Equal(530, (await session.MailAsync(new SmtpMailFrom(), default)).Code);
    }

    [Fact]
    public async Task A_key_that_is_revoked_sends_no_further_message_of_an_open_session()
    {
        var key = await _keys.MakeAsync(Scopes.Send);
        var session = Session();
        await session.AuthenticateAsync("x", key.Secret, default);
        IdIn(await SendAsync(session, Mail()));

        await _keys.Keys.RevokeAsync(TenantId.First, key.Key.Id, default);
        _house.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(530, (await session.MailAsync(new SmtpMailFrom(), default)).Code);
    }

    [Theory]
    [InlineData("192.0.2.0/24", 250)]
    [InlineData("192.0.3.0/24", 530)]
    public async Task A_trusted_network_sends_without_a_password(string network, int code)
    {
        var session = Session(new SmtpSubmissionRules { TrustedNetworks = [IPNetwork.Parse(network)] });

        Assert.Equal(code, (await session.MailAsync(new SmtpMailFrom(), default)).Code);
    }

    [Fact]
    public async Task Reports_come_without_credentials_and_nothing_else_does()
    {
        var taken = new List<SmtpReceivedMail>();
        var reports = new SmtpReports(address => address.Domain == "bounces.example.com", (mail, _) =>
        {
            taken.Add(mail);
            return Task.FromResult(new SmtpReply(250, "2.0.0", "thank you"));
        });
        var session = Session(new SmtpSubmissionRules { Reports = reports });
        var report = Mail(from: null, to: "b+1@bounces.example.com");

        Assert.Equal(250, (await session.MailAsync(report.From, default)).Code);
        Assert.Equal(550, (await session.RecipientAsync(Mail().Recipients[0], default)).Code);
        Assert.Equal("thank you", (await SendAsync(session, report)).Text);
        Assert.Same(report, Assert.Single(taken));
        Assert.Equal(0, await _house.CountAsync());
    }

    // A relay that sends through us with a key reports to the return path that it was given, in a session like that.
    [Fact]
    public async Task A_report_that_comes_with_a_key_is_a_report_and_is_not_sent_on()
    {
        var taken = new List<SmtpReceivedMail>();
        var reports = new SmtpReports(address => address.Domain == "bounces.example.com", (mail, _) =>
        {
            taken.Add(mail);
            return Task.FromResult(new SmtpReply(250, "2.0.0", "thank you"));
        });
        var session = await KnownAsync(new SmtpSubmissionRules { Reports = reports });
        var report = Mail(from: null, to: "b+1@bounces.example.com");

        Assert.Equal("thank you", (await SendAsync(session, report)).Text);
        Assert.Same(report, Assert.Single(taken));
        Assert.Equal(0, await _house.CountAsync());
        IdIn(await SendAsync(session, Mail()));
        Assert.Equal(1, await _house.CountAsync());
    }

    // A relay of ours stands in a network that is trusted, and reports from there: sent on, its report would come back for ever.
    [Fact]
    public async Task A_report_from_a_trusted_network_is_a_report_and_is_not_sent_on()
    {
        var taken = new List<SmtpReceivedMail>();
        var reports = new SmtpReports(address => address.Domain == "bounces.example.com", (mail, _) =>
        {
            taken.Add(mail);
            return Task.FromResult(new SmtpReply(250, "2.0.0", "thank you"));
        });
        var session = Session(new SmtpSubmissionRules { Reports = reports, TrustedNetworks = [new IPNetwork(_client, 32)] });
        var report = Mail(from: null, to: "b+1@bounces.example.com");

        Assert.Equal("thank you", (await SendAsync(session, report)).Text);
        Assert.Equal(0, await _house.CountAsync());

        Assert.Equal(250, (await session.MailAsync(Mail().From, default)).Code);
        Assert.Equal(250, (await session.RecipientAsync(Mail().Recipients[0], default)).Code);
        Assert.Equal((452, "4.5.3"), await session.RecipientAsync(report.Recipients[0], default) is var apart
            ? (apart.Code, apart.Enhanced) : default);
        IdIn(await session.ReceiveAsync(Mail(), default));
        Assert.Single(taken);
    }

    [Fact]
    public async Task One_report_is_taken_for_ten_return_paths_at_most()
    {
        var reports = new SmtpReports(_ => true, (_, _) => Task.FromResult(new SmtpReply(250, "2.0.0", "thank you")));
        var session = Session(new SmtpSubmissionRules { Reports = reports });
        var recipient = Mail(to: "b+1@bounces.example.com").Recipients[0];
        await session.MailAsync(new SmtpMailFrom(), default);

        for (var i = 0; i < 10; i++)
            Assert.Equal(250, (await session.RecipientAsync(recipient, default)).Code);
        Assert.Equal(452, (await session.RecipientAsync(recipient, default)).Code);
        await session.MailAsync(new SmtpMailFrom(), default);
        Assert.Equal(250, (await session.RecipientAsync(recipient, default)).Code);
    }
}
