using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Smtp;

public sealed class SmtpProviderTests
{
    static readonly SmtpProviderFactory Factory = new(TimeProvider.System);

    [Fact]
    public async Task Each_recipient_of_one_message_gets_its_own_outcome()
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port);

        var outcomes = await provider.SendAsync(
            Envelope([(RecipientKind.To, "fine@to.test"), (RecipientKind.Cc, "defer@to.test"), (RecipientKind.Bcc, "bounce@to.test"),
                (RecipientKind.Bcc, "full@to.test")]),
            CancellationToken.None);

        Assert.Equal([Accepted, Deferred, Rejected, Deferred], outcomes.Select(o => o.Kind));
        Assert.Equal([".", "RCPT", "RCPT", "RCPT"], outcomes.Select(o => o.Reply.Command));
        Assert.Equal(["2.0.0", "4.2.0", "5.1.1", "4.2.2"], outcomes.Select(o => o.Reply.Enhanced));
        var message = Assert.Single(sink.Messages);
        Assert.Equal(["fine@to.test"], message.Recipients);
        Assert.Contains("\r\nCc: defer@to.test\r\n", message.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("bounce", message.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_try_sends_the_same_bytes_with_the_same_Message_ID()
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port);
        var envelope = Envelope([(RecipientKind.To, "a@to.test")]);

        await provider.SendAsync(envelope, CancellationToken.None);
        await provider.SendAsync(envelope, CancellationToken.None);

        Assert.Equal(sink.Messages[0].Content, sink.Messages[1].Content);
        Assert.Contains($"\r\nMessage-ID: <{envelope.Message}@from.test>\r\n", "\r\n" + sink.Messages[0].Text,
            StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"ENVID={envelope.Message}", sink.Messages[0].MailParameters, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_recipients_than_the_server_takes_at_once_go_in_further_transactions_at_once()
    {
        await using var sink = SmtpSink.Start(new() { MaxRecipients = 3 });
        await using var provider = ProviderAt(sink.Port);
        var recipients = Enumerable.Range(0, 10).Select(i => (RecipientKind.Bcc, $"{(i == 4 ? "bounce" : "fine")}+{i}@to.test")).ToArray();
        var asked = 0;

        var outcomes = await provider.SendAsync(Envelope(recipients) with
        {
            CommitPoint = _ => ValueTask.FromResult(++asked == 1),
        }, CancellationToken.None);

        Assert.Equal(Enumerable.Range(0, 10).Select(i => i == 4 ? Rejected : Accepted), outcomes.Select(o => o.Kind));
        Assert.Equal((3, 1, 1), (sink.Count, asked, sink.Connections));
        Assert.Equal(9, sink.Messages.SelectMany(m => m.Recipients).Distinct().Count());
    }

    [Theory]
    [InlineData("drop-after-dot@to.test", Unknown)]
    [InlineData("drop-at-data@to.test", Unreachable)]
    [InlineData("closing@to.test", Unreachable)]
    [InlineData("blocked@to.test", Refused)]
    [InlineData("bounce-after-data@to.test", Refused)]
    [InlineData("defer-after-data@to.test", Deferred)]
    public async Task What_a_server_does_is_an_outcome(string to, OutcomeKind kind)
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port);

        var outcome = Assert.Single(await provider.SendAsync(Envelope([(RecipientKind.To, to)]), CancellationToken.None));

        Assert.Equal(kind, outcome.Kind);
        Assert.Equal(kind != Unknown, outcome.KnownUnsent);
        Assert.NotEqual("", outcome.Reply.Text);
    }

    [Fact]
    public async Task An_attempt_that_is_given_up_is_unknown_after_the_dot_and_unsent_before()
    {
        await using var sink = SmtpSink.Start();
        await using var silent = ScriptedPeer.Start(c => c.GreetAsync("PIPELINING"));
        await using var toSink = ProviderAt(sink.Port);
        await using var toSilent = ProviderAt(silent.Port);
        using var cancel = new CancellationTokenSource();
        var late = toSink.SendAsync(Envelope([(RecipientKind.To, "never-answer@to.test")]), cancel.Token).AsTask();
        var early = toSilent.SendAsync(Envelope([(RecipientKind.To, "a@to.test")]), cancel.Token).AsTask();
        await sink.WaitForAsync(1);

        await cancel.CancelAsync();

        Assert.Equal((Unknown, Unreachable), ((await late)[0].Kind, (await early)[0].Kind));
    }

    [Fact]
    public async Task A_commit_point_that_says_no_leaves_the_message_unsent_and_blames_nobody()
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port);

        var outcome = Assert.Single(await provider.SendAsync(
            Envelope([(RecipientKind.To, "a@to.test")]) with { CommitPoint = _ => ValueTask.FromResult(false) }, CancellationToken.None));

        Assert.Equal((Unfit, true, 0), (outcome.Kind, outcome.KnownUnsent, sink.Count));
    }

    [Fact]
    public async Task Nobody_listening_is_unreachable_and_the_words_name_the_server()
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port);
        await sink.StopAsync();

        var outcome = Assert.Single(await provider.SendAsync(Envelope([(RecipientKind.To, "a@to.test")]), CancellationToken.None));

        Assert.Equal((Unreachable, OutcomeScope.Transport, "CONNECT", 0),
            (outcome.Kind, outcome.Scope, outcome.Reply.Command, outcome.Reply.Code));
        Assert.Contains($"127.0.0.1:{sink.Port}", outcome.Reply.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_credentials_are_a_refusal_of_the_whole_transport()
    {
        await using var sink = SmtpSink.Start(new() { Account = ("user", "right") });
        await using var wrong = Factory.Create(Settings(sink.Port) with { User = "user", Password = "wrong" });
        await using var right = Factory.Create(Settings(sink.Port) with { User = "user", Password = "right" });

        var refused = Assert.Single(await wrong.SendAsync(Envelope([(RecipientKind.To, "a@to.test")]), CancellationToken.None));
        var accepted = Assert.Single(await right.SendAsync(Envelope([(RecipientKind.To, "a@to.test")]), CancellationToken.None));

        Assert.Equal((Refused, OutcomeScope.Transport, 535, "AUTH"),
            (refused.Kind, refused.Scope, refused.Reply.Code, refused.Reply.Command));
        Assert.Equal(Accepted, accepted.Kind);
    }

    [Theory]
    [InlineData("250 2.0.0 Ok: queued as 4XYZ", "4XYZ")]
    [InlineData("250 Ok 0100018c-aaaa-bbbb-000000", "0100018c-aaaa-bbbb-000000")]
    [InlineData("250 2.0.0 OK  1700000000 abc - gsmtp", null)]
    [InlineData("250 Ok", null)]
    [InlineData("250 thanks", null)]
    public async Task The_servers_own_id_is_kept_when_it_names_one(string reply, string? id)
    {
        await using var sink = SmtpSink.Start(new() { Answer = line => line == "." ? reply : null });
        await using var provider = ProviderAt(sink.Port);

        var outcome = Assert.Single(await provider.SendAsync(Envelope([(RecipientKind.To, "a@to.test")]), CancellationToken.None));

        Assert.Equal((Accepted, id), (outcome.Kind, outcome.ProviderId));
    }

    [Fact]
    public async Task An_address_beyond_ASCII_for_an_old_server_is_unfit_for_it()
    {
        await using var sink = SmtpSink.Start(new() { SmtpUtf8 = false });
        await using var provider = ProviderAt(sink.Port);

        var outcome = Assert.Single(await provider.SendAsync(Envelope([(RecipientKind.To, "üser@to.test")]), CancellationToken.None));

        Assert.Equal((Unfit, OutcomeScope.Message), (outcome.Kind, outcome.Scope));
    }

    public static TheoryData<string, string, string> Faults => new()
    {
        { "tls", "maybe", "'tls'" },
        { "auth", "cram-md5", "'auth'" },
        { "auth", "plain", "USER" },
        { "helo", "a b", "'helo'" },
        { "ca", "/no/such/file.pem", "'ca'" },
        { "messages", "0", "'messages'" },
        { "messages", "many", "'messages'" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_faulty_option_is_named(string option, string value, string expected)
    {
        var faults = Factory.Check(Settings(25) with { Options = new Dictionary<string, string> { [option] = value } });

        Assert.Contains(faults, fault => fault.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void A_good_transport_has_no_faults_and_a_missing_host_or_password_is_one()
    {
        var good = Settings(25) with
        {
            User = "u",
            Password = "p",
            Options = new Dictionary<string, string>
            { ["tls"] = "none", ["auth"] = "login,insecure", ["helo"] = "me.test", ["messages"] = "20" },
        };

        Assert.Empty(Factory.Check(good));
        Assert.Single(Factory.Check(good with { Host = "" }));
        Assert.Single(Factory.Check(good with { Password = null }));
        Assert.Throws<ArgumentException>(() => Factory.Create(good with { Host = "" }));
        Assert.All(good.Options.Keys, key => Assert.Contains(key, Factory.OptionNames));
    }

    static TransportSettings Settings(int port) => new() { Name = "relay", Scheme = "smtp", Host = "127.0.0.1", Port = port };

    static IProvider ProviderAt(int port) => Factory.Create(Settings(port));

    static OutgoingEnvelope Envelope((RecipientKind Kind, string Address)[] recipients)
    {
        MessageRecipient[] all = [.. recipients.Select(
            (r, i) => new MessageRecipient(i, r.Kind, new Mailbox(null, EmailAddress.Parse(r.Address))))];
        return new OutgoingEnvelope
        {
            Message = MessageId.Create(1_790_000_000_000, 7, 1),
            Tenant = TenantId.First,
            ReversePath = EmailAddress.Parse("bounces@from.test"),
            Content = new MessageContent
            {
                From = new Mailbox("Sender", EmailAddress.Parse("sender@from.test")),
                Subject = "Hello",
                Text = "Hello.\n.\n",
            },
            Recipients = all,
            AllRecipients = all,
            Stream = MailStream.Transactional,
            Generation = 1,
        };
    }
}
