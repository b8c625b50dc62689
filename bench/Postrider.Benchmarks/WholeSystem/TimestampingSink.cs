using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>A relay that notes when it had read the final dot of each mail, by the number in the recipient's address
/// (<c>r123@…</c>).</summary>
sealed class TimestampingSink : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly ConcurrentDictionary<int, long> _arrivals = new();
    readonly ConcurrentDictionary<int, bool> _others = new();
    readonly CancellationTokenSource _stop = new();
    int _othersCount, _repeated;

    public TimestampingSink()
    {
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Timestamp (<see cref="TimeProvider.GetTimestamp"/>) by number.</summary>
    public IReadOnlyDictionary<int, long> Arrivals => _arrivals;

    /// <summary>Numbers from here on are only counted.</summary>
    public const int FirstOther = 10_000_000;

    /// <summary>Of those, how many came, and how often one came again.</summary>
    public int Others => Volatile.Read(ref _othersCount);
    public int Repeated => Volatile.Read(ref _repeated);

    void Note(int number)
    {
        if (number < FirstOther)
            _arrivals.TryAdd(number, TimeProvider.System.GetTimestamp());
        else if (_others.TryAdd(number, true))
            Interlocked.Increment(ref _othersCount);
        else
            Interlocked.Increment(ref _repeated);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                _ = ServeAsync(socket);
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The run is over.
        }
    }

    async Task ServeAsync(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        socket.NoDelay = true;
        using var reader = new StreamReader(stream, Encoding.Latin1, false, 16 * 1024);
        using var writer = new StreamWriter(stream, Encoding.Latin1) { NewLine = "\r\n", AutoFlush = false };
        var recipient = -1;
        await ReplyAsync(writer, "220 sink ESMTP");
        while (await reader.ReadLineAsync() is { } line)
        {
            switch (line.Length < 4 ? "" : line[..4].ToUpperInvariant())
            {
                case "EHLO":
                    await ReplyAsync(writer, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10000000");
                    break;
                case "RCPT":
                    var start = line.IndexOf('<', StringComparison.Ordinal) + 2;
                    var digits = line[start..line.IndexOf('@', start)];
                    recipient = int.TryParse(digits, CultureInfo.InvariantCulture, out var number) ? number : -1;
                    await ReplyAsync(writer, "250 2.1.5 ok");
                    break;
                case "DATA":
                    await ReplyAsync(writer, "354 go on");
                    while (await reader.ReadLineAsync() is { } text && text != ".")
                    {
                    }
                    Note(recipient);
                    await ReplyAsync(writer, "250 2.0.0 taken");
                    break;
                case "QUIT":
                    await ReplyAsync(writer, "221 2.0.0 bye");
                    return;
                default:
                    await ReplyAsync(writer, "250 2.0.0 ok");
                    break;
            }
        }
    }

    static async Task ReplyAsync(StreamWriter writer, string line)
    {
        await writer.WriteLineAsync(line);
        await writer.FlushAsync();
    }
}
