using System.Buffers;
using System.Globalization;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>Writes straight into the spans of an <see cref="IBufferWriter{T}"/> and knows the column it is in.</summary>
/// <remarks>Passed by reference only: a copy would write over the original. <see cref="Flush"/> hands over what was written.</remarks>
ref struct OutputBuffer(IBufferWriter<byte> output)
{
    /// <summary>What is asked of the writer at a time; pipes have segments of 4 KiB.</summary>
    const int Chunk = 4096;

    readonly IBufferWriter<byte> _output = output;
    Span<byte> _span = output.GetSpan(Chunk);
    int _used;

    /// <summary>
    /// Octets on the current line. Bodies that write many lines at once say where they ended with <see cref="StartLine"/>.
    /// </summary>
    public int Column { get; private set; }

    /// <summary>
    /// At least <paramref name="octets"/> free octets, at most <see cref="Chunk"/> may be asked. Followed by <see cref="Advance"/>.
    /// </summary>
    public Span<byte> Reserve(int octets)
    {
        if (_span.Length - _used < octets)
        {
            Flush();
            _span = _output.GetSpan(Math.Max(octets, Chunk));
        }
        return _span[_used..];
    }

    public void Advance(int octets)
    {
        _used += octets;
        Column += octets;
    }

    public void Write(scoped ReadOnlySpan<byte> octets)
    {
        while (octets.Length > Chunk)
        {
            octets[..Chunk].CopyTo(Reserve(Chunk));
            Advance(Chunk);
            octets = octets[Chunk..];
        }
        octets.CopyTo(Reserve(octets.Length));
        Advance(octets.Length);
    }

    public void Write(byte octet)
    {
        Reserve(1)[0] = octet;
        Advance(1);
    }

    /// <summary>Text that is known to be ASCII.</summary>
    public void WriteAscii(scoped ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            var part = text[..Math.Min(text.Length, Chunk)];
            Ascii.FromUtf16(part, Reserve(part.Length), out var written);
            Advance(written);
            text = text[part.Length..];
        }
    }

    /// <summary>Short text in any script, as UTF-8: only for addresses under SMTPUTF8.</summary>
    public void WriteUtf8(scoped ReadOnlySpan<char> text) =>
        Advance(Encoding.UTF8.GetBytes(text, Reserve(Encoding.UTF8.GetMaxByteCount(text.Length))));

    /// <summary>A mark and two hexadecimal digits: <c>=C3</c>, <c>%C3</c>.</summary>
    public void WriteHex(byte mark, byte octet)
    {
        var target = Reserve(3);
        target[0] = mark;
        target[1] = HexDigits[octet >> 4];
        target[2] = HexDigits[octet & 0xF];
        Advance(3);
    }

    /// <summary>Sixteen hexadecimal digits.</summary>
    public void WriteHex(ulong number)
    {
        number.TryFormat(Reserve(16), out var written, "x16", CultureInfo.InvariantCulture);
        Advance(written);
    }

    public void WriteNumber(int number)
    {
        number.TryFormat(Reserve(16), out var written, default, CultureInfo.InvariantCulture);
        Advance(written);
    }

    static ReadOnlySpan<byte> HexDigits => "0123456789ABCDEF"u8;

    public void NewLine()
    {
        Write("\r\n"u8);
        Column = 0;
    }

    /// <summary>What was written last ended with a line end of its own.</summary>
    public void StartLine() => Column = 0;

    /// <summary>Goes on in the next line of the same header field (RFC 5322 §2.2.3).</summary>
    public void Fold()
    {
        Write("\r\n "u8);
        Column = 1;
    }

    public void Flush()
    {
        _output.Advance(_used);
        _used = 0;
        _span = default;
    }
}
