namespace Postrider.Mail.Dns;

/// <summary>The kinds of record that mail asks for; the numbers are those of RFC 1035 §3.2.2.</summary>
public enum DnsRecordType
{
    /// <summary>Where mail for a domain goes.</summary>
    Mx = 15,

    /// <summary>Text: SPF, DKIM, DMARC.</summary>
    Txt = 16,
}

/// <summary>How a question ended.</summary>
public enum DnsOutcome
{
    /// <summary>There are records.</summary>
    Found,

    /// <summary>There is no such name, or it has no record of this type: a definite no.</summary>
    Absent,

    /// <summary>Nobody could say: no answer in time, a server that failed or refused, nonsense. Proves nothing.</summary>
    Failed,
}

/// <summary>An answer of the DNS.</summary>
public sealed record DnsAnswer
{
    /// <summary>How it ended.</summary>
    public required DnsOutcome Outcome { get; init; }

    /// <summary>TXT: the strings of each record put together (RFC 7208 §3.3), octets above 127 as Latin-1. MX: the names of the
    /// hosts, the best first, <c>.</c> for "takes no mail" (RFC 7505).</summary>
    public IReadOnlyList<string> Records { get; init; } = [];

    /// <summary>Why it failed, in words; empty unless <see cref="DnsOutcome.Failed"/>.</summary>
    public string Reason { get; init; } = "";

    internal static readonly DnsAnswer Absent = new() { Outcome = DnsOutcome.Absent };

    internal static DnsAnswer Failed(string reason) => new() { Outcome = DnsOutcome.Failed, Reason = reason };
}
