using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Postrider.Mail.Dns;

/// <summary>Which DNS servers to ask.</summary>
public static class DnsServers
{
    const int Port = 53;

    /// <summary>As many as the C library takes (resolv.conf(5), MAXNS).</summary>
    const int MaxSystemServers = 3;

    /// <summary>Reads <c>192.0.2.1 192.0.2.2:5353 [2001:db8::1]:53</c>.</summary>
    /// <param name="faults">What is no address, in words.</param>
    public static IReadOnlyList<IPEndPoint> Parse(string list, out IReadOnlyList<string> faults)
    {
        var servers = new List<IPEndPoint>();
        var wrong = new List<string>();
        foreach (var word in list.Split([' ', ',', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (TryParse(word, out var server))
                servers.Add(server);
            else
                wrong.Add($"\"{word}\" is no address of a DNS server: write 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53");
        }
        faults = wrong;
        return servers;
    }

    /// <summary>The <c>nameserver</c> lines of resolv.conf(5); with none the local machine, as the C library does.</summary>
    /// <param name="resolvConf">The file's text.</param>
    public static IReadOnlyList<IPEndPoint> OfSystem(string resolvConf)
    {
        var servers = new List<IPEndPoint>();
        foreach (var line in resolvConf.Split('\n'))
        {
            if (line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries) is ["nameserver", var text, ..]
                && IPAddress.TryParse(text, out var address) && servers.Count < MaxSystemServers)
                servers.Add(new IPEndPoint(address, Port));
        }
        return servers.Count > 0 ? servers : [new IPEndPoint(IPAddress.Loopback, Port)];
    }

    static bool TryParse(string word, out IPEndPoint server)
    {
        server = new IPEndPoint(IPAddress.None, Port);
        // The parser overlooks a port behind brackets.
        if (!word.Contains("]:", StringComparison.Ordinal) && IPAddress.TryParse(word, out var address)
            && IsWritten(address, word.Trim('[', ']')))
        {
            server = new IPEndPoint(address, Port);
            return true;
        }
        var colon = word.LastIndexOf(':');
        if (colon < 0 || !IPAddress.TryParse(word[..colon], out address) || !IsWritten(address, word[..colon].Trim('[', ']'))
            || (address.AddressFamily == AddressFamily.InterNetworkV6 && word[0] != '[')
            || !ushort.TryParse(word.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
            return false;
        server = new IPEndPoint(address, port);
        return true;
    }

    // The parser takes 53 for 0.0.0.53.
    static bool IsWritten(IPAddress address, string text) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == text;
}
