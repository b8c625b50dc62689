using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>Latencies of one paced run, in milliseconds.</summary>
/// <param name="SubmitToRelay">From the first byte of the submission to the final dot read by the relay.</param>
/// <param name="AcceptToRelay">From the 202 or 250 read by the client to the same; 0 where the relay was faster than the client.</param>
sealed record LatencyResult(IReadOnlyList<double> SubmitToRelay, IReadOnlyList<double> AcceptToRelay, int Missing);

/// <summary>Sends mail at an even pace, independent of how fast the answers come, and joins the send times with a sink's
/// arrivals.</summary>
static class PacedLatency
{
    /// <summary>Through Postrider: one POST a mail.</summary>
    public static async Task<LatencyResult> HttpAsync(PostriderServer server, TimestampingSink sink, int perSecond, TimeSpan duration,
        CancellationToken ct)
    {
        var text = new string('x', 2048);
        return await RunAsync(sink, perSecond, duration, async number =>
        {
            var body = PostriderServer.Json(
                $$"""{"from":"shop@bench.example","to":["r{{number}}@bench.example"],"subject":"Your order","text":"{{text}}"}""");
            if (!await server.TryPostAsync("/emails", body, ct))
                throw new InvalidOperationException("A mail was not accepted.");
        }, ct);
    }

    /// <summary>Through an SMTP server: connections are opened before and used again.</summary>
    public static async Task<LatencyResult> SmtpAsync(int port, TimestampingSink sink, int perSecond, TimeSpan duration,
        CancellationToken ct)
    {
        var idle = new ConcurrentBag<SmtpSession>();
        for (var i = 0; i < 8; i++)
            idle.Add(await SmtpSession.OpenAsync(port, ct));
        var all = idle.ToList();
        try
        {
            return await RunAsync(sink, perSecond, duration, async number =>
            {
                if (!idle.TryTake(out var session))
                    session = await SmtpSession.OpenAsync(port, ct);
                await session.SendAsync(number, ct);
                idle.Add(session);
            }, ct);
        }
        finally
        {
            all.ForEach(session => session.Dispose());
        }
    }

    static async Task<LatencyResult> RunAsync(TimestampingSink sink, int perSecond, TimeSpan duration, Func<int, Task> send,
        CancellationToken ct)
    {
        var clock = TimeProvider.System;
        var count = (int)(perSecond * duration.TotalSeconds);
        var begun = new long[count];
        var accepted = new long[count];
        var sends = new List<Task>(count);
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / perSecond), clock);
        for (var i = 0; i < count && await pace.WaitForNextTickAsync(ct); i++)
        {
            var number = i;
            sends.Add(Task.Run(async () =>
            {
                begun[number] = clock.GetTimestamp();
                await send(number);
                accepted[number] = clock.GetTimestamp();
            }, ct));
        }
        await Task.WhenAll(sends);
        for (var waited = 0; sink.Arrivals.Count < count && waited < 100; waited++)
            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, ct);

        // The first third warms up both sides.
        var counted = Enumerable.Range(count / 3, count - count / 3).Where(sink.Arrivals.ContainsKey).ToList();
        return new LatencyResult(
            [.. counted.Select(number => clock.GetElapsedTime(begun[number], sink.Arrivals[number]).TotalMilliseconds)],
            [.. counted.Select(number => Math.Max(0, clock.GetElapsedTime(accepted[number], sink.Arrivals[number]).TotalMilliseconds))],
            count - sink.Arrivals.Count);
    }

    /// <summary>A minimal SMTP client, lock-step like most clients of a submission server.</summary>
    sealed class SmtpSession(Socket socket) : IDisposable
    {
        readonly StreamReader _reader = new(new NetworkStream(socket, ownsSocket: true), Encoding.Latin1);

        public static async Task<SmtpSession> OpenAsync(int port, CancellationToken ct)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync("127.0.0.1", port, ct);
            var session = new SmtpSession(socket);
            await session.ReplyAsync(ct);
            await session.CommandAsync("EHLO bench.example\r\n", ct);
            return session;
        }

        public async Task SendAsync(int number, CancellationToken ct)
        {
            await CommandAsync("MAIL FROM:<shop@bench.example>\r\n", ct);
            await CommandAsync(string.Create(CultureInfo.InvariantCulture, $"RCPT TO:<r{number}@bench.example>\r\n"), ct);
            await CommandAsync("DATA\r\n", ct);
            var text = string.Concat(Enumerable.Repeat(new string('x', 62) + "\r\n", 32));
            await CommandAsync($"From: shop@bench.example\r\nTo: r{number}@bench.example\r\nSubject: Your order\r\n\r\n{text}.\r\n", ct);
        }

        public void Dispose() => _reader.Dispose();

        async Task CommandAsync(string text, CancellationToken ct)
        {
            await socket.SendAsync(Encoding.Latin1.GetBytes(text), ct);
            await ReplyAsync(ct);
        }

        async Task ReplyAsync(CancellationToken ct)
        {
            while (true)
            {
                var line = await _reader.ReadLineAsync(ct) ?? throw new IOException("The server closed the connection.");
                if (line is not ['2' or '3', ..])
                    throw new IOException($"The server said: {line}");
                if (line.Length < 4 || line[3] == ' ')
                    return;
            }
        }
    }
}
