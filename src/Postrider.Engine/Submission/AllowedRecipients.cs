using Postrider.Mail.Addresses;

namespace Postrider.Submission;

/// <summary>The recipients that mail may leave for: everybody, or on a staging system those that a pattern names.</summary>
/// <remarks>Patterns: <c>*</c>, <c>ann@example.com</c>, <c>*@example.com</c> or <c>@example.com</c> (that domain), <c>*@*.example.com</c>
/// (every domain below it). Case does not matter.</remarks>
public sealed class AllowedRecipients
{
    static readonly char[] Separators = [' ', '\t', '\r', '\n', ','];

    readonly HashSet<string> _addresses = new(StringComparer.OrdinalIgnoreCase);
    readonly HashSet<string> _domains = new(StringComparer.OrdinalIgnoreCase);
    readonly List<string> _parents = [];    // each begins with a dot

    AllowedRecipients() { }

    /// <summary>Nobody is held back.</summary>
    public bool Everybody { get; private set; }

    /// <summary>Reads the patterns; empty text means everybody.</summary>
    /// <param name="faults">One sentence for each pattern that is none.</param>
    public static AllowedRecipients Parse(string? text, out IReadOnlyList<string> faults)
    {
        var allowed = new AllowedRecipients();
        var patterns = (text ?? "").Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        allowed.Everybody = patterns.Length == 0;
        var found = new List<string>();
        foreach (var pattern in patterns)
        {
            if (!allowed.TryAdd(pattern))
                found.Add($"POSTRIDER_ALLOW_RECIPIENTS: '{pattern}' is no pattern. "
                    + "Write ann@example.com, *@example.com, *@*.example.com or *");
        }
        faults = found;
        return allowed;
    }

    public bool Includes(EmailAddress address)
    {
        if (Everybody || _domains.Contains(address.AsciiDomain) || _addresses.Contains(address.ToAscii()))
            return true;
        foreach (var parent in _parents)
        {
            if (address.AsciiDomain.EndsWith(parent, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    bool TryAdd(string pattern)
    {
        if (pattern == "*")
            return Everybody = true;
        var domain = pattern.StartsWith('@') ? pattern[1..] : pattern.StartsWith("*@", StringComparison.Ordinal) ? pattern[2..] : null;
        var below = domain is not null && domain.StartsWith("*.", StringComparison.Ordinal);
        // A domain is read as that of an address: the same rules, and international names in their ASCII form.
        var rules = new AddressRules { AllowIpLiteral = true, AllowSingleLabelDomain = true };
        var example = domain is null ? pattern : "a@" + (below ? domain[2..] : domain);
        if (!EmailAddress.TryParse(example, rules, out var address, out _) || (domain is null && address.LocalPart.Contains('*')))
            return false;
        if (domain is null)
            _addresses.Add(address.ToAscii());
        else if (below)
            _parents.Add("." + address.AsciiDomain);
        else
            _domains.Add(address.AsciiDomain);
        return true;
    }
}
