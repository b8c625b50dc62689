using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace Postrider.Events;

/// <summary>A place in the log of events, after what was read. Callers hold its text and do not look into it.</summary>
/// <param name="Transaction">Where several nodes write: the transaction that wrote the row. Else 0.</param>
/// <param name="Id">The row's.</param>
/// <param name="Part">Of the events that one row tells, the last one read.</param>
public readonly record struct EventCursor(long Transaction, long Id, int Part)
{
    const byte Version = 1;
    const int Bytes = 1 + 8 + 8 + 4 + 2;

    /// <summary>Before all that is kept.</summary>
    public static readonly EventCursor Start;

    /// <summary>After all parts of a row.</summary>
    public static EventCursor After(long transaction, long id) => new(transaction, id, int.MaxValue);

    /// <summary>Letters, digits, "-" and "_".</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes[1..], Transaction);
        BinaryPrimitives.WriteInt64BigEndian(bytes[9..], Id);
        BinaryPrimitives.WriteInt32BigEndian(bytes[17..], Part);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[21..], Check(bytes[..21]));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>False for what <see cref="ToString"/> did not write.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out EventCursor cursor)
    {
        cursor = default;
        Span<byte> bytes = stackalloc byte[Bytes];
        if (text is null || text.Length != Base64Url.GetEncodedLength(Bytes)
            || !Base64Url.TryDecodeFromChars(text, bytes, out var length) || length != Bytes
            || bytes[0] != Version || BinaryPrimitives.ReadUInt16BigEndian(bytes[21..]) != Check(bytes[..21]))
            return false;
        cursor = new EventCursor(
            BinaryPrimitives.ReadInt64BigEndian(bytes[1..]), BinaryPrimitives.ReadInt64BigEndian(bytes[9..]),
            BinaryPrimitives.ReadInt32BigEndian(bytes[17..]));
        return cursor is { Transaction: >= 0, Id: >= 0, Part: >= 0 };
    }

    // Against slips, not against forgers: whatever it says, only the caller's own events are read. FNV-1a, folded.
    static ushort Check(ReadOnlySpan<byte> bytes)
    {
        var hash = 2166136261;
        foreach (var b in bytes)
            hash = (hash ^ b) * 16777619;
        return (ushort)(hash ^ (hash >> 16));
    }
}
