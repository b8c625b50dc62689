using System.Text;

namespace Postrider.Mail.Dkim;

/// <summary>Where the header fields of a message are, and where its body begins.</summary>
sealed class HeaderSection
{
    readonly List<(int At, int NameLength, int Length)> _fields = new(24);

    /// <summary>Where the body begins: behind the empty line, or at the end when there is none.</summary>
    public int BodyAt { get; private set; }

    public int Count => _fields.Count;

    /// <summary>A field ends before a line that does not begin with white space (RFC 5322 §2.2.3); the section before an empty
    /// line.</summary>
    public static HeaderSection Of(ReadOnlySpan<byte> message)
    {
        var section = new HeaderSection();
        var at = 0;
        while (at < message.Length)
        {
            var length = LineLength(message[at..]);
            var line = message.Slice(at, length);
            if (line.Trim("\r\n"u8).IsEmpty)
            {
                at += length;
                break;
            }
            if (line[0] is (byte)' ' or (byte)'\t' && section._fields.Count > 0)
                section._fields[^1] = section._fields[^1] with { Length = at + length - section._fields[^1].At };
            else
                section._fields.Add((at, NameLength(line), length));
            at += length;
        }
        section.BodyAt = at;
        return section;
    }

    public ReadOnlySpan<byte> Field(ReadOnlySpan<byte> message, int index) => message.Slice(_fields[index].At, _fields[index].Length);

    /// <summary>The last field of this name above <paramref name="below"/>; -1 when there is none. RFC 6376 §5.4.2: from the bottom
    /// up.</summary>
    /// <param name="name">In any case.</param>
    public int LastOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> name, int below)
    {
        for (var i = below - 1; i >= 0; i--)
        {
            if (_fields[i].NameLength == name.Length && Ascii.EqualsIgnoreCase(message.Slice(_fields[i].At, name.Length), name))
                return i;
        }
        return -1;
    }

    /// <summary>With its line end. A bare CR or LF is one, see <see cref="RelaxedBody"/>.</summary>
    static int LineLength(ReadOnlySpan<byte> text)
    {
        var end = text.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0)
            return text.Length;
        return text[end..] is [(byte)'\r', (byte)'\n', ..] ? end + 2 : end + 1;
    }

    static int NameLength(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        return colon < 0 ? -1 : line[..colon].TrimEnd(" \t"u8).Length;
    }
}
