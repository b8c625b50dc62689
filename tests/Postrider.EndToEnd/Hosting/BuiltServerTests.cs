using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace Postrider.EndToEnd.Hosting;

/// <summary>For tests of the built executable: starts it in a folder of the test's own, and stops what is still running.</summary>
[UnsupportedOSPlatform("windows")]
public abstract class BuiltServerTests : IDisposable
{
    readonly List<Process> _started = [];

    protected string Folder { get; } = Directory.CreateTempSubdirectory("postrider-").FullName;

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected Process Start(params (string Name, string Value)[] variables) => Start([], variables);

    protected Process Start(IEnumerable<string> arguments, params (string Name, string Value)[] variables)
    {
        var info = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "postrider"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Folder,
        };
        foreach (var name in info.Environment.Keys.Where(k => k.StartsWith("POSTRIDER_", StringComparison.Ordinal)).ToList())
            info.Environment.Remove(name);
        info.Environment["POSTRIDER_URLS"] = "http://127.0.0.1:0";
        info.Environment["POSTRIDER_TRANSPORTS"] = "capture://";
        info.Environment["POSTRIDER_SMTP"] = "127.0.0.1:0";
        info.Environment["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = "1000000";
        info.Environment["POSTRIDER_STORAGE__BALLAST_BYTES"] = "0";
        foreach (var (name, value) in variables)
            info.Environment[name] = value;
        var process = Process.Start(info)!;
        _started.Add(process);
        return process;
    }

    /// <summary>What it printed when it was ready; fails when it ended instead.</summary>
    protected static async Task<string> BannerAsync(Process server)
    {
        var text = new StringBuilder();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        // The mail to send, or, of a node that takes none, who does.
        while (!text.ToString().Contains("-d '{", StringComparison.Ordinal) && !text.ToString().Contains("\n  calls ", StringComparison.Ordinal)
            && !text.ToString().StartsWith('{'))
        {
            if (await server.StandardOutput.ReadLineAsync(patience.Token) is not { } line)
                throw new InvalidOperationException($"It ended: {await server.StandardError.ReadToEndAsync(patience.Token)}");
            text.Append(line).Append('\n');
        }
        // What follows the mail to send: the inbox to look at, and an empty line.
        if (text.ToString().Contains("inbox", StringComparison.Ordinal))
            for (var i = 0; i < 5; i++)
                text.Append(await server.StandardOutput.ReadLineAsync(patience.Token)).Append('\n');
        return text.ToString();
    }

    protected static async Task<int> StopAsync(Process server)
    {
        await ShellAsync(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"kill -TERM {server.Id}"));
        await server.WaitForExitAsync();
        return server.ExitCode;
    }

    protected static async Task<string> ShellAsync(string command)
    {
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true })!;
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        return output;
    }
}
