using System.ComponentModel.DataAnnotations;

namespace Postrider.Senders;

/// <summary>Which tenants may send only from domains that were verified for them.</summary>
public enum VerifiedSenders
{
    /// <summary>None: every tenant may write any sender.</summary>
    None,
    /// <summary>All but the first, who runs the installation.</summary>
    Others,
    /// <summary>All.</summary>
    All,
}

/// <summary>How senders are looked at; bound to the root of the configuration.</summary>
public sealed class SenderOptions
{
    /// <summary><c>POSTRIDER_REQUIRE_VERIFIED_SENDERS</c>: for these tenants mail from a domain that is not verified is refused with
    /// <c>unverified-sender</c>. Default: Others.</summary>
    public VerifiedSenders RequireVerifiedSenders { get; set; } = VerifiedSenders.Others;

    /// <summary><c>POSTRIDER_DNS</c>: addresses of recursive DNS servers for the checks of sender domains, <c>192.0.2.1:53</c>, separated
    /// by white space. Default: those of the system (/etc/resolv.conf).</summary>
    public string Dns { get; set; } = "";

    /// <summary>Most domains of one tenant. Default 10,000: they are held in memory, some 3 KB each.</summary>
    [Range(1, 1_000_000)]
    public int MaxSenderDomains { get; set; } = 10_000;
}
