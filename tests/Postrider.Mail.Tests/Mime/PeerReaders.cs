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

    /// <summary>The same, for messages of any kind, damaged ones too.</summary>
    public static JsonElement[] TakeApartWithPython(string messages) =>
        Read(Requires.Python("email"), Path.Combine(Folder, "read_mime.py"), messages);

    /// <summary>npm's <c>mailparser</c>.</summary>
    public static JsonElement[] ReadWithMailparser(string messages) => ReadWithNode("read-mail.mjs", messages);

    /// <summary>The DKIM signatures, by npm's <c>mailauth</c>.</summary>
    public static JsonElement[] VerifyWithMailauth(string messages) => ReadWithNode("verify-dkim.mjs", messages);

    /// <summary>The DKIM signatures, by OpenDKIM, in namespaces of their own, where port 53 of the loopback is free.</summary>
    public static JsonElement[] VerifyWithOpenDkim(string messages)
    {
        Requires.Program("opendkim-testmsg");
        Requires.Root();
        var unshare = Requires.Program("unshare");
        var python = Requires.Python("json");
        return Lines(unshare, "--mount", "--net", python, Path.Combine(Folder, "verify_dkim.py"), messages);
    }

    static JsonElement[] ReadWithNode(string script, string messages)
    {
        var node = Requires.Program("node");
        var npm = Requires.Program("npm");
        lock (Installing)
        {
            var installed = IsInstalled() || Run(npm, Folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund").Code == 0;
            Requires.That(installed, "npm ci could not install tests/peers (no network?)");
        }
        return Read(node, Path.Combine(Folder, script), messages);
    }

    /// <summary>npm leaves a copy of the lock file with what it installed.</summary>
    static bool IsInstalled()
    {
        var installed = new FileInfo(Path.Combine(Folder, "node_modules", ".package-lock.json"));
        return installed.Exists && installed.LastWriteTimeUtc >= File.GetLastWriteTimeUtc(Path.Combine(Folder, "package-lock.json"));
    }

    static JsonElement[] Read(string program, string script, string messages) => Lines(program, script, messages);

    static JsonElement[] Lines(string program, params string[] arguments)
    {
        var (code, output, error) = Run(program, Folder, arguments);
        if (code != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {code}: {error}");
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
