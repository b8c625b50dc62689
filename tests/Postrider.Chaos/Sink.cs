using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Chaos;

/// <summary>The relay: an SMTP server written here alone, whose journal says what arrived. A mail is on disk in it before its dot is
/// answered.</summary>
/// <remarks>A line: microseconds since 1970, number of the connection, recipient, Message-ID, separated by tabs. One line per
/// recipient.</remarks>
sealed class Sink(Journal journal, TimeSpan answerAfter)
{
    int _connections;

    public async Task RunAsync(int port, CancellationToken ct)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start(1000);
        while (!ct.IsCancellationRequested)
        {
            var socket = await listener.AcceptSocketAsync(ct);
            _ = ServeAsync(socket, Interlocked.Increment(ref _connections));
        }
    }

    async Task ServeAsync(Socket socket, int connection)
    {
        try
        {
            socket.NoDelay = true;
            using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1, false, 16 * 1024);
            await TalkAsync(reader, stream, connection);
        }
        catch (IOException)
        {
            // The other side was killed: that is what this is for. What had its dot is in the journal.
        }
    }

    async Task TalkAsync(StreamReader reader, NetworkStream stream, int connection)
    {
        var recipients = new List<string>();
        await SayAsync(stream, "220 sink.example ESMTP");
        while (await reader.ReadLineAsync() is { } line)
        {
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    await SayAsync(stream,
                        "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10000000");
                    break;
                case "MAIL" or "RSET":
                    recipients.Clear();
                    await SayAsync(stream, "250 2.0.0 ok");
                    break;
                case "RCPT":
                    recipients.Add(line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)]);
                    await SayAsync(stream, "250 2.1.5 ok");
                    break;
                case "DATA":
                    await SayAsync(stream, "354 go on");
                    if (await ReadContentAsync(reader) is not { } messageId)
                        return; // cut before the dot: it did not arrive
                    await RecordAsync(connection, recipients, messageId);
                    await Task.Delay(answerAfter, TimeProvider.System);
                    await SayAsync(stream, "250 2.0.0 taken");
                    recipients.Clear();
                    break;
                case "QUIT":
                    await SayAsync(stream, "221 2.0.0 bye");
                    return;
                default:
                    await SayAsync(stream, "250 2.0.0 ok");
                    break;
            }
        }
    }

    /// <summary>The Message-ID of the content, "" when it has none; null when the connection ended before the dot.</summary>
    static async Task<string?> ReadContentAsync(StreamReader reader)
    {
        var messageId = "";
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line == ".")
                return messageId;
            if (messageId.Length == 0 && line.StartsWith("Message-ID:", StringComparison.OrdinalIgnoreCase))
                messageId = line["Message-ID:".Length..].Trim();
        }
        return null;
    }

    Task RecordAsync(int connection, List<string> recipients, string messageId)
    {
        var at = Clock.Now;
        return Task.WhenAll(recipients.Select(recipient =>
            journal.AddAsync(string.Create(CultureInfo.InvariantCulture, $"{at}\t{connection}\t{recipient}\t{messageId}"))));
    }

    static async Task SayAsync(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"));
}

/// <summary>One wall clock for all processes of a run.</summary>
static class Clock
{
    /// <summary>Microseconds since 1970.</summary>
    public static long Now => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
