using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Postrider.Messages;

namespace Postrider.Webhooks;

/// <summary>Looks a host name up; the system's resolver as a rule.</summary>
public delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken ct);

/// <summary>A URL of a customer leads where we do not go. The message is for the customer.</summary>
public sealed class TargetRefusedException(string message) : Exception(message);

/// <summary>Where customers' URLs may lead: out into the world on the ports of the web, and where the operator allows it.</summary>
public sealed class WebhookTargets(IReadOnlyList<WebhookTargets.Allowed> allowed, ResolveHost resolve)
{
    const int MaxLength = 2_048;

    /// <summary>Addresses of our own that the first tenant may reach.</summary>
    /// <param name="Port">Null: any.</param>
    public readonly record struct Allowed(IPNetwork Network, int? Port);

    /// <param name="text">Networks with a port or <c>*</c>, separated by white space: <c>127.0.0.1/32:* [fd00::/8]:8080</c>.</param>
    public static IReadOnlyList<Allowed> Parse(string text, out IReadOnlyList<string> faults)
    {
        var (found, wrong) = (new List<Allowed>(), new List<string>());
        foreach (var part in text.Split([' ', '\t', '\r', '\n', ','], StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = part.LastIndexOf(':');
            var network = colon < 0 ? "" : part[..colon].Trim('[', ']');
            var port = colon < 0 ? "" : part[(colon + 1)..];
            if (IPNetwork.TryParse(network, out var parsed) && (port == "*" || IsPort(port)))
                found.Add(new Allowed(parsed, port == "*" ? null : int.Parse(port, CultureInfo.InvariantCulture)));
            else
                wrong.Add($"has \"{part}\": write network:port or network:*, such as 127.0.0.1/32:* or [fd00::/8]:8080");
        }
        faults = wrong;
        return found;
    }

    static bool IsPort(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65_535;

    /// <summary>Reads a URL that a customer gives. Null: <paramref name="fault"/> says what to write instead.</summary>
    /// <remarks>Every address has one spelling here: what other programs might read differently (<c>127.1</c>, <c>0x7f.1</c>,
    /// <c>①②⑦.0.0.1</c>, <c>https://ok@evil</c>) is refused rather than understood.</remarks>
    public Uri? Read(string text, TenantId tenant, out string? fault)
    {
        fault = FaultOf(text, tenant, out var url);
        return fault is null ? url : null;
    }

    string? FaultOf(string text, TenantId tenant, out Uri? url)
    {
        url = null;
        if (text.Length is 0 or > MaxLength)
            return "The URL must have 1 to 2,048 characters.";
        if (text.AsSpan().ContainsAnyExceptInRange('!', '~') || text.Contains('\\', StringComparison.Ordinal))
            return "The URL must be of printable ASCII without spaces and backslashes; write other letters in a host as xn--… and in a path as %….";
        if (!Uri.TryCreate(text, UriKind.Absolute, out url) || url.Scheme is not ("http" or "https"))
            return "The URL must begin with https:// (or http://).";
        var authority = text[(url.Scheme.Length + 3)..];
        authority = authority[..(authority.IndexOfAny(['/', '?', '#']) is >= 0 and var end ? end : authority.Length)];
        if (authority.Contains('@', StringComparison.Ordinal))
            return "The URL must not have a user or password; put a secret into a header.";
        if (url.Fragment.Length > 0 || text.Contains('#', StringComparison.Ordinal))
            return "The URL must not have a fragment (#…): it is never sent.";
        var host = authority.StartsWith('[')
            ? authority[..(authority.IndexOf(']', StringComparison.Ordinal) + 1)] : authority.Split(':')[0];
        return HostFault(host, url.Port, tenant);
    }

    string? HostFault(string host, int port, TenantId tenant)
    {
        if (host.StartsWith('['))
            return IPAddress.TryParse(host.Trim('[', ']'), out var six) && six.AddressFamily == AddressFamily.InterNetworkV6
                ? AddressFault(six, port, tenant) : "The host is no IPv6 address.";
        var name = host.TrimEnd('.');
        var last = name[(name.LastIndexOf('.') + 1)..];
        // Whatever ends in a number is an IPv4 address to somebody (WHATWG URL §4.4).
        if (last.Length == 0 || char.IsAsciiDigit(last[0]))
            return IPAddress.TryParse(host, out var four) && four.ToString() == host
                ? AddressFault(four, port, tenant) : "An IPv4 address is written as four decimal numbers, such as 192.0.2.1.";
        if (host.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.' or '_')))
            return "The host has a character that no host name has.";
        if (IsPrivateName(name) && !AnyAllowed(port, tenant))
            return $"{name} is a name of a private network. {Remedy}";
        return IsWebPort(port) || AnyAllowed(port, tenant) ? null : $"Port {port} is not one of the web (443, 80). {Remedy}";
    }

    const string Remedy = "The operator can allow addresses of their own to the first tenant with POSTRIDER_WEBHOOKS__ALLOW.";

    static bool IsWebPort(int port) => port is 443 or 80;

    // RFC 6761, 6762, 8375 and ICANN's choice of 2024.
    static readonly string[] PrivateEnds = [".localhost", ".local", ".internal", ".home.arpa"];

    // Or what has no domain.
    static bool IsPrivateName(string name) => !name.Contains('.', StringComparison.Ordinal)
        || PrivateEnds.Any(end => name.EndsWith(end, StringComparison.OrdinalIgnoreCase));

    bool AnyAllowed(int port, TenantId tenant) => tenant == TenantId.First && allowed.Any(a => (a.Port ?? port) == port);

    bool IsAllowed(IPAddress address, int port, TenantId tenant)
    {
        var plain = NetworkAddresses.Plain(address);
        return (NetworkAddresses.IsGlobal(plain) && IsWebPort(port))
            || (tenant == TenantId.First && allowed.Any(a => (a.Port ?? port) == port && a.Network.Contains(plain)));
    }

    string? AddressFault(IPAddress address, int port, TenantId tenant) => IsAllowed(address, port, tenant) ? null
        : NetworkAddresses.IsGlobal(address) ? $"Port {port} is not one of the web (443, 80). {Remedy}"
        : $"{address} is an address of a private or special network. {Remedy}";

    /// <summary>The addresses of a host, all of which may be connected to.</summary>
    /// <exception cref="TargetRefusedException">One of them may not: whoever mixes them means no good.</exception>
    /// <exception cref="SocketException">There are none.</exception>
    public async Task<IPAddress[]> ResolveAsync(string host, int port, TenantId tenant, CancellationToken ct)
    {
        var addresses = IPAddress.TryParse(host.Trim('[', ']'), out var literal) ? [literal] : await resolve(host, ct);
        foreach (var address in addresses)
        {
            if (AddressFault(address, port, tenant) is { } fault)
                throw new TargetRefusedException($"{host} leads to {address}: {fault}");
        }
        return addresses.Length > 0 ? addresses : throw new SocketException((int)SocketError.HostNotFound);
    }
}
