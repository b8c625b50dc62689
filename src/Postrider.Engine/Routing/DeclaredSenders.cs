using System.Diagnostics.CodeAnalysis;
using Postrider.Mail.Addresses;

namespace Postrider.Routing;

/// <summary>The sender domains that a transport was set up for (<c>from=</c>): mail of others goes by another one, without its refusal
/// having to be learned first.</summary>
public sealed class DeclaredSenders
{
    public const string Expected = "is domains of senders, separated by commas, such as example.com,*.example.com for all below it";

    readonly HashSet<string> _domains = new(StringComparer.Ordinal);
    readonly List<string> _parents = [];    // each begins with a dot

    DeclaredSenders() { }

    public static bool TryParse(string text, [NotNullWhen(true)] out DeclaredSenders? senders)
    {
        senders = null;
        var read = new DeclaredSenders();
        foreach (var word in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var below = word.StartsWith("*.", StringComparison.Ordinal);
            // As the domain of an address: international names in their ASCII form.
            var rules = new AddressRules { AllowSingleLabelDomain = true };
            if (word.Contains('@', StringComparison.Ordinal)
                || !EmailAddress.TryParse($"x@{(below ? word[2..] : word)}", rules, out var address, out _))
                return false;
            if (below)
                read._parents.Add("." + address.AsciiDomain);
            else
                read._domains.Add(address.AsciiDomain);
        }
        senders = read;
        return read._domains.Count + read._parents.Count > 0;
    }

    /// <param name="domain">In A-labels, lower case.</param>
    public bool Include(string domain)
    {
        if (_domains.Contains(domain))
            return true;
        foreach (var parent in _parents)
            if (domain.EndsWith(parent, StringComparison.Ordinal))
                return true;
        return false;
    }
}
