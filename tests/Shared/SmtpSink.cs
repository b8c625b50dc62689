using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postrider.Testing;

/// <summary>
/// A real SMTP server on a loopback port that keeps what it is sent, and behaves by the local part of each recipient (before a "+"):
/// <c>defer</c> 450, <c>greylist</c> 450 4.7.1, <c>full</c> 452 4.2.2, <c>bounce</c> 550 5.1.1, <c>blocked</c> 550 5.7.1, <c>toomany</c>
/// 452 4.5.3,
/// <c>closing</c> 421; <c>drop-at-data</c> hangs up instead of 354, <c>drop-in-data</c> in the content; and after the dot:
/// <c>defer-after-data</c> 451, <c>bounce-after-data</c> 554 5.7.1,
/// <c>slow</c> answers late, <c>drop-after-dot</c> hangs up, <c>never-answer</c> says nothing until the client hangs up.
/// Strict: only CRLF ends a line, only CRLF "." CRLF ends content.
/// </summary>
public sealed class SmtpSink : IAsyncDisposable
{
    readonly ConcurrentQueue<SinkMessage> _messages = [];
    readonly ConcurrentDictionary<SmtpSinkSession, Task> _sessions = [];
    readonly Lock _lock = new();
    Socket? _listener;
    Task _accepting = Task.CompletedTask;
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int _connections;

    SmtpSink(SmtpSinkOptions options) => Options = options;

    public static SmtpSink Start(SmtpSinkOptions? options = null)
    {
        var sink = new SmtpSink(options ?? new SmtpSinkOptions());
        sink.Listen();
        return sink;
    }

    public SmtpSinkOptions Options { get; private set; }

    public static string Host => "127.0.0.1";

    public int Port { get; private set; }

    /// <summary>Everything that arrived with its final dot, answered or not, in order of arrival.</summary>
    public IReadOnlyList<SinkMessage> Messages => [.. _messages];

    public int Count => _messages.Count;

    /// <summary>Connections accepted since the start.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public int OpenConnections => _sessions.Count;

    /// <summary>From now on connects are refused; open connections are cut.</summary>
    public async Task StopAsync()
    {
        var listener = Interlocked.Exchange(ref _listener, null);
        listener?.Dispose();
        await _accepting;
        await DropConnectionsAsync();
    }

    /// <summary>Cuts every open connection; new ones are welcome.</summary>
    public async Task DropConnectionsAsync()
    {
        foreach (var session in _sessions.Keys)
            session.Cut();
        await Task.WhenAll(_sessions.Values);
    }

    /// <summary>Listens again on the same port.</summary>
    public void Restart(SmtpSinkOptions? options = null)
    {
        Options = options ?? Options;
        Listen();
    }

    /// <summary>Waits until so many messages have arrived; gives up after ten seconds unless told otherwise.</summary>
    public async Task<IReadOnlyList<SinkMessage>> WaitForAsync(int count, TimeSpan? limit = null)
    {
        using var deadline = new CancellationTokenSource(limit ?? TimeSpan.FromSeconds(10), TimeProvider.System);
        while (true)
        {
            Task changed;
            lock (_lock)
                changed = _changed.Task;
            if (Count >= count)
                return Messages;
            try
            {
                await changed.WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"{Count} of {count} messages arrived.");
            }
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    internal void Keep(SinkMessage message)
    {
        _messages.Enqueue(message);
        TaskCompletionSource changed;
        lock (_lock)
        {
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.SetResult();
    }

    void Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // The port may still have connections of the time before in TIME_WAIT.
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        listener.Listen(512);
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        _listener = listener;
        _accepting = AcceptAsync(listener);
    }

    async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync();
            }
            catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
            {
                return;
            }
            socket.NoDelay = true;
            var session = new SmtpSinkSession(this, Options, socket, Interlocked.Increment(ref _connections));
            var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _sessions[session] = RunAsync(session, start.Task);
            start.SetResult();
        }
    }

    async Task RunAsync(SmtpSinkSession session, Task start)
    {
        await start;
        using (session)
            await session.RunAsync();
        _sessions.TryRemove(session, out _);
    }
}
