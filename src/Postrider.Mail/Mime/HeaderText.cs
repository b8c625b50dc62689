using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Mime;

/// <summary>
/// What a text must be to stand in a header: subject, value, file name. Everything that is written into headers passes here.
/// </summary>
public static class HeaderText
{
    /// <summary>
    /// True for any Unicode text on one line. <see cref="HeaderFault.Injection"/> for CR, LF, NUL and whatever else a reader may take for
    /// the end of the line (U+2028, U+2029, U+0085, VT, FF); <see cref="HeaderFault.InvalidValue"/> for other controls but TAB, and half
    /// surrogates.
    /// </summary>
    public static bool IsSafe(ReadOnlySpan<char> text, out HeaderFault fault)
    {
        fault = TextSafety.Find(text, allowTab: true) switch
        {
            TextDanger.None => HeaderFault.None,
            TextDanger.LineBreak => HeaderFault.Injection,
            TextDanger.Control or TextDanger.LoneSurrogate => HeaderFault.InvalidValue,
        };
        return fault == HeaderFault.None;
    }

    /// <summary>
    /// The text itself. Throws <see cref="ArgumentException"/> where <see cref="IsSafe"/> says no: the last gate before the wire.
    /// </summary>
    internal static string Checked(string text, string what) =>
        IsSafe(text, out var fault)
            ? text
            : throw new ArgumentException($"The {what} is refused: {fault.Describe()}. Ask HeaderText.IsSafe first.");

    /// <summary>
    /// The text on one line of ASCII, with encoded words (RFC 2047) for what is not ASCII or looks like one: for peers that take header
    /// values as strings and write them as they come. <see cref="Decode"/> reads it back.
    /// </summary>
    public static string ToAscii(string text)
    {
        if (Ascii.IsValid(text) && !EncodedWord.Resembles(text))
            return text;
        var written = new ArrayBufferWriter<byte>();
        var output = new OutputBuffer(written);
        HeaderWriter.WriteText(ref output, Checked(text, "text"));
        output.Flush();
        return Encoding.ASCII.GetString(written.WrittenSpan).Replace("\r\n", "", StringComparison.Ordinal);
    }

    /// <summary>
    /// Unstructured text with its encoded words (RFC 2047 §2) decoded and the white space between neighbouring ones dropped (§6.2). Words
    /// in charsets unknown here stay as they are.
    /// </summary>
    public static string Decode(string text)
    {
        if (!text.Contains("=?", StringComparison.Ordinal))
            return text;
        var decoded = new StringBuilder(text.Length);
        var decoder = new EncodedWordDecoder();
        var afterEncoded = false;
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            var word = rest.TrimStart(" \t");
            var gap = rest[..(rest.Length - word.Length)];
            var isEncoded = EncodedWord.TryFind(word, out var length) && (length == word.Length || word[length] is ' ' or '\t')
                && EncodedWordDecoder.CanDecode(word[..length]);
            if (!isEncoded)
            {
                decoder.Flush(decoded);
                length = word.IndexOfAny(' ', '\t') is >= 0 and var end ? end : word.Length;
            }
            if (!isEncoded || !afterEncoded)
                decoded.Append(gap);
            if (isEncoded)
                decoder.Add(word[..length], decoded);
            else
                decoded.Append(word[..length]);
            afterEncoded = isEncoded;
            rest = word[length..];
        }
        decoder.Flush(decoded);
        return decoded.ToString();
    }
}
