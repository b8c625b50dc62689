using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Testing;

/// <summary>A request as an <see cref="HttpStub"/> read it.</summary>
public sealed record HttpCall(string Method, string Target, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body,
    int Connection)
{
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The first value, or null.</summary>
    public string? Header(string name) => Headers.FirstOrDefault(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
}

/// <summary>What an <see cref="HttpStub"/> does with a request.</summary>
public sealed record HttpReply(int Status, string Body = "", string ContentType = "application/json")
{
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Awaited before anything is sent.</summary>
    public Task? After { get; init; }

    /// <summary>Only so many bytes of the reply are sent, then the connection is closed. 0: closed without an answer. Null: all.</summary>
    public int? CutAfter { get; init; }

    public static HttpReply Cut { get; } = new(200) { CutAfter = 0 };

    /// <summary>Never answers.</summary>
    public static HttpReply Never { get; } = new(200) { After = new TaskCompletionSource().Task };

    public HttpReply With(string name, string value) => this with { Headers = [.. Headers, new(name, value)] };
}

/// <summary>A small real HTTP/1.1 server on loopback that records requests and answers as a test says, also in ways no honest server
/// does.</summary>
public sealed class HttpStub : IAsyncDisposable
{
    readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    readonly Func<HttpCall, ValueTask<HttpReply>> _answer;
    readonly ConcurrentQueue<HttpCall> _calls = new();
    readonly ConcurrentBag<Socket> _sockets = [];
    readonly CancellationTokenSource _stopping = new();
    readonly Task _accepting;

    HttpStub(Func<HttpCall, ValueTask<HttpReply>> answer)
    {
        _answer = answer;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public static HttpStub Start(Func<HttpCall, HttpReply> answer) => new(call => ValueTask.FromResult(answer(call)));

    public static HttpStub StartAsync(Func<HttpCall, ValueTask<HttpReply>> answer) => new(answer);

    /// <summary>The replies one after the other, the last for all further requests.</summary>
    public static HttpStub Start(params HttpReply[] replies)
    {
        var next = -1;
        return Start(_ => replies[Math.Min(Interlocked.Increment(ref next), replies.Length - 1)]);
    }

    public int Port { get; }
    public Uri Url => new($"http://127.0.0.1:{Port}");

    /// <summary>Requests that were read whole, in the order they were.</summary>
    public IReadOnlyList<HttpCall> Calls => [.. _calls];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        foreach (var socket in _sockets)
            socket.Dispose();
        _stopping.Dispose();
    }

    async Task AcceptAsync()
    {
        for (var number = 0; ; number++)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_stopping.Token);
            }
            catch (Exception fault) when (fault is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                return;
            }
            socket.NoDelay = true;
            _sockets.Add(socket);
            _ = ServeAsync(socket, number);
        }
    }

    async Task ServeAsync(Socket socket, int number)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            var unread = new List<byte>();
            while (await ReadAsync(stream, unread, number) is { } call)
            {
                _calls.Enqueue(call);
                var reply = await _answer(call);
                if (reply.After is { } after)
                    await after.WaitAsync(_stopping.Token);
                var bytes = Write(reply);
                await stream.WriteAsync(bytes.AsMemory(0, reply.CutAfter ?? bytes.Length));
                if (reply.CutAfter is not null)
                    return;
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The client hung up, or the test is over.
        }
    }

    static async Task<HttpCall?> ReadAsync(NetworkStream stream, List<byte> unread, int number)
    {
        var buffer = new byte[64 * 1024];
        int end;
        while ((end = Encoding.Latin1.GetString([.. unread]).IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
        {
            var read = await stream.ReadAsync(buffer);
            if (read == 0)
                return null;
            unread.AddRange(buffer.AsSpan(0, read));
        }
        var lines = Encoding.Latin1.GetString([.. unread[..end]]).Split("\r\n");
        var headers = lines.Skip(1).Select(line => line.Split(':', 2)).Select(h => KeyValuePair.Create(h[0], h[1].Trim())).ToList();
        var length = headers.Where(h => h.Key.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            .Select(h => int.Parse(h.Value, CultureInfo.InvariantCulture)).FirstOrDefault();
        unread.RemoveRange(0, end + 4);
        while (unread.Count < length)
        {
            var read = await stream.ReadAsync(buffer);
            if (read == 0)
                return null;
            unread.AddRange(buffer.AsSpan(0, read));
        }
        var body = unread[..length].ToArray();
        unread.RemoveRange(0, length);
        var start = lines[0].Split(' ');
        return new HttpCall(start[0], start[1], headers, body, number);
    }

    static byte[] Write(HttpReply reply)
    {
        var body = Encoding.UTF8.GetBytes(reply.Body);
        var head = new StringBuilder(string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {reply.Status} Stub\r\nContent-Length: {body.Length}\r\n"));
        if (body.Length > 0)
            head.Append(CultureInfo.InvariantCulture, $"Content-Type: {reply.ContentType}\r\n");
        foreach (var (name, value) in reply.Headers)
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        return [.. Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()), .. body];
    }
}
