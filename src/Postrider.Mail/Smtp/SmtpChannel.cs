using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;

namespace Postrider.Mail.Smtp;

/// <summary>
/// The wire of one connection: bytes out, replies in, one deadline, and one way to break it. Everything that can go wrong leaves as an
/// <see cref="SmtpChannelException"/>. Not thread-safe but for <see cref="Break"/>.
/// </summary>
/// <remarks>
/// A timeout or a cancellation closes the socket; the pending read or write then fails, and <see cref="_broken"/> tells why.
/// So a write that returns has handed all its bytes to the socket, and one that throws has not: that is what "known unsent" rests on.
/// </remarks>
sealed class SmtpChannel : IAsyncDisposable
{
    // One block of content, one write, and several full TLS records.
    public const int BlockBytes = 64 * 1024;

    // What the server said before it hung up is here already, or nearly.
    static readonly TimeSpan LastWordsLimit = TimeSpan.FromSeconds(1);

    static readonly StreamPipeReaderOptions ReaderOptions = new(bufferSize: 4096, leaveOpen: true);
    static readonly StreamPipeWriterOptions WriterOptions = new(minimumBufferSize: BlockBytes, leaveOpen: true);

    readonly Socket _socket;
    readonly SmtpDeadline _deadline;
    Stream _stream;
    PipeReader _input;
    ValueTask<ReadResult>? _idleRead;
    // Written by whoever breaks first, on any thread.
    int _broken = NotBroken;

    const int NotBroken = -1;

    /// <param name="socket">Connected; owned from now on.</param>
    /// <param name="clock">Times every phase.</param>
    public SmtpChannel(Socket socket, TimeProvider clock)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _input = PipeReader.Create(_stream, ReaderOptions);
        Output = PipeWriter.Create(_stream, WriterOptions);
        _deadline = new SmtpDeadline(clock, () => Break(SmtpFailureKind.Timeout));
    }

    /// <summary>Where commands and content are written; nothing leaves before <see cref="FlushAsync"/>.</summary>
    public PipeWriter Output { get; private set; }

    public Socket Socket => _socket;

    /// <summary>True once a timeout, a cancellation or a failed read or write ended this wire.</summary>
    public bool IsBroken => Volatile.Read(ref _broken) != NotBroken;

    /// <summary>
    /// True when the peer sent more than the replies that were read: it is out of step, or somebody put words into its mouth.
    /// </summary>
    public bool HasUnreadBytes { get; private set; }

    /// <summary>True when the peer said something or hung up since <see cref="WatchWhileIdle"/>.</summary>
    public bool StirredWhileIdle => IsBroken || _idleRead is { IsCompleted: true };

    /// <summary>Closes the socket; whatever waits for it fails with <paramref name="why"/>. The first reason counts. Any thread.</summary>
    public void Break(SmtpFailureKind why)
    {
        if (Interlocked.CompareExchange(ref _broken, (int)why, NotBroken) == NotBroken)
            _socket.Dispose();
    }

    /// <summary>Starts the next read early, so that a server that hangs up while we are idle is noticed before the next command.</summary>
#pragma warning disable CA2012 // Kept, and consumed once: by the next reply that is read, or when this is disposed.
    public void WatchWhileIdle() => _idleRead ??= _input.ReadAsync();
#pragma warning restore CA2012

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SmtpReply> ReadReplyAsync(SmtpPhase phase, TimeSpan limit)
    {
        _deadline.Set(limit);
        try
        {
            while (true)
            {
                var read = await NextReadAsync();
                var status = SmtpReplyParser.Parse(read.Buffer, out var reply, out var consumed);
                if (status == SmtpReplyStatus.Complete)
                {
                    HasUnreadBytes = !read.Buffer.Slice(consumed).IsEmpty;
                    _input.AdvanceTo(consumed);
                    return reply;
                }
                _input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (status == SmtpReplyStatus.Malformed)
                    throw Fail(phase, SmtpFailureKind.Protocol, "the server's answer is not an SMTP reply");
                if (status == SmtpReplyStatus.TooLarge)
                    throw Fail(phase, SmtpFailureKind.ResponseTooLarge, "the server's reply is longer than any reply may be");
                if (read.IsCompleted)
                    throw Fail(phase, SmtpFailureKind.ConnectionClosed, phase == SmtpPhase.FinalDot
                        ? "the server closed the connection instead of answering the whole message; it may have been accepted"
                        : "the server closed the connection instead of answering");
            }
        }
        catch (Exception fault) when (IsWireFault(fault))
        {
            throw Broken(phase, fault, handed: true);
        }
        finally
        {
            _deadline.Clear();
        }
    }

    /// <summary>Hands everything written to the socket. When it throws, the last byte was not handed over.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAsync(SmtpPhase phase, TimeSpan limit)
    {
        _deadline.Set(limit);
        try
        {
            // Without a token: a cancelled flush would leave open how far it got. Break() ends it instead.
            await Output.FlushAsync(CancellationToken.None);
        }
        catch (Exception fault) when (IsWireFault(fault))
        {
            throw IsBroken ? Broken(phase, fault, handed: false) : await LastWordsAsync(phase, fault);
        }
        finally
        {
            _deadline.Clear();
        }
    }

    /// <summary>
    /// A server that refuses content in the middle says why before it hangs up; the reason is worth more than "broken pipe".
    /// </summary>
    async ValueTask<SmtpChannelException> LastWordsAsync(SmtpPhase phase, Exception fault)
    {
        try
        {
            var reply = await ReadReplyAsync(phase, LastWordsLimit);
            if (reply.IsTransient || reply.IsPermanent)
            {
                Break(SmtpFailureKind.ConnectionClosed);
                var kind = reply.IsClosing ? SmtpFailureKind.ServiceClosing : SmtpFailureKind.ConnectionClosed;
                return new SmtpChannelException(phase, kind, reply.ToString(), fault) { Reply = reply };
            }
        }
        catch (SmtpChannelException)
        {
            // No last words.
        }
        return Broken(phase, fault, handed: false);
    }

    /// <summary>Puts TLS between us and the socket. Call only with nothing unread (RFC 3207, CVE-2011-0411).</summary>
    public async ValueTask SecureAsync(SmtpPhase phase, SslClientAuthenticationOptions options, TimeSpan limit)
    {
        var secure = new SslStream(_stream, leaveInnerStreamOpen: false);
        _deadline.Set(limit);
        try
        {
            await secure.AuthenticateAsClientAsync(options, CancellationToken.None);
        }
        catch (AuthenticationException fault)
        {
            await secure.DisposeAsync();
            throw Fail(phase, SmtpFailureKind.TlsFailed, $"TLS failed: {fault.InnerException?.Message ?? fault.Message}", fault);
        }
        catch (Exception fault) when (IsWireFault(fault))
        {
            await secure.DisposeAsync();
            throw IsBroken
                ? Broken(phase, fault, handed: true)
                : Fail(phase, SmtpFailureKind.TlsFailed, $"TLS failed: {fault.Message}", fault);
        }
        finally
        {
            _deadline.Clear();
        }
        await CompletePipesAsync();
        _stream = secure;
        _input = PipeReader.Create(_stream, ReaderOptions);
        Output = PipeWriter.Create(_stream, WriterOptions);
    }

    public async ValueTask DisposeAsync()
    {
        Interlocked.CompareExchange(ref _broken, (int)SmtpFailureKind.ConnectionClosed, NotBroken);
        _deadline.Dispose();
        _socket.Dispose();
        if (_idleRead is { } pending)
        {
            _idleRead = null;
            try
            {
                await pending;
            }
            catch (Exception fault) when (IsWireFault(fault))
            {
                // The read that watched for a hang-up ends because we hung up.
            }
        }
        await CompletePipesAsync();
        await _stream.DisposeAsync();
    }

    /// <summary>
    /// With an exception: a writer that completes without one would send what it still holds, which may end in a final dot.
    /// </summary>
    async ValueTask CompletePipesAsync()
    {
        await Output.CompleteAsync(new OperationCanceledException());
        await _input.CompleteAsync();
    }

    ValueTask<ReadResult> NextReadAsync()
    {
        if (_idleRead is not { } pending)
            return _input.ReadAsync();
        _idleRead = null;
        return pending;
    }

    static bool IsWireFault(Exception fault)
        => fault is IOException or SocketException or ObjectDisposedException;

    SmtpChannelException Fail(SmtpPhase phase, SmtpFailureKind kind, string text, Exception? inner = null)
    {
        Break(kind);
        return new SmtpChannelException(phase, kind, text, inner);
    }

    /// <param name="handed">All that was written in this phase was handed to the socket.</param>
    SmtpChannelException Broken(SmtpPhase phase, Exception fault, bool handed)
    {
        Break(SmtpFailureKind.ConnectionClosed);
        var why = (SmtpFailureKind)Volatile.Read(ref _broken);
        var text = why switch
        {
            SmtpFailureKind.Timeout => SmtpWords.NoAnswer(phase, handed, _deadline.Limit),
            SmtpFailureKind.Cancelled => $"the attempt was ended: {SmtpWords.NoAnswer(phase, handed, _deadline.Waited)}",
            _ => $"the connection was lost {SmtpWords.When(phase, handed)}: {fault.GetBaseException().Message}",
        };
        return new SmtpChannelException(phase, why, text, fault);
    }
}
