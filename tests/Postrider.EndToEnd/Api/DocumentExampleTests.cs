using System.Diagnostics;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The commands in <c>docs/</c> do what is said there.</summary>
public sealed partial class DocumentExampleTests
{
    [Theory]
    [InlineData("batches.md", "\"accepted\":2,\"refused\":0", "email,name,first")]
    [InlineData("retention.md", "\"kind\":\"bodies\"", "\"keep_seconds\":604800", "@erased.invalid")]
    [InlineData("tracking.md", "\"bulk\":{\"opens\":true,\"clicks\":true},\"stopped\":false", "\"tracking\":null")]
    public async Task Its_commands_run_one_after_the_other(string document, params string[] answers)
    {
        Requires.Program("curl");
        await using var server = await TestServer.StartAsync();
        var commands = Commands().Matches(File.ReadAllText(Repository.Path("docs", document))).Select(m => m.Groups[1].Value);
        var script = string.Join('\n', commands);
        Assert.NotEmpty(script);
        var folder = Directory.CreateTempSubdirectory("postrider-docs-");
        var shell = new ProcessStartInfo("/bin/sh", ["-e", "-c", script.Replace("curl -s", "curl -sSf", StringComparison.Ordinal)
            .Replace("http://127.0.0.1:8025", server.Address.ToString().TrimEnd('/'), StringComparison.Ordinal)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.FullName,
        };
        shell.Environment["KEY"] = TestServer.Key;
        using var run = Process.Start(shell)!;
        var output = await run.StandardOutput.ReadToEndAsync();
        var errors = await run.StandardError.ReadToEndAsync();
        await run.WaitForExitAsync();
        folder.Delete(recursive: true);
        Assert.True(run.ExitCode == 0, output + errors);
        Assert.All(answers, answer => Assert.Contains(answer, output, StringComparison.Ordinal));
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Commands();
}
