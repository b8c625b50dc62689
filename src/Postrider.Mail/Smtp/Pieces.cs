using System.Buffers;

namespace Postrider.Mail.Smtp;

/// <summary>Content that lies in two places, sent as one without being copied together: a signature and the message below it.</summary>
public static class Pieces
{
    /// <summary>The first, then the second.</summary>
    public static ReadOnlySequence<byte> Of(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second)
    {
        if (first.IsEmpty)
            return new ReadOnlySequence<byte>(second);
        var start = new Segment(first, 0, null);
        var end = new Segment(second, first.Length, start);
        return new ReadOnlySequence<byte>(start, 0, end, second.Length);
    }

    /// <summary>One piece of two.</summary>
    sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long at, Segment? before)
        {
            Memory = memory;
            RunningIndex = at;
            before?.Next = this;
        }
    }
}
