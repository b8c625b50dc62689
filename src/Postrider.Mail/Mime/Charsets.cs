using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Postrider.Mail.Mime;

/// <summary>From the names of charsets to text. What nobody knows becomes readable text too, never a fault.</summary>
static class Charsets
{
    const int MaxNameLength = 40;

    static readonly Encoding Windows1252 = CodePagesEncodingProvider.Instance.GetEncoding(1252)!;

    /// <summary>Bytes of unknown charset: UTF-8 where they are that, else Windows-1252, which has a character for every byte.</summary>
    public static string Guess(ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : Windows1252.GetString(bytes);

    /// <param name="bytes">What is to be read.</param>
    /// <param name="charset">As a mail names it; null for none.</param>
    public static string Decode(ReadOnlySpan<byte> bytes, string? charset)
    {
        // Where a text says ASCII, or nothing, and is not, it only does not know better.
        if (charset is null || !TryFind(charset, out var encoding) || encoding.CodePage == Encoding.ASCII.CodePage)
            return Guess(bytes);
        var text = encoding.GetString(bytes);
        // The mark that UTF-16 starts with is none of the text; in UTF-8 it has no such meaning.
        return text is ['\ufeff', ..] && !ReferenceEquals(encoding, Encoding.UTF8) ? text[1..] : text;
    }

    /// <summary>False for a charset that this machine does not know.</summary>
    public static bool TryFind(ReadOnlySpan<char> charset, [NotNullWhen(true)] out Encoding? encoding)
    {
        encoding = null;
        charset = charset.Trim(" \t\"'");
        if (charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase) || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase))
            encoding = Encoding.UTF8;
        else if (charset.Length is > 0 and <= MaxNameLength)
            encoding = Find(charset.ToString());
        return encoding is not null;
    }

    static Encoding? Find(string charset)
    {
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(charset) ?? Encoding.GetEncoding(Usual(charset));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)   // UTF-7 is known, and not supported
        {
            return null;
        }
    }

    /// <summary>Python and others write cp1252.</summary>
    static string Usual(string charset) =>
        charset.StartsWith("cp", StringComparison.OrdinalIgnoreCase) && int.TryParse(charset.AsSpan(2), out _)
            && CodePagesEncodingProvider.Instance.GetEncoding($"windows-{charset[2..]}") is { } windows
            ? windows.WebName : charset;
}
