using System.Diagnostics;
using System.Text.Json;
using Postrider.Testing;

namespace Postrider.Mail.Tests.Mime;

/// <summary>
/// Mail readers that others wrote, in <c>tests/peers</c>: each reads a folder of messages and tells what it found in them.
/// </summary>
static class PeerReaders
{
    static readonly Lock Installing = new();

    static string Folder { get; } = Path.Combine(RepositoryRoot(), "tests", "peers");

    /// <summary>Python's <c>email</c>.</summary>
    public static JsonElement[] ReadWithPython(string messages) =>
        Read(Requires.Python("email"), Path.Combine(Folder, "read_mail.py"), messages);

    /// <summary>npm's <c>mailparser</c>, installed from the lock file on first use.</summary>
    public static JsonElement[] ReadWithMailparser(string messages)
    {
        var node = Requires.Program("node");
        var npm = Requires.Program("npm");
        lock (Installing)
        {
            var installed = Directory.Exists(Path.Combine(Folder, "node_modules", "mailparser"))
                || Run(npm, Folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund").Code == 0;
            Requires.That(installed, "npm ci could not install tests/peers (no network?)");
        }
        return Read(node, Path.Combine(Folder, "read-mail.mjs"), messages);
    }

    static JsonElement[] Read(string program, string script, string messages)
    {
        var (code, output, error) = Run(program, Folder, script, messages);
        if (code != 0)
            throw new InvalidOperationException($"{script} ended with {code}: {error}");
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
    }

    static (int Code, string Output, string Error) Run(string program, string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Postrider.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException("The tests do not run from within the repository.");
    }
}
