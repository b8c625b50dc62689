using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

/// <summary>Short words for what every SMTP test says.</summary>
static class Mails
{
    public const string Text = "Subject: hello\r\n\r\nHello.\r\n";

    // Long enough for a busy machine, short enough not to hide a hang.
    public static readonly SmtpTimeouts Patient = new()
    {
        Connect = TimeSpan.FromSeconds(20),
        Banner = TimeSpan.FromSeconds(20),
        Ehlo = TimeSpan.FromSeconds(20),
        StartTls = TimeSpan.FromSeconds(20),
        Auth = TimeSpan.FromSeconds(20),
        Mail = TimeSpan.FromSeconds(20),
        Rcpt = TimeSpan.FromSeconds(20),
        Data = TimeSpan.FromSeconds(20),
        DataBlock = TimeSpan.FromSeconds(20),
        FinalDot = TimeSpan.FromSeconds(20),
        Quit = TimeSpan.FromMilliseconds(200),
    };

    public static ReadOnlySequence<byte> Content(string text = Text) => new(Encoding.Latin1.GetBytes(text));

    public static SmtpEnvelope To(params string[] recipients)
        => new(EmailAddress.Parse("sender@from.test"), [.. recipients.Select(EmailAddress.Parse)]);

    public static SmtpEndpoint At(SmtpSink sink) => new(SmtpSink.Host, sink.Port);

    public static SmtpEndpoint At(ScriptedPeer peer) => new("127.0.0.1", peer.Port);

    public static async Task<SmtpConnection> ConnectAsync(SmtpEndpoint endpoint, SmtpTimeouts? timeouts = null)
    {
        var opening = await SmtpConnection.OpenAsync(endpoint, timeouts ?? Patient, TimeProvider.System, CancellationToken.None);
        Assert.Null(opening.Failure);
        return opening.Connection!;
    }

    public static async Task<SmtpFailure> FailToConnectAsync(SmtpEndpoint endpoint, SmtpTimeouts? timeouts = null)
    {
        var opening = await SmtpConnection.OpenAsync(endpoint, timeouts ?? Patient, TimeProvider.System, CancellationToken.None);
        Assert.Null(opening.Connection);
        Assert.True(opening.Failure!.KnownUnsent);
        return opening.Failure;
    }

    extension(SmtpConnection connection)
    {
        public ValueTask<SmtpSendResult> SendAsync(SmtpEnvelope envelope, string content = Text)
            => connection.SendAsync(envelope, Content(content), commitPoint: null, CancellationToken.None);
    }

    extension(SmtpSendResult result)
    {
        public SmtpRecipientState[] States => [.. result.Recipients.Select(r => r.State)];
    }
}
