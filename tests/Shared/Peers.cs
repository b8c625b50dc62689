using System.Diagnostics;
using System.Text.Json;

namespace Postrider.Testing;

/// <summary>Software of others that tests run beside ours: the scripts of <c>tests/peers</c> and the npm packages they use.</summary>
public static class Peers
{
    static readonly Lock Installing = new();

    public static string Folder { get; } = Path.Combine(Repository.Root, "tests", "peers");

    /// <summary>Installs the packages of the lock file, unless they are there.</summary>
    public static void Install()
    {
        var npm = Requires.Program("npm");
        lock (Installing)
            Requires.That(IsInstalled() || Run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund").Code == 0,
                "npm ci could not install tests/peers (no network?)");
    }

    /// <summary>Runs a program in the folder, to its end.</summary>
    public static (int Code, string Output, string Error) Run(string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    /// <summary>By the versions that are asked for: an older installation is replaced.</summary>
    static bool IsInstalled()
    {
        using var wanted = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "package.json")));
        foreach (var package in wanted.RootElement.GetProperty("dependencies").EnumerateObject())
        {
            var path = Path.Combine([Folder, "node_modules", .. package.Name.Split('/'), "package.json"]);
            if (!File.Exists(path))
                return false;
            using var installed = JsonDocument.Parse(File.ReadAllBytes(path));
            if (installed.RootElement.GetProperty("version").GetString() != package.Value.GetString())
                return false;
        }
        return true;
    }
}
