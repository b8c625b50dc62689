using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Postrider.Testing;

namespace Postrider.Chaos.Faults;

/// <summary>A way to PostgreSQL that knows enough of its protocol to cut a connection when a commit is done and before the client hears of
/// it.</summary>
/// <param name="port">The server's.</param>
/// <param name="share">Of all commits, how many are cut while <see cref="IsOn"/>.</param>
sealed class CommitCutter(int port, double share, Random random) : IAsyncDisposable
{
    // Message formats of the protocol, version 3: a letter, then four bytes of length that count themselves. C is CommandComplete.
    const int HeaderBytes = 5;
    const byte CommandComplete = (byte)'C';

    readonly CancellationTokenSource _closing = new();
    Task _listening = Task.CompletedTask;
    int _cuts;

    public int Port { get; } = Ports.Free();
    public bool IsOn { get; set; }
    public int Cuts => Volatile.Read(ref _cuts);

    public void Start() => _listening = ListenAsync();

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _listening;
        _closing.Dispose();
    }

    async Task ListenAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, Port);
        listener.Start();
        try
        {
            while (true)
                _ = CarryAsync(await listener.AcceptTcpClientAsync(_closing.Token));
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    async Task CarryAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        try
        {
            using (client)
            {
                await server.ConnectAsync(IPAddress.Loopback, port, _closing.Token);
                var there = client.GetStream().CopyToAsync(server.GetStream(), _closing.Token);
                await Task.WhenAny(there, AnswerAsync(server.GetStream(), client.GetStream()));
            }
        }
        catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException)
        {
            // One side left.
        }
    }

    async Task AnswerAsync(NetworkStream server, NetworkStream client)
    {
        var header = new byte[HeaderBytes];
        while (await server.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, _closing.Token) == HeaderBytes)
        {
            var message = new byte[HeaderBytes - 4 + BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1))];
            header.CopyTo(message, 0);
            await server.ReadExactlyAsync(message.AsMemory(HeaderBytes), _closing.Token);
            if (IsOn && header[0] == CommandComplete && message.AsSpan(HeaderBytes).StartsWith("COMMIT\0"u8) && IsDrawn())
            {
                Interlocked.Increment(ref _cuts);
                return;
            }
            await client.WriteAsync(message, _closing.Token);
        }
    }

    bool IsDrawn()
    {
        lock (random)
            return random.NextDouble() < share;
    }
}
