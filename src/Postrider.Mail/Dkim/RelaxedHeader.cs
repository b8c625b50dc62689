using System.Buffers;
using System.Text;

namespace Postrider.Mail.Dkim;

/// <summary>The relaxed form of a header field (RFC 6376 §3.4.2): name in lower case, unfolded, runs of white space one space, none at
/// either end of the value or around the colon.</summary>
static class RelaxedHeader
{
    /// <param name="field">Name, colon and value, with its folds, with or without the line end behind it.</param>
    /// <param name="output">Gets <c>name:value</c> without a line end.</param>
    public static void Write(ReadOnlySpan<byte> field, IBufferWriter<byte> output)
    {
        var colon = field.IndexOf((byte)':');
        var name = (colon < 0 ? field : field[..colon]).TrimEnd(" \t\r\n"u8);
        Ascii.ToLower(name, output.GetSpan(name.Length), out var written);
        // A name outside ASCII is no name (RFC 5322 §2.2); as it stands it can do no harm.
        if (written < name.Length)
            name.CopyTo(output.GetSpan(name.Length));
        output.Advance(name.Length);
        output.Write(":"u8);
        var value = (colon < 0 ? [] : field[(colon + 1)..]).Trim(" \t\r\n"u8);
        while (!value.IsEmpty)
        {
            // CR and LF stand in folds only, before white space.
            var end = value.IndexOfAny(" \t\r\n"u8);
            output.Write(end < 0 ? value : value[..end]);
            if (end < 0)
                return;
            value = value[end..].TrimStart(" \t\r\n"u8);
            output.Write(" "u8);
        }
    }
}
