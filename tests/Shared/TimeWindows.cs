namespace Postrider.Testing;

/// <summary>How many instants lie close together: what a rate is judged by. Instants are in order, counted from any one
/// beginning.</summary>
public static class TimeWindows
{
    /// <summary>The fullest window of this length, wherever it begins.</summary>
    public static int Most(IReadOnlyList<TimeSpan> instants, TimeSpan window)
    {
        var most = 0;
        for (int first = 0, last = 0; last < instants.Count; last++)
        {
            while (instants[last] - instants[first] >= window)
                first++;
            most = Math.Max(most, last - first + 1);
        }
        return most;
    }

    /// <summary>Of windows that lie within, one beginning every 100 ms.</summary>
    public static IReadOnlyList<int> Counts(IReadOnlyList<TimeSpan> instants, TimeSpan window)
    {
        var counts = new List<int>();
        for (var from = instants[0]; from + window <= instants[^1]; from += TimeSpan.FromMilliseconds(100))
            counts.Add(instants.Count(at => at >= from && at < from + window));
        return counts;
    }
}
