using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Chaos.Books;

/// <summary>What the relay does beside taking mail.</summary>
/// <param name="AnswerAfter">From the dot to its reply.</param>
/// <param name="ContentAfter">From DATA to its 354: a long time in which nothing was sent yet.</param>
/// <param name="Flap">So long it works, then for so long it refuses; zero: it always works.</param>
sealed record SinkPlan(TimeSpan AnswerAfter, TimeSpan ContentAfter, TimeSpan Flap)
{
    public static SinkPlan Usual { get; } = new(TimeSpan.FromMilliseconds(10), TimeSpan.Zero, TimeSpan.Zero);
}

/// <summary>The relay: an SMTP server written here alone, whose journal says what arrived. A mail is on disk in it before its dot is
/// answered.</summary>
/// <remarks>
/// A line: microseconds since 1970, number of the connection, recipient, Message-ID, first label of the name in EHLO, separated by
/// tabs; one for each recipient.
/// <c>C when connection</c> says that one was opened. How it behaves is chosen by a word in the recipient's domain: <c>drop</c> cuts
/// the first time instead of answering the dot, <c>always-drop</c> each time; <c>mute</c> never answers; <c>drip</c> answers a byte a
/// second; <c>leave</c> says 421 to RCPT and closes; <c>garbage</c> answers the dot with what is no reply, <c>flood</c> with a line of a
/// megabyte, both the first time; <c>late5xx</c> says 550 after its 250. A local part that begins with <c>bad</c> is refused with 450 the
/// first time, one that begins with <c>gone</c> with 550 5.1.1 each time but the first.
/// </remarks>
sealed class Sink(Journal journal, SinkPlan plan)
{
    readonly HashSet<string> _seen = [];
    readonly long _start = TimeProvider.System.GetTimestamp();
    int _connections;

    public async Task RunAsync(IPAddress address, int port, CancellationToken ct)
    {
        using var listener = new TcpListener(address, port);
        listener.Start(1000);
        while (!ct.IsCancellationRequested)
        {
            var socket = await listener.AcceptSocketAsync(ct);
            _ = ServeAsync(socket, Interlocked.Increment(ref _connections));
        }
    }

    bool IsDown => plan.Flap > TimeSpan.Zero
        && (long)(TimeProvider.System.GetElapsedTime(_start) / plan.Flap) % 2 == 1;

    async Task ServeAsync(Socket socket, int connection)
    {
        try
        {
            socket.NoDelay = true;
            using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1, false, 16 * 1024);
            journal.Note(string.Create(CultureInfo.InvariantCulture, $"C\t{Clock.Now}\t{connection}\t{(IsDown ? "down" : "up")}"));
            if (IsDown)
                await SayAsync(stream, "421 4.3.2 not now");
            else
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
        var by = "";
        await SayAsync(stream, "220 sink.example ESMTP");
        while (await reader.ReadLineAsync() is { } line)
        {
            if (IsDown)
            {
                await SayAsync(stream, "421 4.3.2 not now");
                return;
            }
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    by = line[5..].Split('.')[0];
                    await SayAsync(stream,
                        "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10000000");
                    break;
                case "MAIL" or "RSET":
                    recipients.Clear();
                    await SayAsync(stream, "250 2.0.0 ok");
                    break;
                case "RCPT":
                    if (!await TakeRecipientAsync(line, stream, recipients))
                        return;
                    break;
                case "DATA" when recipients.Count == 0:
                    await SayAsync(stream, "554 5.5.1 no valid recipients");
                    break;
                case "DATA":
                    await Clock.WaitAsync(plan.ContentAfter);
                    await SayAsync(stream, "354 go on");
                    if (await ReadContentAsync(reader) is not { } messageId)
                        return; // cut before the dot: it did not arrive
                    await RecordAsync(connection, recipients, messageId, by);
                    if (!await AnswerDotAsync(stream, recipients[0]))
                        return;
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

    /// <summary>False: the connection ends here.</summary>
    async Task<bool> TakeRecipientAsync(string line, NetworkStream stream, List<string> recipients)
    {
        var address = line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];
        if (Is(address, "leave") && IsFirst(address))
        {
            await SayAsync(stream, "421 4.7.0 too much from you");
            return false;
        }
        if (address.StartsWith("gone", StringComparison.Ordinal) && !IsFirst(address))
        {
            await SayAsync(stream, "550 5.1.1 nobody of that name any more");
            return true;
        }
        if (address.StartsWith("bad", StringComparison.Ordinal) && IsFirst(address))
        {
            await SayAsync(stream, "450 4.2.1 later");
            return true;
        }
        recipients.Add(address);
        await SayAsync(stream, "250 2.1.5 ok");
        return true;
    }

    /// <summary>False: the connection ends here.</summary>
    async Task<bool> AnswerDotAsync(NetworkStream stream, string recipient)
    {
        await Clock.WaitAsync(plan.AnswerAfter);
        if (Is(recipient, "always-drop") || (Is(recipient, "drop") && IsFirst(recipient)))
            return false;
        if (Is(recipient, "mute"))
            await Clock.WaitAsync(TimeSpan.FromHours(1));
        if (Is(recipient, "drip"))
        {
            foreach (var letter in "250 2.0.0 taken after a long time"u8.ToArray())
            {
                await stream.WriteAsync(new[] { letter });
                await Clock.WaitAsync(1000);
            }
            await SayAsync(stream, "");
            return true;
        }
        var isFirst = (Is(recipient, "garbage") || Is(recipient, "flood")) && IsFirst(recipient);
        var words = Is(recipient, "garbage") && isFirst ? "<html>\r\n250-what\r\n9\0 is this?"
            : Is(recipient, "flood") && isFirst ? "250 2.0.0 " + new string('y', 1 << 20)
            : Is(recipient, "late5xx") ? "250 2.0.0 taken\r\n550 5.7.1 or not"
            : "250 2.0.0 taken";
        await SayAsync(stream, words);
        return !isFirst;
    }

    static bool Is(string recipient, string word) =>
        recipient.AsSpan(recipient.IndexOf('@', StringComparison.Ordinal) + 1).Contains(word, StringComparison.Ordinal);

    bool IsFirst(string recipient)
    {
        lock (_seen)
            return _seen.Add(recipient);
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

    Task RecordAsync(int connection, List<string> recipients, string messageId, string by)
    {
        var at = Clock.Now;
        return Task.WhenAll(recipients.Select(recipient =>
            journal.AddAsync($"{at}\t{connection}\t{recipient}\t{messageId}\t{by}")));
    }

    static async Task SayAsync(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"));
}
