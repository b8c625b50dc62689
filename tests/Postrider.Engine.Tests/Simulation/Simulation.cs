using System.Globalization;
using System.Text;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>Runs the histories of seeds; of one that breaks a promise it finds the shortest part that still does, and prints
/// it.</summary>
static class Simulation
{
    public const int Acts = 300;

    /// <summary>Null when all promises were kept; else what is needed to see it again.</summary>
    public static string? Run(ulong seed, int acts = Acts, Mutation mutation = Mutation.None)
    {
        var setting = Setting.Of(seed);
        var history = Act.Draw(seed, acts);
        if (Break(setting, history, mutation, log: null) is not { } broken)
            return null;
        var least = Shrink(setting, history, mutation, broken.Rule);
        var log = new StringBuilder();
        var last = Break(setting, least, mutation, log)!;
        return string.Create(CultureInfo.InvariantCulture, $"""
            seed {seed}, {acts} acts, mutation {mutation}, commit {Commit()}
            {setting}
            {broken.Message}
            {least.Count} acts are enough to see: {last.Message}
            {log}
            """);
    }

    /// <summary>The rule that is broken first where a guarantee is missing, and by which seed; null when none of them tells.</summary>
    public static (ulong Seed, string Rule)? FindBroken(Mutation mutation, ulong seeds)
    {
        for (var seed = 1UL; seed <= seeds; seed++)
        {
            if (Break(Setting.Of(seed), Act.Draw(seed, Acts), mutation, log: null) is { } broken)
                return (seed, broken.Rule);
        }
        return null;
    }

    /// <summary>The same seed gives the same bytes: what a run came to, for comparison.</summary>
    public static string Trace(ulong seed, int acts = Acts)
    {
        var log = new StringBuilder();
        var broken = Break(Setting.Of(seed), Act.Draw(seed, acts), Mutation.None, log);
        return log.Append(broken?.Message).ToString();
    }

    static BrokenPromiseException? Break(Setting setting, IReadOnlyList<Act> acts, Mutation mutation, StringBuilder? log)
    {
        try
        {
            var run = new Cluster(setting, mutation) { Log = log }.RunAsync(acts);
            if (!run.IsCompleted)
                throw new InvalidOperationException("The simulation waits for something that is not simulated.");
            run.GetAwaiter().GetResult();
            return null;
        }
        catch (BrokenPromiseException broken)
        {
            return broken;
        }
        catch (Exception fault) when (fault is InvalidOperationException or ArgumentException or KeyNotFoundException
            or NullReferenceException or InvalidDataException)
        {
            return new BrokenPromiseException(fault.GetType().Name, fault.ToString());
        }
    }

    /// <summary>Leaves out as much as can be left out: halves, quarters, down to single acts.</summary>
    static List<Act> Shrink(Setting setting, List<Act> acts, Mutation mutation, string rule)
    {
        bool Breaks(List<Act> some) => Break(setting, some, mutation, log: null)?.Rule == rule;
        for (var size = acts.Count / 2; size > 0; size /= 2)
        {
            for (var at = acts.Count - size; at >= 0; at -= size)
            {
                var fewer = acts.ToList();
                fewer.RemoveRange(at, Math.Min(size, fewer.Count - at));
                if (Breaks(fewer))
                    acts = fewer;
                if (at > acts.Count)
                    at = acts.Count;
            }
        }
        return acts;
    }

    /// <summary>What was checked out, by the files of git.</summary>
    static string Commit()
    {
        var git = Repository.Path(".git");
        if (File.Exists(git))
            git = File.ReadAllText(git)["gitdir: ".Length..].Trim();
        var head = Path.Combine(git, "HEAD");
        if (!File.Exists(head))
            return "unknown";
        var what = File.ReadAllText(head).Trim();
        if (!what.StartsWith("ref: ", StringComparison.Ordinal))
            return what;
        var common = Path.Combine(git, "commondir");
        var refs = File.Exists(common) ? Path.GetFullPath(Path.Combine(git, File.ReadAllText(common).Trim())) : git;
        var branch = Path.Combine(refs, what["ref: ".Length..]);
        return File.Exists(branch) ? File.ReadAllText(branch).Trim() : what;
    }
}
