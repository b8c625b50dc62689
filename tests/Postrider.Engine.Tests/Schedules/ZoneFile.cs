using System.Buffers.Binary;

namespace Postrider.Engine.Tests.Schedules;

/// <summary>A time zone read from its file (RFC 9636) without the platform's reader: when its offset changed, and to what. What the tests
/// of the calendar are held to.</summary>
sealed class ZoneFile
{
    const int HeaderBytes = 44;

    readonly long[] _changes;    // Unix seconds, ascending
    readonly int[] _offsets;     // seconds from that change on
    readonly int _first;

    ZoneFile(long[] changes, int[] offsets, int first) => (_changes, _offsets, _first) = (changes, offsets, first);

    public static ZoneFile Read(string name)
    {
        var data = File.ReadAllBytes(Path.Combine("/usr/share/zoneinfo", name)).AsSpan();
        // The first block has 32-bit instants; the second one, after it, all of them.
        var old = Counts(data);
        var second = data[(HeaderBytes + old.Times * 5 + old.Types * 6 + old.Characters + old.Leaps * 8 + old.Standard + old.Utc)..];
        var counts = Counts(second);
        var body = second[HeaderBytes..];
        var types = body[(counts.Times * 9)..];
        var (changes, offsets) = (new long[counts.Times], new int[counts.Times]);
        for (var i = 0; i < counts.Times; i++)
        {
            changes[i] = BinaryPrimitives.ReadInt64BigEndian(body[(i * 8)..]);
            offsets[i] = BinaryPrimitives.ReadInt32BigEndian(types[(body[counts.Times * 8 + i] * 6)..]);
        }
        return new ZoneFile(changes, offsets, BinaryPrimitives.ReadInt32BigEndian(types));
    }

    /// <summary>When the offset really changed.</summary>
    public IEnumerable<DateTimeOffset> Changes(DateTimeOffset from, DateTimeOffset until)
    {
        for (var i = 0; i < _changes.Length; i++)
            if (_changes[i] >= from.ToUnixTimeSeconds() && _changes[i] < until.ToUnixTimeSeconds()
                && _offsets[i] != (i == 0 ? _first : _offsets[i - 1]))
                yield return DateTimeOffset.FromUnixTimeSeconds(_changes[i]);
    }

    public TimeSpan OffsetAt(DateTimeOffset instant)
    {
        var i = Array.BinarySearch(_changes, instant.ToUnixTimeSeconds());
        i = i < 0 ? ~i - 1 : i;
        return TimeSpan.FromSeconds(i < 0 ? _first : _offsets[i]);
    }

    static (int Utc, int Standard, int Leaps, int Times, int Types, int Characters) Counts(ReadOnlySpan<byte> header)
    {
        Span<int> counts = stackalloc int[6];
        for (var i = 0; i < 6; i++)
            counts[i] = BinaryPrimitives.ReadInt32BigEndian(header[(20 + i * 4)..]);
        return (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }
}
