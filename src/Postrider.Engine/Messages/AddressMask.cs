using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Messages;

/// <summary>Addresses as the log has them: enough to recognise one that one knows, not enough to learn it
/// (<c>a***@example.com</c>).</summary>
public static class AddressMask
{
    /// <summary>What ends a local part in running text.</summary>
    static readonly SearchValues<char> Ends = SearchValues.Create(" \t\r\n<>()'\",;:=@");

    public static string Of(EmailAddress address) => $"{First(address.LocalPart)}***@{address.Domain}";

    /// <summary>What a provider said, which may name addresses.</summary>
    public static string InText(string text)
    {
        if (!text.Contains('@', StringComparison.Ordinal))
            return text;
        var masked = new StringBuilder();
        var rest = text.AsSpan();
        while (rest.IndexOf('@') is >= 0 and var at)
        {
            var start = rest[..at].LastIndexOfAny(Ends) + 1;
            masked.Append(rest[..start]);
            if (start < at)
                masked.Append(First(rest[start..at])).Append("***");
            masked.Append('@');
            rest = rest[(at + 1)..];
        }
        return masked.Append(rest).ToString();
    }

    static ReadOnlySpan<char> First(ReadOnlySpan<char> local) => local[..(char.IsHighSurrogate(local[0]) && local.Length > 1 ? 2 : 1)];
}
