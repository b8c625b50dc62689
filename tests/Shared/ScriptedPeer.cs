using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Testing;

/// <summary>
/// A peer that does exactly what a test says, byte by byte: for what no honest server does. One script for each connection, the last for
/// all further.
/// </summary>
public sealed class ScriptedPeer : IAsyncDisposable
{
    readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    readonly ConcurrentBag<ScriptedConnection> _connections = [];
    readonly Func<ScriptedConnection, Task>[] _scripts;
    readonly Task _accepting;

    ScriptedPeer(Func<ScriptedConnection, Task>[] scripts)
    {
        _scripts = scripts;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public static ScriptedPeer Start(params Func<ScriptedConnection, Task>[] scripts) => new(scripts);

    public int Port { get; }

    public int Connections => _connections.Count;

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        foreach (var connection in _connections)
            await connection.DisposeAsync();
    }

    async Task AcceptAsync()
    {
        for (var i = 0; ; i++)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync();
            }
            catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
            {
                return;
            }
            socket.NoDelay = true;
            var connection = new ScriptedConnection(socket);
            _connections.Add(connection);
            connection.Run(_scripts[Math.Min(i, _scripts.Length - 1)]);
        }
    }
}

/// <summary>
/// One connection of a <see cref="ScriptedPeer"/>, in the hands of its script. When the script ends the connection stays open.
/// </summary>
public sealed class ScriptedConnection(Socket socket) : IAsyncDisposable
{
    readonly NetworkStream _stream = new(socket, ownsSocket: true);
    readonly StringBuilder _received = new();
    Task _running = Task.CompletedTask;
    string _unread = "";

    /// <summary>Everything the client has said so far, as Latin-1.</summary>
    public string Received
    {
        get
        {
            lock (_received)
                return _received.ToString();
        }
    }

    /// <summary>Sends text as Latin-1, as it is: line ends are the script's affair.</summary>
    public async Task SayAsync(string text) => await _stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>One byte at a time.</summary>
    public async Task DripAsync(string text, TimeSpan pause)
    {
        foreach (var c in text)
        {
            await SayAsync(c.ToString());
            await Task.Delay(pause, TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>Reads up to and with the mark. When the client hangs up before, the script ends.</summary>
    public async Task<string> ReadToAsync(string mark)
    {
        var buffer = new byte[4096];
        int at;
        while ((at = _unread.IndexOf(mark, StringComparison.Ordinal)) < 0)
        {
            var read = await _stream.ReadAsync(buffer);
            if (read == 0)
                throw new IOException("the client hung up");
            var text = Encoding.Latin1.GetString(buffer, 0, read);
            _unread += text;
            lock (_received)
                _received.Append(text);
        }
        var taken = _unread[..(at + mark.Length)];
        _unread = _unread[taken.Length..];
        return taken;
    }

    /// <summary>Reads one command line, which must start so, and answers it.</summary>
    public async Task OnAsync(string command, string answer)
    {
        var line = await ReadToAsync("\r\n");
        if (!line.StartsWith(command, StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException($"The script expected {command} and got {line}");
        await SayAsync(answer);
    }

    /// <summary>Greeting and EHLO, with these extensions.</summary>
    public async Task GreetAsync(params string[] extensions)
    {
        await SayAsync("220 peer.test\r\n");
        var lines = (string[])["peer.test", .. extensions];
        await OnAsync("EHLO", string.Concat(lines.Select((line, i) => $"250{(i < lines.Length - 1 ? '-' : ' ')}{line}\r\n")));
    }

    /// <summary>Hangs up: in good order when everything the client sent was read, else the system resets the connection.</summary>
    public void HangUp() => socket.Close();

    /// <summary>Resets the connection; what was not read is lost on both sides.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    }

    internal void Run(Func<ScriptedConnection, Task> script)
    {
        _running = RunAsync();

        async Task RunAsync()
        {
            try
            {
                await script(this);
            }
            catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException)
            {
                // The client hung up.
            }
        }
    }

    /// <summary>Throws what the script ran into, unless that was the client hanging up.</summary>
    public async ValueTask DisposeAsync()
    {
        socket.Dispose();
        await _running;
        await _stream.DisposeAsync();
    }
}
