using System.CommandLine;
using Postrider.Hosting;
using Postrider.Simulation;
using Spectre.Console;

namespace Postrider.Cli;

/// <summary><c>simulate</c>: the server's delivery in virtual time, with simulated vendors. No server is asked, nothing leaves.</summary>
static class SimulateCommand
{
    static readonly TimeSpan RefreshEvery = TimeSpan.FromMilliseconds(100);

    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var options = new SimulateOptions(input);
        var report = new Option<FileInfo?>("--report")
        {
            Description = "Writes one self-contained HTML page with plots.",
            HelpName = "FILE.html",
        };
        var command = new Command("simulate", "Tries out failover, retries and limits: the server's delivery in virtual time, nothing leaves.")
        {
            report,
        };
        foreach (var option in options.All)
            command.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var page = parsed.GetValue(report);
            if (page?.Directory is { Exists: false } folder)
                throw CommandFailure.Usage($"--report: there is no folder {folder.FullName}; make it first");
            var scenario = options.Read(parsed);
            var simulation = Simulating.Prepare(scenario);
            if (simulation.Check() is { Count: > 0 } faults)
                throw CommandFailure.Usage(string.Join("\npostrider: ", faults.Select(fault => Screen.Printable(fault.Words))));
            var result = await RunAsync(simulation, screen, isQuiet: connection.WantsJson(parsed), ct);
            if (page is not null)
                await File.WriteAllTextAsync(page.FullName, SimulationReport.Write(scenario, result), ct);
            if (connection.WantsJson(parsed))
                screen.Line(SimulationJson.Write(result));
            else
                SimulationScreen.Show(screen, result);
            return ExitCodes.Ok;
        });
        return command;
    }

    static async Task<SimulationResult> RunAsync(SimulationRun simulation, Screen screen, bool isQuiet, CancellationToken ct)
    {
        var running = simulation.RunAsync(ct);
        if (isQuiet || !screen.IsTerminal)
            return await running;
        await screen.Console.Live(SimulationScreen.Live(simulation.Progress)).AutoClear(true).StartAsync(async live =>
        {
            while (await Task.WhenAny(running, Task.Delay(RefreshEvery, TimeProvider.System, ct)) != running)
                live.UpdateTarget(SimulationScreen.Live(simulation.Progress));
        });
        return await running;
    }
}
