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
        var machine = Machine.Describe(Repository);
        var steal = 0.0;
        for (var round = 0; round < scale.Rounds; round++)
        {
            var folder = Path.Combine(root, FormattableString.Invariant($"{TimeProvider.System.GetUtcNow():HHmmss}-{round}"));
            foreach (var scenario in Order(new Scenarios(folder, scale, measured).Groups, round, scale.Rounds))
            {
                if (only is not null && !scenario.Name.Contains(only, StringComparison.Ordinal))
                    continue;
                Console.Error.WriteLine($"round {round + 1} of {scale.Rounds}: {scenario.Name}");
                var before = Machine.CpuTimes();
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(scenario.Limit);
                await scenario.RunAsync(limit.Token);
                steal = Math.Max(steal, Machine.StealSince(before));
                if (Directory.Exists(folder))
                    Directory.Delete(folder, recursive: true); // the disk has other things to do
            }
        }
        var report = new Report(machine, scale, steal, measured);
        Console.WriteLine(report.Table);
        if (only is null && scale != Scale.Short)
            await report.WriteAsync(Path.Combine(Repository, "bench"), ct);
    }

    /// <summary>Each round begins elsewhere, and every other one has the pairs the other way round: nothing always follows the same
    /// thing.</summary>
    static IEnumerable<Scenario> Order(IReadOnlyList<IReadOnlyList<Scenario>> groups, int round, int rounds)
    {
        var first = round * groups.Count / rounds;
        return groups.Skip(first).Concat(groups.Take(first)).SelectMany(group => round % 2 == 0 ? group : group.Reverse());
    }

    // artifacts/bin/Postrider.Benchmarks/release → the repository.
    static string Repository => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    static string? Option(string[] arguments, string name) =>
        Array.IndexOf(arguments, name) is var at and >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
}
