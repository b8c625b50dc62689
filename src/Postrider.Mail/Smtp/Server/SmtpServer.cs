using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What the sessions of one server share.</summary>
sealed class SmtpServerState(SmtpServerOptions options, TimeProvider clock) : IDisposable
{
    readonly CancellationTokenSource _stopping = new();

    public SmtpServerOptions Options => options;
    public TimeProvider Clock => clock;
    public ContentMemory ContentMemory { get; } = new(options.MaxContentMemoryBytes);
    public SmtpGuesses Guesses { get; } = new(options, clock);
    public CancellationToken Stopping => _stopping.Token;
    public bool IsStopping => _stopping.IsCancellationRequested;

    public void Stop() => _stopping.Cancel();

    public void Dispose() => _stopping.Dispose();
}

/// <summary>
/// An SMTP server (RFC 5321): listens, bounds connections, and runs a session for each. What becomes of mail is its handlers' to say.
/// </summary>
public sealed class SmtpServer : IAsyncDisposable
{
    const int Backlog = 512;

    // After "too many open files" and the like: a descriptor may be free by then.
    static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    readonly SmtpServerState _state;
    readonly Func<SmtpPeer, ISmtpMailHandler> _open;
    readonly List<Socket> _listeners = [];
    readonly List<Task> _accepting = [];
    readonly CancellationTokenSource _cut = new();
    readonly ConcurrentDictionary<SmtpServerWire, Task> _sessions = [];
    readonly Lock _lock = new();
    readonly Dictionary<IPAddress, int> _connections = []; // open ones by source; guarded by _lock
    int _count;                                            // of all; guarded by _lock
    int _disposed;

    /// <param name="options">Limits and names.</param>
    /// <param name="clock">Times everything.</param>
    /// <param name="open">Makes the handler of a new session.</param>
    public SmtpServer(SmtpServerOptions options, TimeProvider clock, Func<SmtpPeer, ISmtpMailHandler> open)
    {
        _state = new SmtpServerState(options, clock);
        _open = open;
    }

    /// <summary>Told of what a handler threw, which is a bug or a lost store. The session has ended with 421.</summary>
    public Action<SmtpPeer, Exception>? Faulted { get; init; }

    /// <summary>Sessions that are open now.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
                return _count;
        }
    }

    /// <summary>Opens one more address to clients.</summary>
    /// <param name="at">Port 0 takes a free one; <see cref="IPAddress.IPv6Any"/> takes IPv4 too.</param>
    /// <param name="implicitTls">TLS from the first octet (RFC 8314); needs <see cref="SmtpServerOptions.Tls"/>.</param>
    /// <returns>Where it listens. Throws <see cref="SocketException"/> when it cannot.</returns>
    public IPEndPoint Listen(IPEndPoint at, bool implicitTls)
    {
        if (implicitTls && _state.Options.Tls is null)
            throw new InvalidOperationException("Implicit TLS needs a certificate.");
        var listener = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (at.Address.Equals(IPAddress.IPv6Any))
                listener.DualMode = true;
            listener.Bind(at);
            listener.Listen(Backlog);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
        lock (_lock)
        {
            _listeners.Add(listener);
            _accepting.Add(AcceptAsync(listener, implicitTls));
        }
        return (IPEndPoint)listener.LocalEndPoint!;
    }

    /// <summary>
    /// Takes no more connections, lets each session finish the message it is receiving, and says 421 to all.
    /// </summary>
    /// <param name="ct">Closes the sockets of those that are not done.</param>
    public async Task StopAsync(CancellationToken ct)
    {
        _state.Stop();
        foreach (var listener in _listeners)
            listener.Dispose();
        await Task.WhenAll(_accepting);
        using var now = ct.Register(Cut);
        while (!_sessions.IsEmpty)
        {
            foreach (var wire in _sessions.Keys)
                wire.Interrupt();
            await Task.WhenAll(_sessions.Values);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        Cut();
        await StopAsync(CancellationToken.None);
        _cut.Dispose();
        _state.Dispose();
    }

    void Cut()
    {
        _cut.Cancel();
        foreach (var wire in _sessions.Keys)
            wire.Cut();
    }

    async Task AcceptAsync(Socket listener, bool implicitTls)
    {
        while (!_state.IsStopping)
        {
            try
            {
                var socket = await listener.AcceptAsync(_state.Stopping);
                Serve(socket, implicitTls);
            }
            catch (Exception fault) when (fault is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(AcceptPause, _state.Clock, _state.Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    void Serve(Socket socket, bool implicitTls)
    {
        if (socket.RemoteEndPoint is not IPEndPoint remote)
        {
            socket.Dispose();
            return;
        }
        socket.NoDelay = true;
        var address = remote.Address.IsIPv4MappedToIPv6 ? remote.Address.MapToIPv4() : remote.Address;
        var peer = new SmtpPeer(address, remote.Port, IPAddress.IsLoopback(address));
        var wire = new SmtpServerWire(socket, _state.Options.WriteTimeout, _state.Clock);
        // Registered before it runs, so that a stop in between waits for it.
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _sessions[wire] = RunAsync(started.Task, wire, peer, implicitTls);
        started.SetResult();
    }

    async Task RunAsync(Task started, SmtpServerWire wire, SmtpPeer peer, bool implicitTls)
    {
        await started;
        var source = SmtpGuesses.Source(peer.Address);
        try
        {
            await using (wire)
            {
                if (TryEnter(source))
                {
                    try
                    {
                        await RunAsync(wire, peer, implicitTls);
                    }
                    finally
                    {
                        Leave(source);
                    }
                }
                else if (!implicitTls)
                {
                    SmtpReplies.Write(wire.Output, SmtpReplies.TooManyConnections);
                    await wire.FlushAsync();
                }
            }
        }
        catch (Exception fault) when (SmtpServerWire.IsWireFault(fault)
            || (fault is OperationCanceledException && _cut.IsCancellationRequested))
        {
            // The client is gone, or was cut.
        }
        finally
        {
            _sessions.TryRemove(wire, out _);
        }
    }

    async Task RunAsync(SmtpServerWire wire, SmtpPeer peer, bool implicitTls)
    {
        var session = new SmtpServerSession(_state, wire, peer, _open(peer), implicitTls, _cut.Token);
        try
        {
            await session.RunAsync();
        }
        catch (Exception fault) when (!SmtpServerWire.IsWireFault(fault) && !_cut.IsCancellationRequested)
        {
            Faulted?.Invoke(peer, fault);
            await session.FailAsync();
        }
        finally
        {
            session.Dispose();
        }
    }

    bool TryEnter(IPAddress source)
    {
        lock (_lock)
        {
            var ofSource = _connections.GetValueOrDefault(source);
            if (_count >= _state.Options.MaxConnections || ofSource >= _state.Options.MaxConnectionsPerAddress)
                return false;
            _connections[source] = ofSource + 1;
            _count++;
            return true;
        }
    }

    void Leave(IPAddress source)
    {
        lock (_lock)
        {
            _count--;
            if (--_connections[source] == 0)
                _connections.Remove(source);
        }
    }
}
