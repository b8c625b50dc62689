using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Postrider.Hosting;

/// <summary>Submission by SMTP: names, limits, and who needs no password. Section <c>SmtpServer</c>; the addresses are in
/// <c>POSTRIDER_SMTP</c>. The size and the recipients of a message are limited in section <c>Submission</c>.</summary>
public sealed class SmtpListenerOptions
{
    /// <summary>The name we greet with. Default: the host of POSTRIDER_PUBLIC_URL, else this machine's name.</summary>
    public string HostName { get; set; } = "";

    /// <summary>Networks whose clients send without a password, for the first tenant: <c>10.1.0.0/16 192.0.2.7</c>. Whoever can connect
    /// from there can send. Default: none.</summary>
    public string TrustedNetworks { get; set; } = "";

    /// <summary>Take passwords from other machines without TLS. Default false; from this machine they always are.</summary>
    public bool AllowPlaintextAuth { get; set; }

    /// <summary>Take a message that comes again with the same Message-ID, envelope and content only once, as long as idempotency keys are
    /// kept. Default false.</summary>
    public bool Deduplicate { get; set; }

    /// <summary>Open connections; more are sent away with 421. Default 10,000; fewer where the process may not open that many files,
    /// which its log says.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Open connections from one address; with IPv6, from one /64. Default 5,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnectionsPerAddress { get; set; } = 5_000;

    /// <summary>Memory that messages being received may take together, in bytes; more are put off with 452. Default 512 MB.</summary>
    [Range(1_000_000, 1_000_000_000_000)]
    public long MaxContentMemoryBytes { get; set; } = 512_000_000;

    /// <summary>How long a client may take for its next command. Default 5 minutes (RFC 5321 §4.5.3.2.7).</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a message may take from its first command to its last byte. Default 30 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan TransactionTimeout { get; set; } = TimeSpan.FromMinutes(30);

    static readonly char[] Separators = [' ', '\t', '\r', '\n', ','];

    /// <summary>Reads <see cref="TrustedNetworks"/>.</summary>
    /// <param name="faults">What is neither a network nor an address.</param>
    internal static IReadOnlyList<IPNetwork> Networks(string text, out IReadOnlyList<string> faults)
    {
        var networks = new List<IPNetwork>();
        var found = new List<string>();
        foreach (var word in text.Split(Separators, StringSplitOptions.RemoveEmptyEntries))
        {
            if (IPAddress.TryParse(word, out var address) && !word.Contains('/', StringComparison.Ordinal))
                networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            else if (IPNetwork.TryParse(word, out var network))
                networks.Add(network);
            else
                found.Add($"has \"{word}\": write an address, or a network such as 10.1.0.0/16 with nothing behind its prefix");
        }
        faults = found;
        return networks;
    }
}
