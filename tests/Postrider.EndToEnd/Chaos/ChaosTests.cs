using System.Diagnostics;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Chaos;

/// <summary>A part of the short form of <c>make chaos</c>: real processes, an independent sink and client that keep their own
/// books.</summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Kills_under_load_lose_nothing_and_every_duplicate_is_explained()
    {
        Requires.Check();
        await RunAsync("--rows", "1", "--engine", "sqlite", "--controls", "without");
    }

    [Fact]
    public async Task Power_cuts_lose_nothing_that_was_acknowledged()
    {
        Requires.Check();
        RequireDisk();
        await RunAsync("--rows", "3", "--engine", "sqlite", "--controls", "without");
    }

    [Fact]
    public async Task A_database_that_is_restarted_loses_nothing_and_mail_is_taken_again()
    {
        Requires.Check();
        RequirePostgres();
        await RunAsync("--rows", "9", "--controls", "without");
    }

    [Fact]
    public async Task Killed_and_frozen_nodes_and_a_database_that_is_restarted_lose_nothing()
    {
        Requires.Check();
        RequirePostgres();
        await RunAsync("--rows", "all", "--controls", "without");
    }

    [Fact]
    public async Task The_harness_turns_red_when_mail_is_acknowledged_before_the_commit_or_commits_are_not_synced()
    {
        Requires.Check();
        RequireDisk();
        await RunAsync("--rows", "1,3", "--engine", "sqlite", "--controls", "only", "--together", "2");
    }

    static void RequirePostgres() => Requires.Program("initdb", Directory.Exists("/usr/lib/postgresql")
        ? [.. Directory.GetDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin"))] : []);

    static void RequireDisk()
    {
        Requires.Root();
        Requires.Program("mkfs.ext4");
        Requires.That(File.Exists("/dev/loop-control"), "this system has no loop devices");
    }

    async Task RunAsync(params string[] arguments)
    {
        var binaries = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", ".."));
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var folder = Directory.CreateTempSubdirectory("postrider-chaos-").FullName;
        using var run = Process.Start(new ProcessStartInfo(Path.Combine(binaries, "Postrider.Chaos", configuration, "Postrider.Chaos"),
            ["run", .. arguments, "--limit", "600", "--folder", folder,
                "--binary", Path.Combine(binaries, "Postrider", configuration, "postrider")])
        { RedirectStandardOutput = true })!;
        var said = await run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        output.WriteLine(said);
        Assert.True(run.ExitCode == 0, said);
        Directory.Delete(folder, recursive: true);
    }
}
