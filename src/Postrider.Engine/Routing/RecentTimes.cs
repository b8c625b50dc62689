namespace Postrider.Routing;

/// <summary>How long the newest tries took, from their start to the other side's answer.</summary>
/// <param name="Median">Half of them took no longer.</param>
/// <param name="Slow">95 of 100 took no longer.</param>
public readonly record struct TryTimes(TimeSpan Median, TimeSpan Slow);

/// <summary>Keeps how long the newest tries took. Not thread-safe.</summary>
sealed class RecentTimes
{
    /// <summary>Enough for a 95th percentile that means something, and half a kilobyte for each transport.</summary>
    const int Kept = 128;

    readonly Queue<float> _milliseconds = new();

    public void Add(TimeSpan took)
    {
        if (_milliseconds.Count == Kept)
            _milliseconds.Dequeue();
        _milliseconds.Enqueue((float)took.TotalMilliseconds);
    }

    /// <summary>Null before the first.</summary>
    public TryTimes? Read()
    {
        if (_milliseconds.Count == 0)
            return null;
        var sorted = _milliseconds.ToArray();
        Array.Sort(sorted);
        return new TryTimes(At(0.5), At(0.95));

        // The nearest rank: a time that one of them really took.
        TimeSpan At(double share) => TimeSpan.FromMilliseconds(sorted[(int)Math.Ceiling(share * sorted.Length) - 1]);
    }
}
