using System.Net;
using System.Net.Sockets;

namespace Postrider.Testing;

/// <summary>Ports for servers of others, which cannot be asked which one they took.</summary>
public static class Ports
{
    /// <summary>Free now; nobody else is asked for one in between, as a rule.</summary>
    public static int Free()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
