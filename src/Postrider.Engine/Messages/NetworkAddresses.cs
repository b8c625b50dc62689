using System.Net;
using System.Net.Sockets;

namespace Postrider.Messages;

/// <summary>Which addresses belong to the world, and which to somebody's own network: what a customer names must not
/// lead into ours.</summary>
/// <remarks>From the IANA registries of special-purpose addresses (RFC 6890 and its updates, as of 2025): what they do not call globally
/// reachable is not, and neither is multicast. Where an IPv6 address carries an IPv4 one, that decides.</remarks>
public static class NetworkAddresses
{
    static readonly IPNetwork[] NotGlobal4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(n => IPNetwork.Parse(n)),
    ];

    /// <summary>All that is assigned to the world (RFC 4291 §2.4, IANA). Loopback, link-local, unique local, discard-only, SRv6 and
    /// multicast addresses lie outside of it.</summary>
    static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");

    static readonly IPNetwork[] NotGlobal6 =
    [
        // Protocol assignments with Teredo and ORCHID, documentation, 6to4, documentation.
        .. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" }.Select(n => IPNetwork.Parse(n)),
    ];

    // RFC 6052 §2.1: the IPv4 address is in the last four bytes.
    static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    public static bool IsGlobal(IPAddress address)
    {
        address = Plain(address);
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !Array.Exists(NotGlobal4, network => network.Contains(address));
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.ScopeId != 0)
            return false;
        if (Nat64.Contains(address))
            return IsGlobal(new IPAddress(address.GetAddressBytes().AsSpan(12)));
        return Global6.Contains(address) && !Array.Exists(NotGlobal6, network => network.Contains(address));
    }

    /// <summary>Whether any address of a network belongs to the world.</summary>
    public static bool HasGlobal(IPNetwork network)
    {
        if (network.BaseAddress.IsIPv4MappedToIPv6)
            return network.PrefixLength < 96 || HasGlobal(new IPNetwork(network.BaseAddress.MapToIPv4(), network.PrefixLength - 96));
        return network.BaseAddress.AddressFamily == AddressFamily.InterNetwork
            ? !Array.Exists(NotGlobal4, special => Holds(special, network))
            : Holds(network, Global6) || HoldsMapped(network)
                || (Global6.Contains(network.BaseAddress) && !Array.Exists(NotGlobal6, special => Holds(special, network)));
    }

    /// <summary>Whether a network is so large that no one has it: with addresses of the world, and more of them than any
    /// registry ever gave to one holder (IPv4 a /8, IPv6 a /16).</summary>
    public static bool IsMostOfTheWorld(IPNetwork network)
    {
        var isMapped = network.BaseAddress.IsIPv4MappedToIPv6 && network.PrefixLength >= 96;
        var (length, least) = isMapped ? (network.PrefixLength - 96, 8)
            : network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? (network.PrefixLength, 8) : (network.PrefixLength, 16);
        return length < least && HasGlobal(network);
    }

    // RFC 4291 §2.5.5.2: behind 80 bits that are 0.
    static bool HoldsMapped(IPNetwork network) => network.PrefixLength <= 80 && network.BaseAddress.Equals(IPAddress.IPv6Any);

    static bool Holds(IPNetwork outer, IPNetwork inner) => outer.PrefixLength <= inner.PrefixLength && outer.Contains(inner.BaseAddress);

    /// <summary>An IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2), as what it is.</summary>
    public static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
