using System.CommandLine;
using System.Reflection;
using Postrider.Chaos.Books;
using Postrider.Chaos.Report;
using Postrider.Chaos.Scenarios;

namespace Postrider.Chaos;

/// <summary>The command <c>run</c>: plays scenarios, prints what came of each, and keeps the report.</summary>
static class RunCommand
{
    /// <summary>A control that needs a moment to be hit is played again with the next seed.</summary>
    const int TriesOfControls = 3;

    // Those that take longest first, so that none of them is left over when all others are done.
    static readonly IReadOnlyList<Scenario> All =
    [
        new Row14AcceptThenDrop(), new Row02KillInEveryWindow(), new Demonstration(), new Row08Clock(), new Row01Kill(), new Row06Stall(),
        new Row11LostCommitReply(), new Row15SlowReply(), new Row09DatabaseRestart(), new Row07Pauses(), new Row12Partition(),
        new Row04SyncFailure(), new Row24Descriptors(), new Row05DiskFull(), new Row13BadNetwork(), new Row03PowerLoss(),
        new Row17Flapping(), new Row20Damage(), new Row27CancelRace(), new Row21SecondProcess(), new Row16OddReplies(),
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
        var report = new Option<string>("--report") { Description = "Where to write it: PATH.json and PATH.md. What was there is replaced." };
        var demonstration = new Option<string>("--demonstration") { Description = "Where the row all of a run with --full is kept, and is read from for the report." };
        var readme = new Option<string>("--readme") { Description = "A page whose line of numbers is written anew." };
        var limit = new Option<int?>("--limit") { Description = "Seconds that a scenario may take. Default: its own, 4 minutes or more; 6 hours with --full." };
        // From artifacts/bin/Postrider.Chaos/release.
        var binary = new Option<string>("--binary") { DefaultValueFactory = _ => FromHere("..", "..", "Postrider", "release", "postrider") };
        var folder = new Option<string>("--folder") { DefaultValueFactory = _ => FromHere("..", "..", "..", "chaos") };
        var command = new Command("run",
            "Faults against the built product; exit code 0 when nothing that was acknowledged is lost, every duplicate is explained, and "
            + "every negative control was seen red.")
            { rows, engine, full, controls, seed, together, report, demonstration, readme, limit, binary, folder };
        command.SetAction(async (options, ct) =>
        {
            var jobs = JobsOf(options.GetValue(rows)?.Split(','), options.GetValue(engine), options.GetRequiredValue(controls)).ToList();
            var plan = new StagePlan(options.GetRequiredValue(binary), options.GetRequiredValue(folder), options.GetValue(seed),
                Engine.Sqlite, options.GetValue(full), false);
            var book = new ReportFile(options.GetValue(report) ?? Path.Combine(plan.Folder, "report"), options.GetValue(demonstration));
            TimeSpan? patience = options.GetValue(limit) is { } seconds ? TimeSpan.FromSeconds(seconds)
                : plan.IsFull ? TimeSpan.FromHours(6) : null;
            Console.WriteLine($"seed {plan.Seed}");
            var unexpected = 0;
            await Parallel.ForEachAsync(jobs.Index(), new ParallelOptions
            {
                MaxDegreeOfParallelism = options.GetValue(together),
                CancellationToken = ct,
            }, async (job, _) =>
            {
                if (!await RunAsync(job.Item, job.Index, plan, patience, book))
                    Interlocked.Increment(ref unexpected);
            });
            if (options.GetValue(readme) is { } page)
                book.WriteHeadline(page);
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
    static async Task<bool> RunAsync(Job job, int number, StagePlan plan, TimeSpan? patience, ReportFile report)
    {
        var empty = EmptyVerdict(job, plan.Seed);
        if (job.Scenario.Missing is { } missing)
        {
            Console.WriteLine($"{empty.Row} {empty.Name}: SKIPPED, needs {missing}");
            report.Add(empty with { Failure = $"not run: this system has no {missing}" });
            return Environment.GetEnvironmentVariable("POSTRIDER_CHECK") != "1";
        }
        var missed = new List<string>();
        for (var tries = 1; ; tries++)
        {
            var again = plan with { Seed = plan.Seed + tries - 1 };
            var work = Path.Combine(plan.Folder, FormattableString.Invariant(
                $"{empty.At:HHmmss}-{number}-row-{empty.Row}-{job.Engine}{(job.IsControl ? "-control" : "")}-{tries}"));
            var verdict = await PlayAsync(job, again with { Folder = work, Engine = job.Engine, IsControl = job.IsControl },
                patience ?? job.Scenario.Limit);
            if (job.IsControl && !verdict.IsAsExpected && tries < TriesOfControls)
            {
                missed.Add($"{again.Seed} ({verdict.Failure?.Split('\n')[0] ?? "all held"})");
                continue;
            }
            if (missed.Count > 0)
                verdict = verdict with { Notes = [.. verdict.Notes, $"Not red with seed {string.Join(", ", missed)}"] };
            Console.WriteLine(verdict);
            if (!verdict.IsAsExpected)
                Console.WriteLine($"  its journals and the nodes' log are kept in {work}");
            if (plan.IsFull)
                report.Keep(verdict);
            report.Add(verdict);
            return verdict.IsAsExpected;
        }
    }

    static Verdict EmptyVerdict(Job job, int seed) => new()
    {
        Row = job.Scenario.Row,
        Name = job.Scenario.Name,
        Engine = job.Engine == Engine.Sqlite ? "SQLite" : "PostgreSQL",
        Invariant = job.Scenario.Invariant,
        Control = job.IsControl ? job.Scenario.Control : null,
        At = TimeProvider.System.GetUtcNow(),
        Version = Version,
        Seed = seed,
        Seconds = 0,
        Cycles = 0,
    };

    static async Task<Verdict> PlayAsync(Job job, StagePlan plan, TimeSpan patience)
    {
        Directory.CreateDirectory(plan.Folder);
        var verdict = EmptyVerdict(job, plan.Seed);
        await using var stage = new Stage(plan);
        var playing = PlayAndJudgeAsync(job.Scenario, stage, verdict);
        try
        {
            verdict = await playing.WaitAsync(patience, TimeProvider.System);
        }
        catch (TimeoutException) when (!playing.IsCompleted)
        {
            verdict = verdict with { Failure = $"it was not at its end after {patience.TotalSeconds:0} s" };
            await stage.DisposeAsync(); // whatever it waits for is gone: it ends, and takes away what else it has
            await Task.WhenAny(playing, Clock.WaitAsync(TimeSpan.FromSeconds(30)));
        }
        catch (Exception e)
        {
            // A fault of the harness or of the system must not pass as one of the product, nor end the other scenarios.
            Console.Error.WriteLine(e); // with the places of this machine, which the report keeps out
            verdict = verdict with { Failure = $"{e.GetType().Name}: {e.Message}" };
        }
        await stage.DisposeAsync();
        verdict = verdict with { Seconds = Math.Round((TimeProvider.System.GetUtcNow() - verdict.At).TotalSeconds, 1) };
        stage.Clean(keepBooks: !verdict.IsAsExpected);
        return verdict;
    }

    static async Task<Verdict> PlayAndJudgeAsync(Scenario scenario, Stage stage, Verdict verdict)
    {
        await scenario.PlayAsync(stage);
        return await JudgeAsync(stage, verdict);
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
