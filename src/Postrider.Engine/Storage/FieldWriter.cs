using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Postrider.Storage;

/// <summary>A place in a <see cref="FieldWriter"/>'s buffer.</summary>
readonly record struct Slice(int Start, int Length);

/// <summary>Collects the bytes of a row before it reaches the writer: numbers as varints, texts as UTF-8 with their length, in one pooled
/// buffer.</summary>
sealed class FieldWriter : IDisposable
{
    byte[] _buffer;
    int _length;

    public FieldWriter(int capacity = 512) => _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length => _length;
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);
    public ReadOnlySpan<byte> this[Slice slice] => _buffer.AsSpan(slice.Start, slice.Length);

    /// <summary>From <paramref name="start"/> to what was written last.</summary>
    public Slice Since(int start) => new(start, _length - start);

    public void Byte(byte value)
    {
        Reserve(1);
        _buffer[_length++] = value;
    }

    /// <summary>LEB128: seven bits a byte, low ones first.</summary>
    public void Number(ulong value)
    {
        Reserve(10);
        while (value >= 0x80)
        {
            _buffer[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _buffer[_length++] = (byte)value;
    }

    public void Number(int value) => Number((ulong)value);

    /// <summary>The length, then the UTF-8. Half surrogates become U+FFFD.</summary>
    public void Text(ReadOnlySpan<char> text)
    {
        if (text.Length < 32)
        {
            // At most 3 bytes a UTF-16 unit, so the length fits one varint byte and one pass is enough.
            Reserve(1 + 3 * text.Length);
            Utf8.FromUtf16(text, _buffer.AsSpan(_length + 1), out _, out var written);
            _buffer[_length] = (byte)written;
            _length += 1 + written;
            return;
        }
        Number(Encoding.UTF8.GetByteCount(text));
        Raw(text);
    }

    /// <summary>The UTF-8 alone, to be bound to a statement.</summary>
    public Slice Raw(ReadOnlySpan<char> text)
    {
        var start = _length;
        Reserve(3 * text.Length);
        Utf8.FromUtf16(text, _buffer.AsSpan(_length), out _, out var written);
        _length += written;
        return new Slice(start, written);
    }

    /// <summary>The length, then the bytes.</summary>
    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Number(bytes.Length);
        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    void Reserve(int count)
    {
        if (_buffer.Length - _length >= count)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + count));
        Written.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}

/// <summary>Reads what <see cref="FieldWriter"/> wrote. Anything malformed is an <see cref="InvalidDataException"/>: stored bytes are
/// ours.</summary>
ref struct FieldReader(ReadOnlyMemory<byte> data)
{
    readonly ReadOnlyMemory<byte> _data = data;
    int _at;

    public readonly bool AtEnd => _at == _data.Length;

    public byte Byte() => _at < _data.Length ? _data.Span[_at++] : throw Malformed();

    public ulong Number()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
        throw Malformed();
    }

    /// <summary>A length, count or small number.</summary>
    public int Int() => Number() is <= int.MaxValue and var value ? (int)value : throw Malformed();

    public string Text() => Encoding.UTF8.GetString(Bytes().Span);

    public ReadOnlyMemory<byte> Bytes()
    {
        var length = Int();
        if (length > _data.Length - _at)
            throw Malformed();
        _at += length;
        return _data.Slice(_at - length, length);
    }

    static InvalidDataException Malformed() => new("A stored record ends too soon or holds an impossible number: the database is damaged.");
}
