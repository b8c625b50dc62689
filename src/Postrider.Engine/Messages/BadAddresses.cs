namespace Postrider.Messages;

/// <summary>Which replies say that an address is bad for good: only these put one on the suppression list by themselves.</summary>
public static class BadAddresses
{
    // RFC 3463 §3.2 and §3.3: no such mailbox or domain, bad address syntax, moved, no mail accepted (RFC 7505), mailbox disabled.
    // 5.2.2 (full) and 5.7.x (policy) never suppress; nor does a code that contradicts its class (550 4.1.1).
    public static bool IsBadForGood(int code, string? enhanced) =>
        enhanced is "5.1.0" or "5.1.1" or "5.1.2" or "5.1.3" or "5.1.6" or "5.1.10" or "5.2.1" || code is 556;
}
