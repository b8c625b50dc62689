using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Batches;

/// <summary>What the lines of an upload were so far, so that a call sent again can be compared where the one before it broke: a chain, each
/// link made of the one before it and of a line as it came.</summary>
public sealed class UploadFingerprint
{
    readonly ArrayBufferWriter<byte> _link = new();

    /// <summary>The first half of SHA-256; 0 before the first line.</summary>
    public UInt128 Value { get; private set; }

    public void Add(IReadOnlyList<string> fields)
    {
        _link.ResetWrittenCount();
        BinaryPrimitives.WriteUInt128LittleEndian(_link.GetSpan(16), Value);
        _link.Advance(16);
        foreach (var field in fields)
        {
            // With its length, or what two fields are made of could be divided otherwise.
            BinaryPrimitives.WriteInt32LittleEndian(_link.GetSpan(4), field.Length);
            _link.Advance(4);
            Encoding.UTF8.GetBytes(field, _link);
        }
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_link.WrittenSpan, hash);
        Value = BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
