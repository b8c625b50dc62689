using System.Net;
using System.Net.Sockets;

namespace Postrider.Testing;

/// <summary>Ports for servers that must be told one, or must keep theirs over restarts.</summary>
/// <remarks>
/// Below 32768, where Linux takes the near ends of outgoing connections from: the system's own choice of a free port may be another's
/// near end before the server listens, or while it is down between two starts.
/// </remarks>
public static class Ports
{
    const int First = 10_240;
    const int Count = 22_000; // up to 32239

    // Processes that run side by side begin at different places.
    static int _given = Environment.ProcessId * 61 % Count;

    /// <summary>A port of 127.0.0.1 on which nothing listens now, and which this process has not given before.</summary>
    public static int Free()
    {
        for (var tries = 0; tries < Count; tries++)
        {
            var port = First + Interlocked.Increment(ref _given) % Count;
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one.
            }
        }
        throw new InvalidOperationException($"No port of 127.0.0.1 from {First} to {First + Count - 1} is free.");
    }
}
