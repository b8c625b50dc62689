using System.Net;
using System.Net.Sockets;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Testing;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>A session whose client is said to be on another machine.</summary>
sealed class FarSession : IAsyncDisposable
{
    readonly SmtpServerState _state;
    readonly Task _running;
    readonly Task<SmtpDialogue> _client;

    public FarSession(SmtpServerOptions options)
    {
        _state = new SmtpServerState(options, TimeProvider.System);
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _running = RunAsync(listener);
        _client = ConnectAsync(((IPEndPoint)listener.LocalEndPoint!).Port);
    }

    public async Task<string> AskAsync(string command) => await (await _client).AskAsync(command);

    public async ValueTask DisposeAsync()
    {
        await (await _client).DisposeAsync();
        await _running;
        _state.Dispose();
    }

    static async Task<SmtpDialogue> ConnectAsync(int port)
    {
        var client = await SmtpDialogue.ConnectAsync(port);
        await client.ReadAsync();
        return client;
    }

    async Task RunAsync(Socket listener)
    {
        using (listener)
        {
            await using var wire = new SmtpServerWire(await listener.AcceptAsync(), TimeSpan.FromSeconds(20), TimeProvider.System);
            var far = new SmtpPeer(IPAddress.Parse("192.0.2.1"), 4711, IsLoopback: false);
            var session = new SmtpServerSession(_state, wire, far, new TrustingHandler(), implicitTls: false, CancellationToken.None);
            try
            {
                await session.RunAsync();
            }
            catch (Exception fault) when (SmtpServerWire.IsWireFault(fault))
            {
                // The test has heard enough.
            }
        }
    }

    sealed class TrustingHandler : ISmtpMailHandler
    {
        public ValueTask<SmtpReply> AuthenticateAsync(string user, string password, CancellationToken ct) =>
            new(new SmtpReply(235, "2.7.0", "authenticated"));

        public ValueTask<SmtpReply> MailAsync(SmtpMailFrom mail, CancellationToken ct) => new(SmtpReplies.Ok);
        public ValueTask<SmtpReply> RecipientAsync(SmtpRecipient recipient, CancellationToken ct) => new(SmtpReplies.Ok);
        public ValueTask<SmtpReply> ReceiveAsync(SmtpReceivedMail mail, CancellationToken ct) => new(SmtpReplies.Ok);
    }
}
