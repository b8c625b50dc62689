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
}
