using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Hosting;
using Postrider.Messages;

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
        var command = new Command("drill", "A fire drill: breaks a transport inside Postrider only, for a while, and tells what became of your tenant's mail.")
        {
            transport, fail, length, before, settle,
        };
        command.SetAction(async (parsed, ct) =>
        {
            var share = Share(parsed.GetValue(fail)!);
            var (during, earlier, later) = (Span("--for", parsed.GetValue(length)!), Span("--before", parsed.GetValue(before)!),
                Span("--settle", parsed.GetValue(settle)!));
            using var server = connection.Open(parsed);
            var isQuiet = connection.WantsJson(parsed);
            var run = new DrillRun(server, parsed.GetRequiredValue(transport), text =>
            {
                if (!isQuiet)
                    screen.Line(text);
            });
            var report = await run.RunAsync(share, during, earlier, later, ct);
            if (isQuiet)
                screen.Line(Json(run.Transport, report));
            else
                Show(screen, report);
            return report.Lost + report.Open + report.Duplicated == 0 ? ExitCodes.Ok : CommandFailure.Failed;
        });
        return command;
    }

    static void Show(Screen screen, DrillReport report)
    {
        if (report.Mails == 0)
        {
            screen.Line("No mail came during the drill: it shows nothing. Repeat it while there is traffic.");
            return;
        }
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

    static string Json(string transport, DrillReport report)
    {
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
        }.ToJsonString();
    }

    static double Share(string text)
    {
        var isPercent = text.EndsWith('%');
        return double.TryParse(isPercent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share)
            && (isPercent ? share / 100 : share) is > 0 and <= 1 and var value ? value
            : throw CommandFailure.Usage($"--fail: \"{Screen.Printable(text)}\": write a share above 0%, at most 100%");
    }

    static TimeSpan Span(string option, string text) => Durations.TryParse(text, out var span) ? span
        : throw CommandFailure.Usage($"{option}: \"{Screen.Printable(text)}\": write {Durations.Form}");

    static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>One drill: the mail is watched by the event feed before, during and after it.</summary>
sealed class DrillRun(ServerClient server, string transport, Action<string> say)
{
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    readonly DrillBook _book = new(transport);
    string _place = "latest";
    long _began;

    public string Transport => transport;

    string Path => $"/transports/{Uri.EscapeDataString(transport)}/drill";

    public async Task<DrillReport> RunAsync(double share, TimeSpan during, TimeSpan before, TimeSpan settle, CancellationToken ct)
    {
        await LookAsync(ct);
        say($"Watching the mail for {Durations.Format(before)} first.");
        await WatchAsync(before, () => false, ct);
        var begun = JsonNode.Parse((await server.PostAsync(Path,
            new JsonObject { ["fail"] = share, ["for"] = Durations.Format(during) }.ToJsonString(), ct)).Json)!;
        _book.Began = (DateTimeOffset)begun["since"]!;
        _began = TimeProvider.System.GetTimestamp();
        say($"{transport} is broken inside Postrider until {Screen.Time((DateTimeOffset)begun["until"]!)}; interrupt to end it sooner.");
        try
        {
            await WatchAsync(during, () => false, ct);
        }
        finally
        {
            await EndAsync();
        }
        say($"{transport} is restored.");
        await WatchAsync(settle, () => _book.Open == 0, ct);
        return _book.Close();
    }

    /// <summary>It may have ended by itself.</summary>
    async Task EndAsync()
    {
        _book.Ended = _book.Began + TimeProvider.System.GetElapsedTime(_began); // by the server's clock, which may be another
        try
        {
            await server.DeleteAsync(Path, CancellationToken.None);
        }
        catch (CommandFailure over) when (over.ExitCode == CommandFailure.Failed)
        {
            // There is none any more.
        }
    }

    async Task WatchAsync(TimeSpan span, Func<bool> isEnough, CancellationToken ct)
    {
        var began = TimeProvider.System.GetTimestamp();
        do
        {
            await LookAsync(ct);
            if (isEnough())
                return;
            await Task.Delay(LookAgain, TimeProvider.System, ct);
        }
        while (TimeProvider.System.GetElapsedTime(began) < span);
        await LookAsync(ct);
    }

    /// <summary>A server that is started again meanwhile is waited for: the drill goes on, and so does its mail.</summary>
    async Task<Answer> AskAsync(string path, CancellationToken ct)
    {
        for (var began = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                return await server.GetAsync(path, ct);
            }
            catch (CommandFailure away) when (away.ExitCode == ExitCodes.Unavailable
                && TimeProvider.System.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(LookAgain, TimeProvider.System, ct);
            }
        }
    }

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    async Task LookAsync(CancellationToken ct)
    {
        for (var hasMore = true; hasMore;)
        {
            using var page = JsonDocument.Parse(
                (await AskAsync($"/events?limit=500&after={Uri.EscapeDataString(_place)}", ct)).Json);
            foreach (var happened in page.RootElement.GetProperty("data").EnumerateArray())
                _book.Take(happened);
            _place = page.RootElement.GetProperty("next").GetString()!;
            hasMore = page.RootElement.GetProperty("has_more").GetBoolean();
        }
    }
}
