using System.Buffers;
using System.Globalization;

namespace Postrider.Mail.Addresses;

/// <summary>What a text holds that must never reach a header.</summary>
enum TextDanger
{
    None,

    /// <summary>CR, LF, VT, FF, NUL, NEL, U+2028 or U+2029: somebody downstream may take it for the end of the line.</summary>
    LineBreak,

    /// <summary>Another control character.</summary>
    Control,

    /// <summary>Half of a surrogate pair: it has no UTF-8 form.</summary>
    LoneSurrogate,
}

/// <summary>Finds the first character of a text that could end a header line or is no text at all.</summary>
static class TextSafety
{
    static readonly SearchValues<char> PrintableAscii = SearchValues.Create(
        " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>A TAB is white space in header values, but has no business in a name.</summary>
    public static TextDanger Find(ReadOnlySpan<char> text, bool allowTab)
    {
        var first = text.IndexOfAnyExcept(PrintableAscii);
        return first < 0 ? TextDanger.None : FindFrom(text, first, allowTab);
    }

    static TextDanger FindFrom(ReadOnlySpan<char> text, int at, bool allowTab)
    {
        for (; at < text.Length; at++)
        {
            var c = text[at];
            if (c is '\r' or '\n' or '\0' or '\v' or '\f' or '\u0085' or '\u2028' or '\u2029')
                return TextDanger.LineBreak;
            if (char.IsControl(c) && !(allowTab && c == '\t'))
                return TextDanger.Control;
            if (!char.IsSurrogate(c))
                continue;
            if (!char.IsHighSurrogate(c) || at + 1 == text.Length || !char.IsLowSurrogate(text[at + 1]))
                return TextDanger.LoneSurrogate;
            at++;
        }
        return TextDanger.None;
    }

    /// <summary>
    /// Invisible characters that turn or hide text (bidi overrides, zero-width marks, BOM): an address with them only looks like another.
    /// The two joiners stay, because some scripts cannot be written without them (RFC 5892 §A.1).
    /// </summary>
    public static bool IsInvisible(char c) =>
        c is not ('\u200c' or '\u200d') && char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.SpaceSeparator;
}
