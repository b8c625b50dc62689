namespace Postrider.Retention;

/// <summary>How large the data in the database was.</summary>
/// <param name="Bytes">In use: on SQLite without the free pages of its file, which are used again.</param>
public readonly record struct StoreSize(DateTimeOffset At, long Bytes);

/// <summary>The sizes of the last days, an hour apart.</summary>
public interface IStoreSizes
{
    /// <summary>Notes how large it is now, unless that was noted within the hour.</summary>
    Task NoteAsync(DateTimeOffset now);

    /// <summary>How large it is now. On PostgreSQL it asks for the size of every file: only for somebody who looks.</summary>
    Task<long> SizeAsync(CancellationToken ct);

    /// <summary>Oldest first.</summary>
    Task<IReadOnlyList<StoreSize>> ListAsync(CancellationToken ct);

    /// <summary>Bytes that the database can take without more of the disk. On PostgreSQL 0.</summary>
    Task<long> ReusableBytesAsync(CancellationToken ct);

    /// <summary>Whether the database lies on this node's disk; where not, nobody here knows how much room it has.</summary>
    bool IsOnThisDisk { get; }
}

/// <summary>When the disk is full if the database grows on as it has.</summary>
/// <param name="Bytes">The data, as it was noted last; null: it was not yet.</param>
/// <param name="BytesPerDay">Null: too little is known. Below zero: it shrinks.</param>
/// <param name="RoomBytes">What it may still grow by; null: not known.</param>
/// <param name="FullIn">Null: it does not grow, or too little is known.</param>
public sealed record DiskForecast(long? Bytes, double? BytesPerDay, long? RoomBytes, TimeSpan? FullIn)
{
    /// <summary>Below it a morning looks like a month.</summary>
    static readonly TimeSpan LeastSpan = TimeSpan.FromHours(12);

    /// <summary>More is no forecast.</summary>
    static readonly TimeSpan Farthest = TimeSpan.FromDays(3_650);

    /// <param name="sizes">Oldest first.</param>
    /// <param name="room">Free bytes of the disk and of the database's own file, less what must stay free; null: not known.</param>
    public static DiskForecast Of(IReadOnlyList<StoreSize> sizes, long? room)
    {
        long? last = sizes is [.., var newest] ? newest.Bytes : null;
        var perDay = BytesPerDayOf(sizes);
        var full = perDay is > 0 && room is { } bytes ? Math.Max(0, bytes) / perDay : null;
        return new DiskForecast(last, perDay, room,
            full is { } days && days < Farthest.TotalDays ? TimeSpan.FromDays(days) : null);
    }

    /// <summary>The slope of the line that lies nearest (least squares): neither one night's retention nor one large batch decides
    /// alone.</summary>
    static double? BytesPerDayOf(IReadOnlyList<StoreSize> sizes)
    {
        if (sizes.Count < 2 || sizes[^1].At - sizes[0].At < LeastSpan)
            return null;
        var (meanAt, meanBytes) = (sizes.Average(size => Days(size)), sizes.Average(size => (double)size.Bytes));
        var (sum, squares) = (0.0, 0.0);
        foreach (var size in sizes)
        {
            sum += (Days(size) - meanAt) * (size.Bytes - meanBytes);
            squares += (Days(size) - meanAt) * (Days(size) - meanAt);
        }
        return sum / squares;

        double Days(StoreSize size) => (size.At - sizes[0].At).TotalDays;
    }
}
