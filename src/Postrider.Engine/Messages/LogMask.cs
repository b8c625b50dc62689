using System.Text.RegularExpressions;

namespace Postrider.Messages;

/// <summary>Text as the log and other records of what happened may have it: without secrets, and without the local parts of
/// addresses.</summary>
/// <remarks>What is written there should name no person and no secret; whatever looks like one is masked here once more.</remarks>
public static partial class LogMask
{
    /// <summary>Passwords in DSNs, API keys, bearer tokens, secrets of webhooks, and the local parts of addresses.</summary>
    public static string InText(string text) =>
        AddressMask.InText(Secrets().Replace(text, match => $"{match.Groups["kept"].Value}***"));

    [GeneratedRegex(@"(?<kept>://)[^\s/@]+:[^\s@]*@|(?<kept>\bpr_[a-z0-9]{12}_)[a-z0-9]+|(?<kept>\bBearer )\S+|(?<kept>\bwhsec_)[A-Za-z0-9+/=_-]+",
        RegexOptions.NonBacktracking)]
    private static partial Regex Secrets();
}
