using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Testing;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>A server that keeps what it gets, and judges by simple rules: the password is "secret", <c>bounce@</c> is unknown.</summary>
sealed class KeepingServer : IAsyncDisposable
{
    readonly SmtpServer _server;

    KeepingServer(SmtpServerOptions options, TimeProvider clock, bool implicitTls, bool needsAuth)
    {
        _server = new SmtpServer(options, clock, _ => new Handler(this, needsAuth)) { Faulted = (_, fault) => Faults.Enqueue(fault) };
        Port = _server.Listen(new IPEndPoint(IPAddress.Loopback, 0), implicitTls).Port;
    }

    public int Port { get; }
    public SmtpServer Server => _server;
    public ConcurrentQueue<SmtpReceivedMail> Mails { get; } = [];
    public ConcurrentQueue<Exception> Faults { get; } = [];

    /// <summary>Answers in place of "250"; may wait or throw.</summary>
    public Func<SmtpReceivedMail, Task<SmtpReply>>? Receive { get; set; }

    public SmtpReceivedMail Only => Mails.Single();

    public static string TextOf(SmtpReceivedMail mail) => Encoding.UTF8.GetString(mail.Content.Span);

    public static readonly SmtpServerOptions Options = new() { HostName = "mail.test" };

    public static SmtpServerOptions WithTls => Options with
    {
        Tls = new SslServerAuthenticationOptions { ServerCertificate = TestCertificates.Server },
    };

    public static KeepingServer Start(
        SmtpServerOptions? options = null, TimeProvider? clock = null, bool implicitTls = false, bool needsAuth = false) =>
        new(options ?? Options, clock ?? TimeProvider.System, implicitTls, needsAuth);

    public Task<SmtpDialogue> GreetedAsync() => SmtpDialogue.GreetedAsync(Port);

    /// <summary>With one transaction up to where content may come.</summary>
    public async Task<SmtpDialogue> InTransactionAsync(string parameters = "")
    {
        var client = await GreetedAsync();
        await client.AskAsync($"MAIL FROM:<a@from.test>{parameters}\r\nRCPT TO:<b@to.test>\r\n", 2);
        return client;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    sealed class Handler(KeepingServer server, bool needsAuth) : ISmtpMailHandler
    {
        bool _known = !needsAuth;

        public ValueTask<SmtpReply> AuthenticateAsync(string user, string password, CancellationToken ct)
        {
            _known |= password == "secret";
            return new(password switch
            {
                "secret" => new SmtpReply(235, "2.7.0", $"welcome {user}"),
                "later" => new SmtpReply(454, "4.7.0", "try again later"),
                _ => new SmtpReply(535, "5.7.8", "wrong"),
            });
        }

        public ValueTask<SmtpReply> MailAsync(SmtpMailFrom mail, CancellationToken ct) =>
            new(_known ? new SmtpReply(250, "2.1.0", "OK") : new SmtpReply(530, "5.7.0", "authentication required"));

        public ValueTask<SmtpReply> RecipientAsync(SmtpRecipient recipient, CancellationToken ct) =>
            new(recipient.Address.LocalPart == "bounce" ? new SmtpReply(550, "5.1.1", "unknown") : new SmtpReply(250, "2.1.5", "OK"));

        public async ValueTask<SmtpReply> ReceiveAsync(SmtpReceivedMail mail, CancellationToken ct)
        {
            var reply = server.Receive is { } receive ? await receive(mail) : new SmtpReply(250, "2.0.0", "queued");
            if (reply.IsPositive)
                server.Mails.Enqueue(mail);
            return reply;
        }
    }
}
