using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Cli;

/// <summary><c>drill</c>: breaks a transport of a running system inside Postrider only, watches what becomes of the mail, and
/// restores it.</summary>
static class DrillCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var transport = new Option<string>("--transport") { Description = "Which one is broken.", Required = true };
        var fail = new Option<string>("--fail") { Description = "Share of its tries that fail.", DefaultValueFactory = _ => "100%" };
        var length = new Option<string>("--for") { Description = "How long, 1s to 1h.", DefaultValueFactory = _ => "1m" };
        var before = new Option<string>("--before")
        {
            Description = "How long mail is watched before, to compare with.",
            DefaultValueFactory = _ => "10s",
        };
        var settle = new Option<string>("--settle")
        {
            Description = "How long the drill's mail is waited for afterwards.",
            DefaultValueFactory = _ => "2m",
        };
        var end = new Option<bool>("--end") { Description = "Ends the drill that is on, whoever began it, and does nothing else." };
        var command = new Command("drill", "A fire drill: breaks a transport inside Postrider only, for a while, and tells what became of your tenant's mail.")
        {
            transport, fail, length, before, settle, end,
        };
        command.SetAction(async (parsed, ct) =>
        {
            var name = parsed.GetRequiredValue(transport);
            var plan = new DrillPlan(Share(parsed.GetValue(fail)!), During(parsed.GetValue(length)!),
                Span("--before", parsed.GetValue(before)!), Span("--settle", parsed.GetValue(settle)!));
            using var server = connection.Open(parsed);
            var isQuiet = connection.WantsJson(parsed);
            if (parsed.GetValue(end))
                return await EndAsync(server, name, screen, isQuiet, ct);
            var error = parsed.InvocationConfiguration.Error;
            var run = new DrillRun(server, name, plan, isQuiet ? static _ => { } : screen.Line, warning => Warn(error, warning));
            var outcome = await run.RunAsync(ct);
            if (isQuiet)
                screen.Line(Json(name, outcome));
            else
                Show(screen, outcome.Report);
            foreach (var reserve in Reserves(name, outcome))
                Warn(error, reserve);
            return outcome.ExitCode;
        });
        return command;
    }

    static async Task<int> EndAsync(ServerClient server, string transport, Screen screen, bool isQuiet, CancellationToken ct)
    {
        var answer = await server.DeleteAsync(DrillRun.PathOf(transport), ct);
        if (isQuiet)
            screen.Json(answer);
        else
            screen.Line($"The drill is ended: {transport} is restored.");
        return ExitCodes.Ok;
    }

    static void Warn(TextWriter error, string text) => error.WriteLine($"postrider: {Screen.Printable(text)}");

    /// <summary>Why the figures are not what was asked for.</summary>
    static IEnumerable<string> Reserves(string transport, DrillOutcome outcome)
    {
        var lasted = SimulationScreen.Span((long)outcome.Lasted.TotalMilliseconds);
        if (outcome.End == DrillEnd.Early)
            yield return $"the drill was ended early, not by this command, when it was {lasted} old: the figures are of that time alone";
        if (outcome.End == DrillEnd.Interrupted)
            yield return $"interrupted: the figures are partial; {transport} was broken for {lasted}";
        if (outcome is { ShowsNothing: true, Report.Mails: 0 })
            yield return "no mail came during the drill: it shows nothing; repeat it while there is traffic";
        else if (outcome.ShowsNothing)
            yield return $"no try at {transport} failed for the drill: it shows nothing. Does mail go by {transport} at all? "
                + "postrider transports list";
    }

    static void Show(Screen screen, DrillReport report)
    {
        if (report.Mails == 0)
            return;
        screen.Line($"{Number(report.Mails)} mails, {Number(report.Hit)} of them hit: {Number(report.Lost)} lost, "
            + $"{Number(report.Duplicated)} duplicated, {Number(report.Open)} open");
        if (report.FirstFailover is { } first)
            screen.Line($"{Number(report.FailedOver)} went over to another transport, the first {SimulationScreen.Span(first)} after the beginning");
        screen.Table(["", "p50", "p99", "longest"], new (string Name, Spread? Times)[]
        {
            ("to fail over", report.Failover), ("delay before", report.Before), ("delay during", report.During),
        }.Where(row => row.Times is not null).Select(row => new[]
        {
            row.Name, SimulationScreen.Span(row.Times!.Value.P50), SimulationScreen.Span(row.Times.Value.P99),
            SimulationScreen.Span(row.Times.Value.Longest),
        }));
        if (report.AddedP99 is { } added)
            screen.Line($"p99 of the delay: {(added < 0 ? "-" : "+")}{SimulationScreen.Span(Math.Abs(added))}");
    }

    static string Json(string transport, DrillOutcome outcome)
    {
        var report = outcome.Report;
        static JsonNode? Times(Spread? spread) => spread is not { } times ? null
            : new JsonObject { ["p50_ms"] = times.P50, ["p99_ms"] = times.P99, ["max_ms"] = times.Longest };
        return new JsonObject
        {
            ["transport"] = transport,
            ["mails"] = report.Mails,
            ["hit"] = report.Hit,
            ["failed_over"] = report.FailedOver,
            ["first_failover_ms"] = report.FirstFailover,
            ["failover"] = Times(report.Failover),
            ["lost"] = report.Lost,
            ["duplicated"] = report.Duplicated,
            ["open"] = report.Open,
            ["before"] = Times(report.Before),
            ["during"] = Times(report.During),
            ["added_p99_ms"] = report.AddedP99,
            ["end"] = outcome.End.ToString().ToLowerInvariant(),
            ["lasted_ms"] = (long)outcome.Lasted.TotalMilliseconds,
        }.ToJsonString();
    }

    static double Share(string text)
    {
        var isPercent = text.EndsWith('%');
        return double.TryParse(isPercent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share)
            && (isPercent ? share / 100 : share) is > 0 and <= 1 and var value ? value
            : throw CommandFailure.Usage($"--fail: \"{Screen.Printable(text)}\": write a share above 0%, at most 100%");
    }

    static TimeSpan During(string text) =>
        Span("--for", text) is var span && span >= Drill.Shortest && span <= Drill.Longest ? span
            : throw CommandFailure.Usage($"--for: \"{Screen.Printable(text)}\": write a span from 1s to 1h");

    static TimeSpan Span(string option, string text) => Durations.TryParse(text, out var span) ? span
        : throw CommandFailure.Usage($"{option}: \"{Screen.Printable(text)}\": write {Durations.Form}");

    static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
