using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>Reads fields that hold several addresses with commas between them (RFC 5322 §3.4).</summary>
static class AddressLists
{
    /// <summary>Every installation may allow other domains than the default rules do: that is the submitter's to say.</summary>
    static readonly AddressRules AnyDomain = new() { AllowIpLiteral = true, AllowSingleLabelDomain = true };

    /// <summary>Empty for nothing. A list that cannot be read is told apart at its commas, so that the submitter can say which of them it
    /// is.</summary>
    public static IReadOnlyList<AddressText> Read(string? list)
    {
        if (string.IsNullOrWhiteSpace(list))
            return [];
        return MailboxList.TryParse(list, AnyDomain, out var mailboxes, out _)
            ? [.. mailboxes.Select(mailbox => new AddressText(mailbox.Address.ToString(), mailbox.Name, IsAddressOnly: true))]
            : [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(text => new AddressText(text))];
    }
}
