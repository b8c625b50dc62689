using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>The stored form of an envelope's <see cref="TransportHistory"/>; nothing at all for the empty one, which most have.</summary>
static class HistoryCodec
{
    const byte Version = 1;

    [Flags]
    enum Parts : byte { None = 0, PossibleDuplicate = 1, Pinned = 2, Last = 4, Placed = 8 }

    public static byte[]? Encode(TransportHistory history)
    {
        if (history is { RefusedBy.Count: 0, FailedThisRound.Count: 0, PinnedTo: null, Last: null, PossibleDuplicate: false })
            return null;
        using var to = new FieldWriter(128);
        to.Byte(Version);
        to.Byte((byte)((history.PossibleDuplicate ? Parts.PossibleDuplicate : 0)
            | (history.PinnedTo is null ? 0 : Parts.Pinned) | (history.Last is null ? 0 : Parts.Last)
            | (history is { PinnedTo: not null, PinnedPlace: not 0 } ? Parts.Placed : 0)));
        if (history.PinnedTo is not null)
            to.Text(history.PinnedTo);
        if (history.Last is not null)
            to.Text(history.Last);
        WriteNames(to, history.RefusedBy);
        WriteNames(to, history.FailedThisRound);
        if (history is { PinnedTo: not null, PinnedPlace: not 0 and var place })
            to.Number((ulong)place);
        return to.Written.ToArray();
    }

    /// <summary>Null when it cannot be read: damaged, or of a newer Postrider. Rules that run over many rows must not stop at
    /// one.</summary>
    public static TransportHistory? TryDecode(byte[]? data)
    {
        try
        {
            return Decode(data);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <exception cref="InvalidDataException">It cannot be read.</exception>
    public static TransportHistory Decode(byte[]? data)
    {
        if (data is null)
            return TransportHistory.Empty;
        var from = new FieldReader(data);
        if (from.Byte() is not Version and var version)
            throw new InvalidDataException(
                $"A stored transport history has format {version}, made by a newer Postrider; this one knows up to {Version}.");
        var parts = (Parts)from.Byte();
        return new TransportHistory
        {
            PossibleDuplicate = parts.HasFlag(Parts.PossibleDuplicate),
            PinnedTo = parts.HasFlag(Parts.Pinned) ? from.Text() : null,
            Last = parts.HasFlag(Parts.Last) ? from.Text() : null,
            RefusedBy = ReadNames(ref from),
            FailedThisRound = ReadNames(ref from),
            PinnedPlace = parts.HasFlag(Parts.Placed) ? (long)from.Number() : 0,
        };
    }

    static void WriteNames(FieldWriter to, IReadOnlyList<string> names)
    {
        to.Number(names.Count);
        foreach (var name in names)
            to.Text(name);
    }

    static List<string> ReadNames(ref FieldReader from)
    {
        var count = from.Int();
        if (count == 0)
            return [];
        var names = new List<string>();
        for (; count > 0; count--)
            names.Add(from.Text());
        return names;
    }
}
