using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Storage.Moving;

/// <summary>Counts rows and adds up their hashes, whatever their order: equal on both sides, or a row differs.</summary>
/// <remarks>A value is a <see cref="long"/>, a <see cref="string"/>, bytes or null, whatever the engine calls its type. A sum of 128 bits
/// of SHA-256: no two accidents cancel each other out.</remarks>
sealed class RowSum
{
    readonly ArrayBufferWriter<byte> _row = new();

    public long Rows { get; private set; }
    public UInt128 Sum { get; private set; }

    public void Add(ReadOnlySpan<object?> values)
    {
        _row.ResetWrittenCount();
        foreach (var value in values)
            Write(value);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_row.WrittenSpan, hash);
        Sum = unchecked(Sum + BinaryPrimitives.ReadUInt128LittleEndian(hash));
        Rows++;
    }

    // Each value with its kind and length: no two rows have the same bytes.
    void Write(object? value)
    {
        Span<byte> head = stackalloc byte[9];
        head[0] = 0;
        switch (value)
        {
            case null:
                _row.Write(head[..1]);
                break;
            case long number:
                head[0] = 1;
                BinaryPrimitives.WriteInt64LittleEndian(head[1..], number);
                _row.Write(head);
                break;
            case string text:
                WriteBytes(2, Encoding.UTF8.GetBytes(text), head);
                break;
            case byte[] bytes:
                WriteBytes(3, bytes, head);
                break;
            default:
                throw new InvalidOperationException($"No value of a row: {value.GetType()}.");
        }
    }

    void WriteBytes(byte kind, byte[] bytes, Span<byte> head)
    {
        head[0] = kind;
        BinaryPrimitives.WriteInt64LittleEndian(head[1..], bytes.Length);
        _row.Write(head);
        _row.Write(bytes);
    }
}

/// <summary>Rows that some tables get beside others, of one piece of the copy.</summary>
sealed class DerivedRows
{
    /// <summary>State, message, n: recipients that are held, or ended otherwise than sent.</summary>
    public List<object?[]> Ended { get; } = [];

    /// <summary>Hash, message.</summary>
    public List<object?[]> Tagged { get; } = [];

    public void Clear()
    {
        Ended.Clear();
        Tagged.Clear();
    }
}
