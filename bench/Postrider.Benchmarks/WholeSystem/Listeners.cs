using System.Net;
using System.Net.Sockets;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>Waits for the servers of a run.</summary>
static class Listeners
{
    /// <summary>Returns when something listens; throws <see cref="TimeoutException"/> after 30 s.</summary>
    public static async Task WaitUntilOpenAsync(int port, CancellationToken ct)
    {
        for (var tries = 0; tries < 600; tries++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, ct);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, ct);
            }
        }
        throw new TimeoutException($"Nothing listens on 127.0.0.1:{port} after 30 s.");
    }
}
