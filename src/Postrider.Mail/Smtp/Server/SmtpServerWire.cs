using System.Buffers;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What came of waiting for the client.</summary>
enum SmtpInputKind
{
    Line,

    /// <summary>A line that is no text.</summary>
    NotText,
    BareLineEnd,
    TooLong,
    Closed,
    TimedOut,

    /// <summary>The server stops and nothing was under way.</summary>
    Interrupted,
}

/// <summary>One wait for the client.</summary>
/// <param name="Line">Only with <see cref="SmtpInputKind.Line"/>.</param>
readonly record struct SmtpInput(SmtpInputKind Kind, string Line = "");

/// <summary>
/// The wire of one session: lines and content in, replies out, one deadline. A peer that is gone leaves as an exception that
/// <see cref="IsWireFault"/> knows. Not thread-safe but for <see cref="Interrupt"/> and <see cref="Cut"/>.
/// </summary>
/// <remarks>A deadline that passes while we read wakes the reader, so that the client can be told; one that passes while we write closes
/// the socket.</remarks>
sealed class SmtpServerWire : IAsyncDisposable
{
    // Zero-byte reads: an idle session holds no buffer. 16 KB: a full TLS record.
    static readonly StreamPipeReaderOptions ReaderOptions = new(bufferSize: 16 * 1024, leaveOpen: true, useZeroByteReads: true);
    static readonly StreamPipeWriterOptions WriterOptions = new(minimumBufferSize: 1024, leaveOpen: true);

    // What is thrown away after the last reply, so that closing with unread octets does not take the reply from the client (RFC 1122
    // §4.2.2.13).
    const int MaxLingerOctets = 16 * 1024 * 1024;
    static readonly TimeSpan LingerLimit = TimeSpan.FromSeconds(2);

    readonly Socket _socket;
    readonly SmtpDeadline _deadline;
    readonly TimeSpan _writeTimeout;
    Stream _stream;
    PipeReader _input;
    volatile bool _mustCut = true;  // nobody reads: only closing the socket ends what goes on
    volatile bool _timedOut;
    volatile bool _interrupted;
    volatile bool _securing;

    public SmtpServerWire(Socket socket, TimeSpan writeTimeout, TimeProvider clock)
    {
        _socket = socket;
        _writeTimeout = writeTimeout;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _input = PipeReader.Create(_stream, ReaderOptions);
        Output = PipeWriter.Create(_stream, WriterOptions);
        _deadline = new SmtpDeadline(clock, Expired);
    }

    /// <summary>Where replies are written; they leave when the client is waited for.</summary>
    public PipeWriter Output { get; private set; }

    public bool IsEncrypted => _stream is SslStream;

    /// <summary>Wakes a session that waits for a command. Any thread.</summary>
    public void Interrupt()
    {
        _interrupted = true;
        // A handshake reads past the pipe, and nothing of it is worth waiting for.
        if (_securing)
            _socket.Dispose();
        else
            _input.CancelPendingRead();
    }

    /// <summary>Closes the socket under whatever goes on. Any thread.</summary>
    public void Cut() => _socket.Dispose();

    /// <summary>Reads a command or an answer to AUTH.</summary>
    /// <param name="limit">For the whole line.</param>
    /// <param name="most">As <see cref="SmtpLine.Take"/>.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SmtpInput> ReadLineAsync(TimeSpan limit, int most = 0)
    {
        var waiting = false;
        while (true)
        {
            if (!_input.TryRead(out var read))
            {
                if (!waiting)
                {
                    await FlushAsync();
                    Expect(limit);
                    waiting = true;
                }
                read = await _input.ReadAsync();
            }
            if (read.IsCanceled && (_timedOut || _interrupted))
            {
                _input.AdvanceTo(read.Buffer.Start);
                Relax();
                return new SmtpInput(_timedOut ? SmtpInputKind.TimedOut : SmtpInputKind.Interrupted);
            }
            var rest = read.Buffer;
            var status = SmtpLine.Take(ref rest, most, out var line);
            if (status == SmtpLineStatus.Incomplete)
            {
                _input.AdvanceTo(rest.Start, rest.End);
                if (!read.IsCompleted)
                    continue;
                Relax();
                return new SmtpInput(SmtpInputKind.Closed);
            }
            _input.AdvanceTo(rest.Start);
            if (waiting)
                Relax();
            return status switch
            {
                SmtpLineStatus.Complete => new SmtpInput(SmtpInputKind.Line, line),
                SmtpLineStatus.NotText => new SmtpInput(SmtpInputKind.NotText),
                SmtpLineStatus.TooLong => new SmtpInput(SmtpInputKind.TooLong),
                _ => new SmtpInput(SmtpInputKind.BareLineEnd),
            };
        }
    }

    /// <summary>Waits for content; followed by <see cref="Consume"/>. An interruption does not end it: a message in hand is
    /// finished.</summary>
    /// <returns><see langword="null"/>: the time of <see cref="Expect"/> is over. Empty: the client is gone.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReadOnlySequence<byte>?> ReadContentAsync()
    {
        while (true)
        {
            var read = await _input.ReadAsync();
            if (!read.IsCanceled)
                return read.Buffer;
            _input.AdvanceTo(read.Buffer.Start);
            if (_timedOut)
                return null;
        }
    }

    public void Consume(SequencePosition end) => _input.AdvanceTo(end);

    /// <summary>Sets the time by which the client must have sent what is read from now on.</summary>
    public void Expect(TimeSpan limit)
    {
        _mustCut = false;
        _deadline.Set(limit);
    }

    /// <summary>The client owes us nothing for now.</summary>
    public void Relax()
    {
        _mustCut = true;
        _deadline.Clear();
    }

    public async ValueTask FlushAsync()
    {
        if (Output.UnflushedBytes == 0)
            return;
        _mustCut = true;
        _deadline.Set(_writeTimeout);
        // A client that is gone ends the pipe, or throws; the next read says so too.
        await Output.FlushAsync(CancellationToken.None);
        _deadline.Clear();
    }

    /// <summary>True when octets came that were not asked for yet.</summary>
    public bool HasUnreadInput()
    {
        if (!_input.TryRead(out var read))
            return false;
        var any = !read.Buffer.IsEmpty;
        _input.AdvanceTo(read.Buffer.Start);
        return any;
    }

    /// <summary>Puts TLS between us and the socket. Call only with nothing unread (RFC 3207 §4.2, CVE-2011-0411).</summary>
    /// <returns>False: the client could not or would not.</returns>
    public async ValueTask<bool> SecureAsync(SslServerAuthenticationOptions options)
    {
        await FlushAsync();
        _securing = true;
        if (_interrupted)
            return false;
        await CompletePipesAsync();
        var secure = new SslStream(_stream, leaveInnerStreamOpen: false);
        _deadline.Set(_writeTimeout);
        try
        {
            await secure.AuthenticateAsServerAsync(options, CancellationToken.None);
        }
        catch (Exception fault) when (fault is AuthenticationException || IsWireFault(fault))
        {
            return false;
        }
        finally
        {
            _deadline.Clear();
            _stream = secure;
            _input = PipeReader.Create(_stream, ReaderOptions);
            Output = PipeWriter.Create(_stream, WriterOptions);
            _securing = false;
        }
        if (_interrupted)
            _input.CancelPendingRead();
        return true;
    }

    /// <summary>Sends what is written and closes so that the client can read it.</summary>
    public async ValueTask FinishAsync()
    {
        await FlushAsync();
        _deadline.Set(LingerLimit);
        if (_stream is SslStream secure)
            await secure.ShutdownAsync();
        _socket.Shutdown(SocketShutdown.Send);
        var scratch = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            for (var taken = 0; taken < MaxLingerOctets;)
            {
                var read = await _socket.ReceiveAsync(scratch, SocketFlags.None);
                if (read == 0)
                    break;
                taken += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
            _deadline.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _deadline.Dispose();
        _socket.Dispose();
        await CompletePipesAsync();
        await _stream.DisposeAsync();
    }

    /// <summary>What a peer that is gone, or a socket that we closed, throws.</summary>
    public static bool IsWireFault(Exception fault) => fault is IOException or SocketException or ObjectDisposedException;

    async ValueTask CompletePipesAsync()
    {
        await Output.CompleteAsync(new OperationCanceledException());
        await _input.CompleteAsync();
    }

    void Expired()
    {
        _timedOut = true;
        if (_mustCut)
            _socket.Dispose();
        else
            _input.CancelPendingRead();
    }
}
