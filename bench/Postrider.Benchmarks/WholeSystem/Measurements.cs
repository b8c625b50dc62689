namespace Postrider.Benchmarks.WholeSystem;

/// <summary>All samples of a run, by metric.</summary>
sealed class Measurements
{
    readonly Dictionary<string, List<double>> _samples = [];

    public IReadOnlyDictionary<string, List<double>> Samples => _samples;

    public void Add(string metric, double value)
    {
        if (!_samples.TryGetValue(metric, out var samples))
            _samples[metric] = samples = [];
        samples.Add(value);
        Console.Error.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"    {metric} = {value:0.###}"));
    }

    /// <summary>Null when it was not measured.</summary>
    public double? Median(string metric) => _samples.TryGetValue(metric, out var samples) ? Percentile(samples, 50) : null;

    /// <summary>Nearest rank.</summary>
    public static double Percentile(IEnumerable<double> samples, double percent)
    {
        var sorted = samples.Order().ToList();
        return sorted.Count == 0 ? double.NaN
            : sorted[Math.Clamp((int)Math.Ceiling(percent / 100 * sorted.Count) - 1, 0, sorted.Count - 1)];
    }
}
