using System.Buffers;
using System.Runtime.CompilerServices;

namespace Postrider.Mail.Smtp;

/// <summary>What came of opening a connection: exactly one of the two is there.</summary>
/// <param name="Connection">Ready to send; the caller closes it.</param>
/// <param name="Failure">Why there is none; always known unsent.</param>
public readonly record struct SmtpOpening(SmtpConnection? Connection, SmtpFailure? Failure);

/// <summary>
/// One session with a server, ready for mail. Serves one caller at a time; <see cref="SmtpPool"/> shares several among many.
/// </summary>
public sealed partial class SmtpConnection : IAsyncDisposable
{
    readonly SmtpChannel _channel;
    readonly SmtpTimeouts _timeouts;
    readonly TimeProvider _clock;
    long _lastHeard;
    bool _mustReset;
    bool _isClosing;

    SmtpConnection(SmtpChannel channel, SmtpHandshake handshake, SmtpTimeouts timeouts, TimeProvider clock)
    {
        _channel = channel;
        _timeouts = timeouts;
        _clock = clock;
        _lastHeard = clock.GetTimestamp();
        Extensions = handshake.Extensions;
        IsEncrypted = handshake.IsEncrypted;
        IsVerified = handshake.IsVerified;
        CertificateEnds = handshake.CertificateEnds;
    }

    /// <summary>What the server offers.</summary>
    public SmtpExtensions Extensions { get; }

    /// <summary>True with TLS.</summary>
    public bool IsEncrypted { get; }

    /// <summary>True with TLS and a certificate that is valid for the host.</summary>
    public bool IsVerified { get; }

    /// <summary>When the certificate that the server showed ends, whether or not it is accepted; null without TLS.</summary>
    public DateTimeOffset? CertificateEnds { get; }

    /// <summary>Transactions begun on this connection.</summary>
    public int Transactions { get; private set; }

    /// <summary>False once the connection failed, the server said it closes, or it said or did something nobody asked for.</summary>
    public bool IsUsable => !_isClosing && !_channel.IsBroken && !_channel.HasUnreadBytes && !_channel.StirredWhileIdle;

    /// <summary>Connects and goes through greeting, TLS and AUTH as <paramref name="endpoint"/> demands.</summary>
    /// <param name="endpoint">Where to, and on which terms.</param>
    /// <param name="timeouts">For every phase of the connection's life.</param>
    /// <param name="clock">Times them.</param>
    /// <param name="ct">Gives up; the result is then a failure, too.</param>
    public static async ValueTask<SmtpOpening> OpenAsync(
        SmtpEndpoint endpoint, SmtpTimeouts timeouts, TimeProvider clock, CancellationToken ct)
    {
        SmtpChannel? channel = null;
        try
        {
            channel = new SmtpChannel(await SmtpDialer.ConnectAsync(endpoint, timeouts.Connect, clock, ct), clock);
            var handshake = new SmtpHandshake(channel, endpoint, timeouts);
            await using (ct.UnsafeRegister(static c => ((SmtpChannel)c!).Break(SmtpFailureKind.Cancelled), channel))
                await handshake.RunAsync(ct);
            var connection = new SmtpConnection(channel, handshake, timeouts, clock);
            channel = null;
            return new SmtpOpening(connection, null);
        }
        catch (SmtpChannelException fault)
        {
            return new SmtpOpening(null, fault.ToFailure());
        }
        finally
        {
            if (channel is not null)
                await channel.DisposeAsync();
        }
    }

    /// <summary>Sends one message. Returns whatever the server did; throws only what <paramref name="commitPoint"/> throws.</summary>
    /// <param name="envelope">From whom and to whom.</param>
    /// <param name="content">Headers and body; stays unchanged until this returns. Bare CR and LF become CRLF on the way.</param>
    /// <param name="commitPoint">
    /// Awaited when everything but the final dot is with the server; false drops the connection, and nothing was sent. After true the final
    /// dot follows, unless the connection fails first. <see langword="null"/>: no such point.
    /// </param>
    /// <param name="ct">Gives up, at any point; the result then says whether the message may have been taken.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SmtpSendResult> SendAsync(
        SmtpEnvelope envelope, ReadOnlySequence<byte> content, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var transaction = new SmtpTransaction(envelope);
        if (Unfit(envelope, content) is { } unfit)
            return transaction.Failed(unfit);
        Transactions++;
        var isDone = false;
        try
        {
            using var cancel = ct.UnsafeRegister(static c => ((SmtpChannel)c!).Break(SmtpFailureKind.Cancelled), _channel);
            await RunAsync(transaction, content, commitPoint, ct);
            _mustReset = transaction.IsLeftOpen;
            _lastHeard = _clock.GetTimestamp();
            isDone = true;
            return transaction.Result();
        }
        catch (SmtpChannelException fault)
        {
            return transaction.Failed(fault);
        }
        finally
        {
            if (!isDone)
            {
                _isClosing = true;
                _channel.Break(SmtpFailureKind.ConnectionClosed);
            }
        }
    }

    /// <summary>Notices from now on when the server hangs up or speaks, until the next command.</summary>
    internal void WatchWhileIdle() => _channel.WatchWhileIdle();

    /// <summary>
    /// Says QUIT when that can still be said, and closes. Nothing that happens here means anything for mail already sent.
    /// </summary>
    public async ValueTask CloseAsync()
    {
        if (IsUsable)
        {
            try
            {
                await AskAsync(SmtpPhase.Quit, _timeouts.Quit, "QUIT\r\n"u8.ToArray());
            }
            catch (SmtpChannelException)
            {
                // RFC 5321 §4.1.1.10 asks to wait for the 221; a server that is gone already has answered.
            }
        }
        await DisposeAsync();
    }

    /// <summary>Closes without a word, from the middle of anything.</summary>
    public ValueTask DisposeAsync()
    {
        _isClosing = true;
        return _channel.DisposeAsync();
    }

    SmtpFailure? Unfit(SmtpEnvelope envelope, in ReadOnlySequence<byte> content)
    {
        if (!IsUsable)
            return Unfit(SmtpFailureKind.ConnectionClosed, "the connection was closed before the message");
        if (Extensions.MaxMessageBytes is > 0 and var most && content.Length > most)
            return Unfit(SmtpFailureKind.MessageTooLarge, $"the message has {content.Length} bytes, the server takes {most}");
        if (!Extensions.SmtpUtf8 && envelope.NeedsSmtpUtf8)
            return Unfit(SmtpFailureKind.SmtpUtf8Unavailable, "an address or a header needs SMTPUTF8, which the server does not offer");
        if (!Extensions.EightBitMime && !DotStuffer.IsSevenBit(content))
            return Unfit(SmtpFailureKind.EightBitUnavailable, "the content has octets above 127 and the server does not offer 8BITMIME");
        return null;
    }

    static SmtpFailure Unfit(SmtpFailureKind kind, string text) => new(SmtpPhase.Mail, kind, true, null, text);

    async ValueTask<SmtpReply> AskAsync(SmtpPhase phase, TimeSpan limit, ReadOnlyMemory<byte> command)
    {
        _channel.Output.Write(command.Span);
        await _channel.FlushAsync(phase, limit);
        return await _channel.ReadReplyAsync(phase, limit);
    }
}
