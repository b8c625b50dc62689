using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Postrider.Mail.Dns;

/// <summary>
/// Asks recursive servers, as the system's resolver does, but for types that it cannot ask for. Each question has a random id and goes from
/// a port of its own, so that an answer cannot be guessed from afar; it is not DNSSEC: trust it as far as the way to the server.
/// </summary>
/// <param name="servers">Asked in this order; none: every question fails.</param>
/// <param name="fillRandom">Fills with unpredictable bytes.</param>
public sealed class DnsResolver(IReadOnlyList<IPEndPoint> servers, TimeProvider clock, Action<Memory<byte>> fillRandom)
{
    /// <summary>How often the list of servers is gone through (resolv.conf(5), attempts).</summary>
    const int Rounds = 2;

    /// <summary>More than was asked for by EDNS, whatever a server sends.</summary>
    const int MaxUdpBytes = 4_096;

    /// <summary>Of one try of one server.</summary>
    static readonly TimeSpan TryTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Of all tries.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    /// <summary>Whom it asks.</summary>
    public IReadOnlyList<IPEndPoint> Servers { get; } = servers;

    /// <summary>Never throws for what a server does.</summary>
    /// <param name="name">In A-labels; always taken as the whole name.</param>
    public async Task<DnsAnswer> AskAsync(string name, DnsRecordType type, CancellationToken ct)
    {
        if (!DnsQuery.TryWrite(name, type, 0, extended: true, new byte[DnsQuery.MaxBytes], out _))
            return DnsAnswer.Failed($"{name} is no name");
        if (Servers.Count == 0)
            return DnsAnswer.Failed("no DNS server is known: set POSTRIDER_DNS");
        var started = clock.GetTimestamp();
        var last = DnsAnswer.Failed("");
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var server in Servers)
            {
                var left = Deadline - clock.GetElapsedTime(started);
                if (left <= TimeSpan.Zero)
                    return last;
                last = await TryAsync(server, name, type, left < TryTimeout ? left : TryTimeout, ct);
                if (last.Outcome != DnsOutcome.Failed)
                    return last;
            }
        }
        return last;
    }

    async Task<DnsAnswer> TryAsync(IPEndPoint server, string name, DnsRecordType type, TimeSpan timeout, CancellationToken ct)
    {
        using var timer = new CancellationTokenSource(timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, timer.Token);
        try
        {
            var (kind, answer) = await AskByUdpAsync(server, Query(name, type, extended: true), name, type, both.Token);
            if (kind == DnsReplyKind.NotExtended)
                (kind, answer) = await AskByUdpAsync(server, Query(name, type, extended: false), name, type, both.Token);
            if (kind == DnsReplyKind.Truncated)
                answer = await AskByTcpAsync(server, Query(name, type, extended: false), name, type, both.Token);
            return answer.Outcome == DnsOutcome.Failed ? DnsAnswer.Failed($"{server}: {answer.Reason}") : answer;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return DnsAnswer.Failed(string.Create(
                CultureInfo.InvariantCulture, $"{server} did not answer within {timeout.TotalSeconds:0.#} s"));
        }
        catch (Exception fault) when (fault is SocketException or IOException)
        {
            return DnsAnswer.Failed($"{server}: {fault.Message}");
        }
    }

    byte[] Query(string name, DnsRecordType type, bool extended)
    {
        var query = new byte[DnsQuery.MaxBytes];
        var id = new byte[2];
        fillRandom(id);
        DnsQuery.TryWrite(name, type, BinaryPrimitives.ReadUInt16BigEndian(id), extended, query, out var length);
        return query[..length];
    }

    static async Task<(DnsReplyKind, DnsAnswer)> AskByUdpAsync(
        IPEndPoint server, byte[] query, string name, DnsRecordType type, CancellationToken ct)
    {
        // Connected: the system gives it a random port and drops what comes from anybody else.
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, ct);
        await socket.SendAsync(query, SocketFlags.None, ct);
        var reply = new byte[MaxUdpBytes];
        while (true)
        {
            var length = await socket.ReceiveAsync(reply, SocketFlags.None, ct);
            var kind = DnsReply.Read(query, name, type, reply.AsSpan(0, length), out var answer);
            if (kind != DnsReplyKind.NotOurs)
                return (kind, answer);
        }
    }

    static async Task<DnsAnswer> AskByTcpAsync(IPEndPoint server, byte[] query, string name, DnsRecordType type, CancellationToken ct)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, ct);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync((byte[])[(byte)(query.Length >> 8), (byte)query.Length, .. query], ct);
        // RFC 1035 §4.2.2: two octets of length, so 64 KiB are the most.
        var prefix = new byte[2];
        await stream.ReadExactlyAsync(prefix, ct);
        var reply = new byte[BinaryPrimitives.ReadUInt16BigEndian(prefix)];
        await stream.ReadExactlyAsync(reply, ct);
        return DnsReply.Read(query, name, type, reply, out var answer) == DnsReplyKind.Read
            ? answer
            : DnsAnswer.Failed("the answer by TCP is not to the question");
    }
}
