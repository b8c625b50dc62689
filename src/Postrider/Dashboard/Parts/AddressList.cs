using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>Addresses as people type them into one field: separated by commas, semicolons or lines, unless they stand within quotes or
/// angle brackets.</summary>
static class AddressList
{
    public static IReadOnlyList<AddressText> Split(string text)
    {
        var addresses = new List<AddressText>();
        var (start, isQuoted, isAngled) = (0, false, false);
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length)
            {
                var letter = text[i];
                if (letter == '"')
                    isQuoted = !isQuoted;
                else if (!isQuoted && letter is '<' or '>')
                    isAngled = letter == '<';
                if (isQuoted || isAngled || letter is not (',' or ';' or '\n'))
                    continue;
            }
            if (text[start..i].Trim() is { Length: > 0 } address)
                addresses.Add(new AddressText(address));
            start = i + 1;
        }
        return addresses;
    }
}
