using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Testing;

/// <summary>A DNS server on a loopback port, by UDP and TCP, that knows what it is told and can be made to misbehave.</summary>
public sealed class ScriptedDns : IAsyncDisposable
{
    const int Txt = 16;
    const int Mx = 15;
    const int Cname = 5;

    readonly ConcurrentDictionary<string, List<(int Type, byte[] Data)>> _records = new(StringComparer.OrdinalIgnoreCase);
    readonly ConcurrentQueue<string> _questions = [];
    readonly CancellationTokenSource _stop = new();
    readonly Socket _udp;
    readonly TcpListener _tcp;
    readonly Task _serving;

    ScriptedDns(Socket udp, TcpListener tcp)
    {
        (_udp, _tcp, Address) = (udp, tcp, (IPEndPoint)tcp.LocalEndpoint);
        _serving = Task.WhenAll(ServeUdpAsync(), ServeTcpAsync());
    }

    public static ScriptedDns Start()
    {
        while (true)
        {
            var tcp = new TcpListener(IPAddress.Loopback, 0);
            tcp.Start();
            var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                udp.Bind(tcp.LocalEndpoint);
                return new ScriptedDns(udp, tcp);
            }
            catch (SocketException)
            {
                // Somebody else has this port by UDP: another one.
                udp.Dispose();
                tcp.Dispose();
            }
        }
    }

    public IPEndPoint Address { get; }

    /// <summary><c>udp txt example.com</c>, in the order they came.</summary>
    public IReadOnlyList<string> Questions => [.. _questions];

    /// <summary>Replaces the answer: gets the query and the answer as it would be, and whether it came by TCP; null says
    /// nothing.</summary>
    public Func<byte[], byte[], bool, byte[]?>? Change { get; set; }

    /// <summary>A TXT record; each text in strings of 255.</summary>
    public void Text(string name, params string[] texts)
    {
        foreach (var text in texts)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            Add(name, Txt, [.. bytes.Chunk(255).DefaultIfEmpty([]).SelectMany(part => (byte[])[(byte)part.Length, .. part])]);
        }
    }

    public void MailHost(string name, int preference, string host) =>
        Add(name, Mx, [(byte)(preference >> 8), (byte)preference, .. Name(host)]);

    public void Alias(string name, string target) => Add(name, Cname, Name(target));

    /// <summary>A record of any kind and content.</summary>
    public void Add(string name, int type, byte[] data) => _records.GetOrAdd(name, _ => []).Add((type, data));

    public void Remove(string name) => _records.TryRemove(name, out _);

    /// <summary>As on the wire, without compression.</summary>
    public static byte[] Name(string name) =>
    [
        .. name.Split('.', StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]),
        0,
    ];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _udp.Dispose();
        _tcp.Dispose();
        await _serving;
    }

    async Task ServeUdpAsync()
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var received = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                if (Answer(buffer[..received.ReceivedBytes], isTcp: false) is { } answer)
                    await _udp.SendToAsync(answer, received.RemoteEndPoint, _stop.Token);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    async Task ServeTcpAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _tcp.AcceptTcpClientAsync(_stop.Token);
                await using var stream = client.GetStream();
                var prefix = new byte[2];
                await stream.ReadExactlyAsync(prefix, _stop.Token);
                var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(prefix)];
                await stream.ReadExactlyAsync(query, _stop.Token);
                if (Answer(query, isTcp: true) is { } answer)
                    await stream.WriteAsync((byte[])[(byte)(answer.Length >> 8), (byte)answer.Length, .. answer], _stop.Token);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException or IOException)
        {
            // The test is over.
        }
    }

    byte[]? Answer(byte[] query, bool isTcp)
    {
        var at = 12;
        var labels = new List<string>();
        for (; query[at] != 0; at += query[at] + 1)
            labels.Add(Encoding.ASCII.GetString(query, at + 1, query[at]));
        var name = string.Join('.', labels);
        int type = query[at + 2];
        var question = query[12..(at + 5)];
        _questions.Enqueue($"{(isTcp ? "tcp" : "udp")} {(type == Txt ? "txt" : type == Mx ? "mx" : type)} {name}");
        var known = _records.TryGetValue(name, out var own);
        List<byte> answers = [];
        var count = 0;
        byte[] owner = [0xC0, 12];
        for (var hops = 0; own is not null && hops < 20; hops++)
        {
            var alias = own.FirstOrDefault(record => record.Type == Cname);
            foreach (var (kind, data) in alias.Data is not null ? [alias] : own.Where(record => record.Type == type))
            {
                answers.AddRange([.. owner, 0, (byte)kind, 0, 1, 0, 0, 0, 60, (byte)(data.Length >> 8), (byte)data.Length, .. data]);
                count++;
            }
            if (alias.Data is null)
                break;
            owner = alias.Data;
            _records.TryGetValue(Text(owner), out own);
        }
        byte[] answer =
        [
            query[0], query[1], 0x81, (byte)(known ? 0x80 : 0x83), 0, 1, (byte)(count >> 8), (byte)count, 0, 0, 0, 0,
            .. question, .. answers,
        ];
        // What does not fit is left out and said so (TC).
        var room = query.Length > at + 5 ? 1232 : 512;
        if (!isTcp && answer.Length > room)
            answer = [query[0], query[1], 0x83, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, .. question];
        return Change is { } change ? change(query, answer, isTcp) : answer;
    }

    static string Text(byte[] name)
    {
        var labels = new List<string>();
        for (var at = 0; name[at] != 0; at += name[at] + 1)
            labels.Add(Encoding.ASCII.GetString(name, at + 1, name[at]));
        return string.Join('.', labels);
    }
}
