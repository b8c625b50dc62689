using System.Buffers;
using System.Security.Cryptography;

namespace Postrider.Mail.Dkim;

/// <summary>Hashes what is written to it (SHA-256) through one small buffer, however long it is.</summary>
sealed class HashingWriter : IBufferWriter<byte>, IDisposable
{
    // The canonical form of a 2 KB mail in one piece; more gained nothing.
    const int BufferBytes = 4096;

    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    int _length;

    /// <summary>The hash of everything since the last call.</summary>
    public void Finish(Span<byte> hash)
    {
        Hand();
        _hash.GetHashAndReset(hash);
    }

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(_length);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _hash.Dispose();
    }

    void Reserve(int size)
    {
        size = Math.Max(size, 1);
        if (_buffer.Length - _length >= size)
            return;
        Hand();
        if (_buffer.Length >= size)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = ArrayPool<byte>.Shared.Rent(size);
    }

    void Hand()
    {
        _hash.AppendData(_buffer, 0, _length);
        _length = 0;
    }
}
