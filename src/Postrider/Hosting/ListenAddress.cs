using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Postrider.Hosting;

/// <summary>One address of <c>POSTRIDER_URLS</c> or <c>POSTRIDER_SMTP</c>.</summary>
/// <param name="Host">As written: an IP address, <c>localhost</c>, or <c>*</c> for every address of the machine.</param>
/// <param name="Port">0 takes a free one.</param>
/// <param name="IsTls">TLS from the first byte: https, smtps.</param>
public sealed record ListenAddress(string Host, int Port, bool IsTls)
{
    static readonly char[] Separators = [' ', '\t', '\r', '\n', ';', ','];

    public static IEnumerable<string> Split(string urls) =>
        urls.Split(Separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Reads <c>http://host:port</c> or <c>https://host:port</c>, without a path. The port is 80 or 443 when left out.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ListenAddress? address)
    {
        address = null;
        return After(text, "https://") is { } secure ? TryParse(secure, 443, isTls: true, out address)
            : After(text, "http://") is { } plain && TryParse(plain, 80, isTls: false, out address);
    }

    /// <summary>Reads <c>host:port</c>, <c>smtp://host:port</c> or <c>smtps://host:port</c>. The port is 587 or 465 when left out (RFC
    /// 6409, 8314).</summary>
    public static bool TryParseSmtp(string text, [NotNullWhen(true)] out ListenAddress? address) =>
        After(text, "smtps://") is { } secure ? TryParse(secure, 465, isTls: true, out address)
            : TryParse(After(text, "smtp://") ?? text, 587, isTls: false, out address);

    static string? After(string text, string scheme) =>
        text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? text[scheme.Length..].TrimEnd('/') : null;

    static bool TryParse(string authority, int port, bool isTls, [NotNullWhen(true)] out ListenAddress? address)
    {
        address = null;
        var portAt = authority.LastIndexOf(':');
        if (portAt >= 0 && authority.EndsWith(']'))
            portAt = -1; // the last colon is inside an IPv6 address
        var host = portAt < 0 ? authority : authority[..portAt];
        if (portAt >= 0 && !TryPort(authority.AsSpan(portAt + 1), out port))
            return false;
        host = host.Trim('[', ']');
        if (host is not ("*" or "localhost") && !IsAddress(host))
            return false;
        address = new ListenAddress(host, port, isTls);
        return true;
    }

    /// <summary>IPv4 in four parts: a lone number would be an address too ("1025" is 0.0.4.1), and is a port that was meant.</summary>
    static bool IsAddress(string host) =>
        IPAddress.TryParse(host, out _) && (host.Contains(':', StringComparison.Ordinal) || host.Count(c => c == '.') == 3);

    static bool TryPort(ReadOnlySpan<char> text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= IPEndPoint.MaxPort;

    public bool IsEveryAddress =>
        Host == "*" || (IPAddress.TryParse(Host, out var ip) && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any)));
    public bool IsLoopback => Host == "localhost" || (IPAddress.TryParse(Host, out var ip) && IPAddress.IsLoopback(ip));

    /// <summary>As a client on this machine would write it, with the port that was taken.</summary>
    public string ForClients(int port) => At(IsEveryAddress ? "127.0.0.1" : Host, port);

    /// <summary>As others on the network would write them: where it is every address of the machine, by the machine's name.</summary>
    public static string ForOthers(string urls, string machine) => string.Join(' ', Split(urls).Select(
        text => TryParse(text, out var address) ? address.At(address.IsEveryAddress ? machine : address.Host, address.Port) : text));

    string At(string host, int port) =>
        $"{(IsTls ? "https" : "http")}://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}";
}
