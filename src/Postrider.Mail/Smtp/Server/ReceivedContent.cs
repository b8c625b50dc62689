using System.Buffers;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What all messages being received hold in memory together.</summary>
sealed class ContentMemory(long limit)
{
    long _used;

    public bool TryTake(long octets)
    {
        if (Interlocked.Add(ref _used, octets) <= limit)
            return true;
        Interlocked.Add(ref _used, -octets);
        return false;
    }

    /// <summary>Takes what is there in any case.</summary>
    public void Hold(long octets) => Interlocked.Add(ref _used, octets);

    public void Return(long octets) => Interlocked.Add(ref _used, -octets);
}

/// <summary>One message while it is received; in discarding, it takes everything and keeps nothing.</summary>
/// <param name="limit">Octets; with more of them it starts discarding.</param>
sealed class ReceivedContent(ContentMemory memory, long limit) : IBufferWriter<byte>, IDisposable
{
    // Most mails fit the first piece; a large one is copied a few times while it doubles.
    const int FirstPiece = 16 * 1024;
    const int ScratchOctets = 4096;

    byte[] _buffer = [];
    int _length;
    int _detached;

    /// <summary>Why it discards; <see langword="null"/>: it keeps.</summary>
    public SmtpReply? Refusal { get; private set; }

    /// <summary>Octets thrown away since it discards.</summary>
    public long Discarded { get; private set; }

    public ReadOnlySpan<byte> Octets => _buffer.AsSpan(0, _length);

    /// <summary>From now on nothing is kept; the first reason stays.</summary>
    public void Refuse(SmtpReply why)
    {
        if (Refusal is not null)
            return;
        Refusal = why;
        Release();
        _buffer = ArrayPool<byte>.Shared.Rent(ScratchOctets);
    }

    /// <summary>What was received, on its own: the pooled memory is for the next one. It counts as held until this is disposed, for as
    /// long it is in memory: a store that is slow must not fill it with what waits.</summary>
    public byte[] Detach()
    {
        var octets = Octets.ToArray();
        Release();
        _detached = octets.Length;
        memory.Hold(_detached);
        return octets;
    }

    public void Advance(int count)
    {
        if (Refusal is not null)
            Discarded += count;
        else if ((_length += count) > limit)
            Refuse(SmtpReplies.TooLarge(limit));
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var wanted = Math.Max(sizeHint, 1);
        if (Refusal is null && _buffer.Length - _length < wanted)
            Grow(wanted);
        if (Refusal is not null && _buffer.Length < wanted)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = ArrayPool<byte>.Shared.Rent(wanted);
        }
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Dispose()
    {
        if (Refusal is null)
            Release();
        else
            ArrayPool<byte>.Shared.Return(_buffer);
        memory.Return(_detached);
        (_buffer, _length, _detached) = ([], 0, 0);
        Refusal ??= SmtpReplies.NoMemory;
    }

    void Grow(int wanted)
    {
        var size = Math.Max(Math.Max(FirstPiece, _buffer.Length * 2), _length + wanted);
        if (!memory.TryTake(size))
        {
            Refuse(SmtpReplies.NoMemory);
            return;
        }
        var larger = ArrayPool<byte>.Shared.Rent(size);
        // What was taken is what the array has: that much is returned.
        memory.Return(size - larger.Length);
        Octets.CopyTo(larger);
        var length = _length;
        Release();
        (_buffer, _length) = (larger, length);
    }

    void Release()
    {
        if (_buffer.Length > 0)
        {
            memory.Return(_buffer.Length);
            ArrayPool<byte>.Shared.Return(_buffer);
        }
        (_buffer, _length) = ([], 0);
    }
}
