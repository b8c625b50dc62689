using System.Net;
using System.Net.Sockets;

namespace Postrider.Chaos.Product;

/// <summary>Loopback ports that stay the same over all restarts of a run.</summary>
static class Ports
{
    public static int Free()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
