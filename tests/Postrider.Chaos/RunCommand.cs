using System.CommandLine;
using System.Reflection;
using Postrider.Chaos.Books;
using Postrider.Chaos.Report;
using Postrider.Chaos.Scenarios;

namespace Postrider.Chaos;

/// <summary>The command <c>run</c>: plays scenarios, prints what came of each, and keeps the report.</summary>
static class RunCommand
{
    static readonly IReadOnlyList<Scenario> All =
    [
        new Demonstration(), new Row01Kill(), new Row02KillInEveryWindow(), new Row03PowerLoss(), new Row04SyncFailure(),
        new Row05DiskFull(), new Row06Stall(), new Row07Pauses(), new Row08Clock(), new Row09DatabaseRestart(),
        new Row11LostCommitReply(), new Row12Partition(), new Row13BadNetwork(), new Row14AcceptThenDrop(), new Row15SlowReply(),
        new Row16OddReplies(), new Row17Flapping(), new Row20Damage(), new Row21SecondProcess(), new Row24Descriptors(),
        new Row27CancelRace(),
    ];

    public static Command Make()
    {
        var rows = new Option<string>("--rows") { Description = "Of the matrix, such as 1,3,all. Default: each." };
        var engine = new Option<string>("--engine") { Description = "sqlite or postgres. Default: both." };
        var full = new Option<bool>("--full") { Description = "With the bars of a full run: hours." };
        var controls = new Option<string>("--controls")
        {
            Description = "What must turn red: with, without, or only.",
            DefaultValueFactory = _ => "with",
        };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => (int)(Clock.Now & int.MaxValue) };
        var together = new Option<int>("--together") { Description = "Scenarios at a time.", DefaultValueFactory = _ => 1 };
        var report = new Option<string>("--report") { Description = "Where to write it: PATH.json and PATH.md. Rows not run now stay." };
        // From artifacts/bin/Postrider.Chaos/release.
        var binary = new Option<string>("--binary") { DefaultValueFactory = _ => FromHere("..", "..", "Postrider", "release", "postrider") };
        var folder = new Option<string>("--folder") { DefaultValueFactory = _ => FromHere("..", "..", "..", "chaos") };
        var command = new Command("run",
            "Faults against the built product; exit code 0 when nothing that was acknowledged is lost, every duplicate is explained, and "
            + "every negative control was seen red.") { rows, engine, full, controls, seed, together, report, binary, folder };
        command.SetAction(async (options, ct) =>
        {
            var jobs = JobsOf(options.GetValue(rows)?.Split(','), options.GetValue(engine), options.GetRequiredValue(controls)).ToList();
            var plan = new StagePlan(options.GetRequiredValue(binary), options.GetRequiredValue(folder), options.GetValue(seed),
                Engine.Sqlite, options.GetValue(full), false);
            var book = ReportFile.Open(options.GetValue(report) ?? Path.Combine(plan.Folder, "report"));
            Console.WriteLine($"seed {plan.Seed}");
            var unexpected = 0;
            await Parallel.ForEachAsync(jobs.Index(), new ParallelOptions
            {
                MaxDegreeOfParallelism = options.GetValue(together),
                CancellationToken = ct,
            }, async (job, _) =>
            {
                if (!await RunAsync(job.Item, job.Index, plan, book))
                    Interlocked.Increment(ref unexpected);
            });
            Console.WriteLine($"{jobs.Count - unexpected} of {jobs.Count} as expected");
            return unexpected == 0 && jobs.Count > 0 ? 0 : 1;
        });
        return command;
    }

    static IEnumerable<Job> JobsOf(string[]? rows, string? engine, string controls)
    {
        var only = engine is null ? (Engine?)null : Enum.Parse<Engine>(engine, ignoreCase: true);
        foreach (var scenario in All.Where(scenario => rows is null || rows.Contains(scenario.Row)))
        {
            foreach (var one in scenario.Engines.Where(one => (only ?? one) == one && controls != "only"))
                yield return new Job(scenario, one, false);
            foreach (var one in scenario.ControlEngines.Where(one => (only ?? one) == one && controls != "without"))
            {
                if (scenario.Control is not null)
                    yield return new Job(scenario, one, true);
            }
        }
    }

    /// <summary>False: not as expected.</summary>
    static async Task<bool> RunAsync(Job job, int number, StagePlan plan, ReportFile report)
    {
        var (scenario, engine, isControl) = job;
        if (scenario.Missing is { } missing)
        {
            Console.WriteLine($"{scenario.Row} {scenario.Name}: SKIPPED, needs {missing}");
            return Environment.GetEnvironmentVariable("POSTRIDER_CHECK") != "1";
        }
        var at = TimeProvider.System.GetUtcNow();
        var work = Path.Combine(plan.Folder, FormattableString.Invariant($"{at:HHmmss}-{number}-row-{scenario.Row}-{engine}"));
        Directory.CreateDirectory(work);
        var stage = new Stage(plan with { Folder = work, Engine = engine, IsControl = isControl });
        var verdict = new Verdict
        {
            Row = scenario.Row,
            Name = scenario.Name,
            Engine = engine == Engine.Sqlite ? "SQLite" : "PostgreSQL",
            Invariant = scenario.Invariant,
            Control = isControl ? scenario.Control : null,
            At = at,
            Version = Version,
            Seed = plan.Seed,
            Seconds = 0,
            Cycles = 0,
        };
        await using (stage)
        {
            try
            {
                await scenario.PlayAsync(stage);
                verdict = await JudgeAsync(stage, verdict);
            }
            catch (Exception e)
            {
                // A fault of the harness or of the system must not pass as one of the product, nor end the other scenarios.
                verdict = verdict with { Failure = e.ToString() };
            }
        }
        verdict = verdict with { Seconds = Math.Round((TimeProvider.System.GetUtcNow() - at).TotalSeconds, 1) };
        Console.WriteLine(verdict);
        if (!verdict.IsAsExpected)
            Console.WriteLine($"  its journals and the nodes' log are kept in {work}");
        stage.Clean(keepBooks: !verdict.IsAsExpected);
        report.Add(verdict);
        return verdict.IsAsExpected;
    }

    static async Task<Verdict> JudgeAsync(Stage stage, Verdict verdict)
    {
        verdict = verdict with
        {
            Cycles = stage.Cycles + stage.Strikes.Count,
            Broken = [.. stage.Broken],
            Notes = stage.Notes,
        };
        if (!stage.HasClient)
            return verdict;
        var checker = stage.Check();
        var stories = await stage.StoriesAsync(checker);
        var held = new List<string>();
        foreach (var lost in checker.Lost)
        {
            // Held for a person, with a reason, is not lost in silence.
            if (stage.Places.Count > 0 && await stage.Apis[0].Node.StateAsync(lost.Split(' ')[1]) == "held")
                held.Add(lost);
        }
        return verdict with
        {
            Submitted = checker.Submitted,
            Acknowledged = checker.Acknowledged.Count,
            Arrived = checker.Arrived,
            Distinct = checker.Distinct,
            Lost = [.. checker.Lost.Except(held)],
            Held = held.Count,
            Duplicates = checker.Explain(stories),
            WithoutOutcome = stories.Values.Sum(story => story.WithoutOutcome),
            Broken = [.. stage.Broken, .. TwiceThoughHeld(checker)],
            Failure = checker.Acknowledged.Count == 0 ? "nothing was acknowledged" : null,
        };
    }

    // At most once: whatever happens.
    static IEnumerable<string> TwiceThoughHeld(Checker checker) => checker.Arrivals.Values
        .Where(arrivals => arrivals.Count > 1 && arrivals[0].Recipient.Contains("@hold", StringComparison.Ordinal))
        .Select(arrivals => $"{arrivals[0].Recipient} arrived {arrivals.Count} times though on_ambiguous is hold");

    static string Version => (Assembly.GetExecutingAssembly()
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "").Split('+') is [var number, .. var commit]
        ? $"{number}{(commit is [{ Length: > 7 } hash, ..] ? $" ({hash[..8]})" : "")}" : "";

    static string FromHere(params string[] path) => Path.GetFullPath(Path.Combine([AppContext.BaseDirectory, .. path]));

    readonly record struct Job(Scenario Scenario, Engine Engine, bool IsControl);
}
