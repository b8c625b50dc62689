using System.Diagnostics;

namespace Postrider.Chaos.Product;

/// <summary>Programs of the system that a run uses.</summary>
static class Programs
{
    /// <summary>Runs it to its end and returns what it printed; throws with its words when it fails.</summary>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = "/",
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? said.Trim()
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {(await errors).Trim()}");
    }

    /// <summary>Where it is, in these folders or in the path; null: not installed.</summary>
    public static string? Find(string program, params IEnumerable<string> folders) =>
        folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')).Concat(["/usr/sbin", "/sbin"])
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
