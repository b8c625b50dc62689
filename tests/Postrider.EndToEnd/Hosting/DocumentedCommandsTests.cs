using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>The commands of README and <c>docs/</c> as they stand there, one block after the other, against a server that just
/// started.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class DocumentedCommandsTests : BuiltServerTests
{
    const string Key = "key-of-the-commands-of-the-pages";

    /// <summary>Blocks that are not run here, by how they begin: each with what runs it, or why nothing can.</summary>
    static readonly (string Page, string Begins, string Why)[] NotHere =
    [
        ("README.md", "dotnet run --project src/Postrider\n", "starts the server that the others talk to"),
        ("README.md", "make check", "would run this"),
        ("README.md", "POSTRIDER_TRANSPORTS=", "starts another server, with relays that are not there"),
        ("README.md", "dotnet run -v q --project src/Postrider -- simulate", "SimulateTests"),
        ("README.md", "curl -sS http://127.0.0.1:8025/emails/019abc", "an id that the reader has"),
        ("docs/backup.md", "postrider backup", "to a disk that the reader has; BackupProcessTests"),
        ("docs/backup.md", "pg_dump", "of a server that the reader has"),
        ("docs/backup.md", "psql", "PostgresPauseStoreTests"),
        ("docs/backup.md", "postrider restore", "of a server that is stopped; BackupProcessTests"),
        ("docs/deploy.md", "make publish", "installs into the system"),
        ("docs/domains.md", "postrider dkim", "asks the DNS of example.com"),
        ("docs/drills.md", "postrider drill", "ten minutes, of a transport that the reader has; DrillTests"),
        ("docs/feedback.md", "dotnet run", "starts another server"),
        ("docs/observability.md", "OTEL_EXPORTER", "starts another server, beside a collector"),
        ("docs/postgresql.md", "createdb --encoding=UTF8 --template=template0 mail\nexport", "SeveralNodesTests"),
        ("docs/postgresql.md", "createdb --encoding=UTF8 --template=template0 mail\npostrider move", "MoveProcessTests"),
        ("docs/reliability.md", "make", "takes from minutes to hours"),
        ("docs/simulate.md", "postrider simulate", "SimulateTests"),
        ("docs/smtp.md", "swaks", "SmtpPeerTests"),
        ("docs/vendors.md", "postrider vendors", "starts other servers"),
        ("docs/vendors.md", "curl -so ses.pem", "of the simulated vendors"),
        ("docs/webhooks.md", "postrider webhooks list", "ids that the reader has; EventCommandTests"),
    ];

    /// <summary>What the answers to a page's commands must hold, beside that none is a problem.</summary>
    static readonly Dictionary<string, string[]> Answers = new()
    {
        ["docs/api.md"] = ["\"line\":2", "\"subject\":\"Hello\"", "\"token_type\":\"Bearer\""],
        ["docs/batches.md"] = ["\"accepted\":2,\"refused\":0", "email,name,first"],
        ["docs/migrate/ses.md"] = ["access  PR", "secret"],
        ["docs/retention.md"] = ["\"kind\":\"bodies\"", "\"keep_seconds\":604800", "@erased.invalid"],
        ["docs/schedules.md"] = ["weekday report", "2030-12-24T18:00:00-05:00"],
        ["docs/tracking.md"] = ["\"bulk\":{\"opens\":true,\"clicks\":true,\"text\":false},\"stopped\":false", "\"tracking\":null"],
    };

    public static TheoryData<string> Pages =>
        [.. Directory.GetFiles(Repository.Path("docs"), "*.md", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/')).Append("README.md")
            .Where(page => BlocksOf(page).Any(block => !IsElsewhere(page, block))).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Its_commands_do_what_it_says(string page)
    {
        var curl = Requires.Program("curl");
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        // As for whoever reads: dotnet run is Development.
        var banner = await BannerAsync(Start(("POSTRIDER_ENVIRONMENT", "Development"), ("POSTRIDER_API_KEY", Key),
            ("POSTRIDER_WEBHOOKS__ALLOW", "127.0.0.1/32:*")));
        var address = Regex.Match(banner, @"http://127\.0\.0\.1:[0-9]+").Value;
        var bin = Directory.CreateDirectory(Path.Combine(Folder, "bin")).FullName;
        // An answer that is a problem ends the page. What never ends, the stream, is read for a while.
        var wrapper = Path.Combine(bin, "curl");
        await File.WriteAllTextAsync(wrapper, $"""
            #!/bin/sh
            case "$1" in -sSN) "{curl}" --fail-with-body --max-time 2 "$@"; [ $? -eq 28 ]; exit;; esac
            exec "{curl}" --fail-with-body --max-time 60 "$@"
            """);
        File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var output = new List<string>();
        foreach (var block in BlocksOf(page).Where(block => !IsElsewhere(page, block)))
            output.Add(await RunAsync(block.Replace("http://127.0.0.1:8025", address, StringComparison.Ordinal)
                .Replace("https://shop.example.com/hooks", receiver.Url.ToString(), StringComparison.Ordinal)
                .Replace("pr_…", Key, StringComparison.Ordinal), bin, address));
        foreach (var answer in Answers.GetValueOrDefault(page) ?? [])
            Assert.Contains(answer, string.Concat(output), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_run_here_is_there_and_the_key_has_one_name()
    {
        Assert.All(NotHere, except =>
            Assert.Contains(BlocksOf(except.Page), block => block.StartsWith(except.Begins, StringComparison.Ordinal)));
        Assert.All(Answers.Keys, page => Assert.Contains(page, Pages.Select(row => row.Data)));
        foreach (var page in Pages.Select(row => row.Data))
        {
            var text = File.ReadAllText(Repository.Path(page.Split('/')));
            Assert.DoesNotContain("$KEY", text, StringComparison.Ordinal);
            Assert.True(!text.Contains("$POSTRIDER_API_KEY", StringComparison.Ordinal) || Explained().IsMatch(text),
                $"{page} does not say what $POSTRIDER_API_KEY is");
        }
    }

    async Task<string> RunAsync(string script, string bin, string address)
    {
        using var shell = Process.Start(new ProcessStartInfo("bash", ["-eo", "pipefail"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Folder,
            Environment =
            {
                ["POSTRIDER_API_KEY"] = Key,
                ["POSTRIDER_URL"] = address,
                ["PATH"] = $"{bin}:{AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}",
            },
        })!;
        await shell.StandardInput.WriteAsync(script);
        shell.StandardInput.Close();
        var error = shell.StandardError.ReadToEndAsync();
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        Assert.True(shell.ExitCode == 0, $"exit code {shell.ExitCode} of\n{script}\n{output}\n{await error}");
        return output;
    }

    static bool IsElsewhere(string page, string block) =>
        NotHere.Any(except => except.Page == page && block.StartsWith(except.Begins, StringComparison.Ordinal));

    static List<string> BlocksOf(string page) =>
        [.. Block().Matches(File.ReadAllText(Repository.Path(page.Split('/')))).Select(match => match.Groups[1].Value)];

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"`\$POSTRIDER_API_KEY` is |export POSTRIDER_API_KEY=")]
    private static partial Regex Explained();
}
