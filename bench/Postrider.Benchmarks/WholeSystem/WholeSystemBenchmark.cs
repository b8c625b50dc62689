namespace Postrider.Benchmarks.WholeSystem;

/// <summary>The benchmark of the whole system, side by side with Postfix: rounds in rotated order, then a table, JSON and
/// <c>bench/RESULTS.md</c>.</summary>
static class WholeSystemBenchmark
{
    /// <summary>Arguments: <c>--short</c> (shows that it runs), <c>--rounds N</c>, <c>--only TEXT</c> (scenarios whose name holds it;
    /// nothing is written),
    /// <c>--folder PATH</c> (where databases and queues are; default: under <c>artifacts</c>).</summary>
    public static async Task RunAsync(string[] arguments, CancellationToken ct)
    {
        var scale = arguments.Contains("--short") ? Scale.Short : Scale.Full;
        if (Option(arguments, "--rounds") is { } rounds)
            scale = scale with { Rounds = int.Parse(rounds, System.Globalization.CultureInfo.InvariantCulture) };
        var only = Option(arguments, "--only");
        var root = Directory.CreateDirectory(Option(arguments, "--folder") ?? Path.Combine(Repository, "artifacts", "bench-run")).FullName;
        var measured = new Measurements();
        var steal = 0.0;
        for (var round = 0; round < scale.Rounds; round++)
        {
            var folder = Path.Combine(root, FormattableString.Invariant($"{TimeProvider.System.GetUtcNow():HHmmss}-{round}"));
            var scenarios = new Scenarios(folder, scale, measured).All
                .Where(scenario => only is null || scenario.Name.Contains(only, StringComparison.Ordinal)).ToList();
            // Each round begins elsewhere, so that no measurement always follows the same one.
            var shift = round * scenarios.Count / scale.Rounds;
            foreach (var (name, run) in scenarios.Skip(shift).Concat(scenarios.Take(shift)))
            {
                Console.Error.WriteLine($"round {round + 1} of {scale.Rounds}: {name}");
                var before = Machine.CpuTimes();
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(TimeSpan.FromMinutes(5));
                await run(limit.Token);
                steal = Math.Max(steal, Machine.StealSince(before));
                Directory.Delete(root, recursive: true); // the disk has other things to do
            }
        }
        var report = new Report(Machine.Describe(Repository), scale, steal, measured);
        Console.WriteLine(report.Table);
        if (only is null && scale != Scale.Short)
            await report.WriteAsync(Path.Combine(Repository, "bench"), ct);
    }

    // artifacts/bin/Postrider.Benchmarks/release → the repository.
    static string Repository => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    static string? Option(string[] arguments, string name) =>
        Array.IndexOf(arguments, name) is var at and >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
}
