using System.Diagnostics;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The examples of the pages do what the pages say: each is run in a shell, as it stands, against a server.</summary>
public sealed partial class DocumentedExamplesTests
{
    [Theory]
    [InlineData("tenants.md")]
    [InlineData("dead-letters.md")]
    [InlineData("suppressions.md")]
    [InlineData("transports.md")]
    public async Task Every_example_for_a_shell_succeeds(string page)
    {
        Requires.Program("curl");
        await using var server = await TestServer.StartAsync();
        // A second tenant, for those that change one.
        using var made = await server.Client.PostAsync("/tenants", TestServer.Json("""{"name":"of the examples"}"""));
        Assert.True(made.IsSuccessStatusCode);
        var blocks = Block().Matches(await File.ReadAllTextAsync(Repository.Path("docs", page))).Select(m => m.Groups[1].Value).ToList();
        Assert.True(blocks.Count >= 2);
        foreach (var block in blocks)
            await RunAsync(block.Replace("http://127.0.0.1:8025", server.Address.ToString().TrimEnd('/'), StringComparison.Ordinal));
    }

    static async Task RunAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-e"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["POSTRIDER_API_KEY"] = TestServer.Key;
        using var shell = Process.Start(start)!;
        await shell.StandardInput.WriteAsync(script);
        shell.StandardInput.Close();
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        Assert.True(shell.ExitCode == 0, $"exit code {shell.ExitCode} of\n{script}\n{output}");
        Assert.StartsWith("{", output, StringComparison.Ordinal);
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
