using System.Globalization;

namespace Postrider.Messages;

/// <summary>A message's key: one 63-bit time-ordered integer, shown to the world as a UUIDv7 that is computed from it and back.</summary>
/// <remarks>
/// Layout, high to low: 43 bits Unix milliseconds (until the year 2248), 12 bits counter, 8 bits node.
/// The UUID carries the same 63 bits (RFC 9562 §5.7: 48 bits time, counter in rand_a, node at the top of rand_b) and fills the other
/// 54 bits with a check computed from them, so a UUID that we did not make is recognised as foreign without asking the store.
/// </remarks>
public readonly record struct MessageId(long Value)
{
    const int NodeBits = 8;
    const int CounterBits = 12;

    /// <summary>Distance between two ids of the same node made one after the other:
    /// a batch's row r has the id batch + (r + 1) × Stride.</summary>
    public const long Stride = 1L << NodeBits;

    public static MessageId Create(long unixMilliseconds, int counter, byte node) =>
        new((unixMilliseconds << (CounterBits + NodeBits)) | ((long)counter << NodeBits) | node);

    /// <summary>When the id was made, to the millisecond. For rows of a large batch a little later than the batch:
    /// ids run ahead of the clock.</summary>
    public DateTimeOffset At => DateTimeOffset.FromUnixTimeMilliseconds(Value >> (CounterBits + NodeBits));

    /// <summary>The id <paramref name="rows"/> places further on, of the same node.</summary>
    public MessageId Plus(long rows) => new(Value + rows * Stride);

    public Guid ToGuid()
    {
        var milliseconds = (ulong)Value >> (CounterBits + NodeBits);
        var counter = ((ulong)Value >> NodeBits) & 0xFFF;
        var node = (ulong)Value & 0xFF;
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, (milliseconds << 16) | 0x7000 | counter);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (0b10UL << 62) | (node << 54) | Check((ulong)Value));
        return new Guid(bytes, bigEndian: true);
    }

    public override string ToString() => ToGuid().ToString();

    /// <summary>Reads the public form. False for anything that is not a UUID of ours, whether or not the message exists.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MessageId id)
    {
        id = default;
        return Guid.TryParseExact(text, "D", out var guid) && TryFromGuid(guid, out id);
    }

    public static bool TryFromGuid(Guid guid, out MessageId id)
    {
        Span<byte> bytes = stackalloc byte[16];
        guid.TryWriteBytes(bytes, bigEndian: true, out _);
        var high = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes);
        var low = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        var value = ((high >> 16) << (CounterBits + NodeBits)) | ((high & 0xFFF) << NodeBits) | ((low >> 54) & 0xFF);
        id = new MessageId((long)value);
        return (long)value >= 0 && id.ToGuid() == guid;
    }

    // SplitMix64's finaliser (Steele, Lea, Flood 2014), its low 54 bits. No secret: ids are not credentials,
    // every read is filtered by tenant.
    static ulong Check(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return (value ^ (value >> 31)) & ((1UL << 54) - 1);
    }
}

/// <summary>One address of a message: the message's key and its place among the recipients, from 0. Shown as <c>uuid-n</c>.</summary>
public readonly record struct RecipientId(MessageId Message, int N)
{
    /// <summary>Reads the public form; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out RecipientId id)
    {
        const int uuid = 36;
        id = default;
        if (text.Length <= uuid + 1 || text[uuid] != '-' || !MessageId.TryParse(text[..uuid], out var message)
            || !int.TryParse(text[(uuid + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var n))
            return false;
        id = new RecipientId(message, n);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Message}-{N}");
}

/// <summary>The recipients of one message that travel together: the message's key and the lowest recipient number that was put in
/// it.</summary>
public readonly record struct EnvelopeId(MessageId Message, int N)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Message}-{N}");
}

/// <summary>Whose mail it is: everything that is stored or read belongs to exactly one.</summary>
public readonly record struct TenantId(int Value)
{
    /// <summary>The tenant that exists from the start.</summary>
    public static readonly TenantId First = new(1);

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Makes the ids of one node: strictly increasing, ahead of the clock where more than 4,096 are made in a millisecond.</summary>
public sealed class MessageIds(TimeProvider clock, byte node = 0)
{
    readonly Lock _lock = new();
    long _last; // the last id given out; guarded by _lock
    byte _node = node; // guarded by _lock

    public MessageId Next() => Reserve(1);

    /// <summary>Takes <paramref name="count"/> ids in a row; the first is returned,
    /// the others are <see cref="MessageId.Plus"/> of it.</summary>
    public MessageId Reserve(long count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var milliseconds = clock.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_lock)
        {
            var now = MessageId.Create(milliseconds, 0, _node).Value;
            var first = Math.Max(now, _last + MessageId.Stride);
            _last = first + (count - 1) * MessageId.Stride;
            return new MessageId(first);
        }
    }

    /// <summary>Continues after ids that are already stored, so that a clock set back cannot make one twice.</summary>
    public void ContinueAfter(MessageId stored)
    {
        lock (_lock)
            _last = Math.Max(_last, OfNode_NeedsLock(stored.Value));
    }

    /// <summary>The node has another number now.</summary>
    public void MoveTo(byte node)
    {
        lock (_lock)
        {
            _node = node;
            _last = OfNode_NeedsLock(_last);
        }
    }

    long OfNode_NeedsLock(long id) => (id & ~(MessageId.Stride - 1)) | _node;
}
