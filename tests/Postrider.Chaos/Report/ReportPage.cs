using System.Globalization;
using System.Text;
using Postrider.Chaos.Scenarios;

namespace Postrider.Chaos.Report;

/// <summary>The report as a page.</summary>
static class ReportPage
{
    /// <param name="full">The last demonstration in full, with a line and a section of its own; null: there was none.</param>
    public static string Of(IReadOnlyList<Verdict> verdicts, Verdict? full)
    {
        var page = new StringBuilder();
        var runs = verdicts.Where(verdict => verdict.Control is null).ToList();
        var controls = verdicts.Where(verdict => verdict.Control is not null).ToList();
        Line("# What faults did to Postrider");
        Line("");
        Line("Written by one run of `make chaos`; [reliability.md](reliability.md) says how to read it and how to run it again.");
        Line("");
        Line(Headline(verdicts));
        Line("");
        Line("| row | fault | engine | faults | submitted | acknowledged | lost | held | duplicates | attempts without outcome | control | result |");
        Line("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|---|");
        foreach (var run in runs)
            Row(run.Row, run);
        if (full is not null)
            Row($"{full.Row}, in full", full);
        Line("");
        Line("## What had to hold, and what was seen");
        foreach (var row in runs.GroupBy(run => (run.Row, run.Name)))
        {
            Line("");
            Line($"### {row.Key.Row}: {row.Key.Name}");
            Line("");
            Line($"{row.First().Invariant}.");
            foreach (var run in row.Concat(controls.Where(control => control.Row == row.Key.Row)))
                Tell(run);
        }
        if (full is not null)
        {
            Line("");
            Line($"### {full.Row}, in full: {full.Name}");
            Line("");
            Line($"{full.Invariant}. The last run of `make chaos ROWS=all FULL=1`, apart from the others.");
            Tell(full);
        }
        return page.ToString();

        void Row(string row, Verdict run) =>
            Line($"| {row} | {run.Name} | {run.Engine} | {run.Cycles} | {run.Submitted} | {run.Acknowledged} | {run.Lost.Count} | {run.Held} "
                + $"| {run.Copies} | {run.WithoutOutcome} | {ControlOf(run, controls)} | {run.Colour} |");

        void Line(string text) => page.Append(text).Append('\n');

        void Tell(Verdict run)
        {
            Line("");
            Line($"* {run.Engine}{(run.Control is null ? "" : $", control ({run.Control})")}: {run.Colour}. "
                + $"{run.At:yyyy-MM-dd HH:mm}, {run.Seconds:0} s, seed {run.Seed}, version {run.Version}.");
            foreach (var note in run.Notes)
                Line($"  {note}.");
            if (run.Control is not null)
                Line($"  {run.Lost.Count} lost, {run.Copies} duplicates ({run.Unexplained} unexplained), {run.Broken.Count} broken"
                    + $"{(run.Broken.Count > 0 ? $": {run.Broken[0]}" : "")}.");
            else
                TellDuplicates(run);
            if (run.Failure is { } failure)
                Line($"  Failed: {failure.Split('\n')[0]}");
        }

        void TellDuplicates(Verdict run)
        {
            foreach (var alike in run.Duplicates.GroupBy(duplicate => duplicate.Explanation ?? $"NOT EXPLAINED: {duplicate.Fault}"))
                Line($"  - {alike.Count()} of more than one mail, {alike.Key}: {string.Join(", ", alike.Take(20).Select(d => d.Recipient))}"
                    + $"{(alike.Count() > 20 ? " … (all in the JSON)" : "")}");
            foreach (var broken in run.Broken)
                Line($"  - BROKEN: {broken}");
            foreach (var lost in run.Lost)
                Line($"  - LOST: {lost}");
        }
    }

    /// <summary>One line, which the README repeats.</summary>
    public static string Headline(IReadOnlyList<Verdict> verdicts)
    {
        var runs = verdicts.Where(verdict => verdict.Control is null).ToList();
        var controls = verdicts.Where(verdict => verdict.Control is not null).ToList();
        string Sum(Func<Verdict, int> of) => runs.Sum(of).ToString("N0", CultureInfo.InvariantCulture);
        return $"**{Sum(run => run.Cycles)} faults, {Sum(run => run.Acknowledged)} mails acknowledged: {Sum(run => run.Lost.Count)} lost, "
            + $"{Sum(run => run.Copies)} duplicates, {Sum(run => run.Unexplained)} of them unexplained.** "
            + $"{runs.Count(run => run.IsAsExpected)} of {runs.Count} runs were green, "
            + $"{controls.Count(control => control.IsAsExpected)} of {controls.Count} negative controls were seen red.";
    }

    static string ControlOf(Verdict run, List<Verdict> controls)
    {
        var own = controls.Where(control => control.Row == run.Row).ToList();
        var control = own.FirstOrDefault(one => one.Engine == run.Engine) ?? own.FirstOrDefault();
        return control is null ? "" : control.IsAsExpected ? control.Engine == run.Engine ? "red" : $"red ({control.Engine})" : "NOT RED";
    }
}
