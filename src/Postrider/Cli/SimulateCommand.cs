using System.CommandLine;
using System.Text;
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
        var options = new SimulateOptions(input).WithCompletions();
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
            var isQuiet = connection.WantsJson(parsed);
            var scenario = options.Read(parsed);
            var simulation = Simulating.Prepare(scenario);
            if (simulation.Check() is { Count: > 0 } faults)
                throw CommandFailure.Usage(string.Join("\npostrider: ", faults.Select(fault => Screen.Printable(fault.Words))));
            using var page = parsed.GetValue(report) is { } file ? ReportFile.Open(file.FullName) : null;
            var result = await RunAsync(simulation, screen, isQuiet, ct);
            page?.Write(SimulationReport.Write(scenario, result));
            if (!isQuiet && options.IsSpread(parsed))
                screen.Line($"Mails come {SimulationScreen.Arrivals(scenario)}, to meet the outage; --rate says otherwise.");
            if (isQuiet)
                screen.Line(SimulationJson.Write(result));
            else
                SimulationScreen.Show(screen, result);
            return Reserves(result, parsed.InvocationConfiguration.Error);
        });
        return command;
    }

    /// <summary>What the figures do not show, where no JSON is disturbed by it; the exit code.</summary>
    static int Reserves(SimulationResult result, TextWriter error)
    {
        foreach (var missed in OutageMeeting.Missed(result))
            error.WriteLine($"postrider: {Screen.Printable(missed)}");
        if (!result.IsPartial)
            return ExitCodes.Ok;
        error.WriteLine($"postrider: interrupted after {SimulationScreen.Span((long)result.Took.TotalMilliseconds)} of the simulation: "
            + "the figures are partial");
        return CommandFailure.Interrupted;
    }

    /// <summary>Interrupted, it is what is known so far.</summary>
    static async Task<SimulationResult> RunAsync(SimulationRun simulation, Screen screen, bool isQuiet, CancellationToken ct)
    {
        var running = simulation.RunAsync(ct);
        if (!isQuiet && screen.IsTerminal)
            await screen.Console.Live(SimulationScreen.Live(simulation.Progress)).AutoClear(true).StartAsync(async live =>
            {
                while (await Task.WhenAny(running, Task.Delay(RefreshEvery, TimeProvider.System, CancellationToken.None)) != running)
                    live.UpdateTarget(SimulationScreen.Live(simulation.Progress));
            });
        try
        {
            return await running;
        }
        catch (OperationCanceledException) when (simulation.SoFar is not null)
        {
            return simulation.SoFar;
        }
    }
}

/// <summary>Where a report goes: known to be writable before it is there, so that no run is in vain.</summary>
sealed class ReportFile : IDisposable
{
    readonly string _path;
    readonly FileStream _file;
    readonly bool _isNew;
    bool _isWritten;

    ReportFile(string path)
    {
        (_path, _isNew) = (path, !File.Exists(path));
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }

    /// <summary>Throws <see cref="CommandFailure"/>. What is there already stays until it is written over.</summary>
    public static ReportFile Open(string path)
    {
        if (Directory.Exists(path))
            throw CommandFailure.Usage($"--report: {path} is a folder; name a file in it");
        if (Path.GetDirectoryName(path) is { } folder && !Directory.Exists(folder))
            throw CommandFailure.Usage($"--report: there is no folder {folder}; make it first");
        return Try(path, () =>
        {
            var report = new ReportFile(path);
            if (report._file.CanSeek && report._file.Length == 0)
                report.Probe();
            return report;
        });
    }

    /// <summary>A disk that is full says so only when something is written.</summary>
    void Probe()
    {
        try
        {
            _file.WriteByte((byte)'\n');
            _file.Position = 0;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Write(string page) => Try(_path, () =>
    {
        _file.Write(Encoding.UTF8.GetBytes(page));
        if (_file.CanSeek && _file.Length > _file.Position)
            _file.SetLength(_file.Position);
        return _isWritten = true;
    });

    /// <summary>One that was made for nothing is removed.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (_isNew && !_isWritten)
            File.Delete(_path);
    }

    static T Try<T>(string path, Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure(ExitCodes.Storage, $"--report: {path} cannot be written: {e.Message}");
        }
    }
}
