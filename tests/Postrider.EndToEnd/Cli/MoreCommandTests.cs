using System.Collections;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>Templates, tokens and dead letters by command, and what commands print where JSON is asked for.</summary>
public sealed class MoreCommandTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task A_template_is_saved_twice_shown_previewed_and_deleted()
    {
        using var folder = new TemporaryFolder();
        var html = folder.Write("welcome.html", "<p>Welcome, {{name}}.</p>");
        var data = folder.Write("data.json", """{"name":"Bo"}""");
        Assert.EndsWith("is kept as version 1.\n", (await RunAsync("templates", "save", "cli-welcome", "--subject", "Hi {{name}}", "--html", html,
            "--test-data", folder.Write("test.json", """{"name":"Ann"}"""))).Output, StringComparison.Ordinal);
        Assert.EndsWith("is kept as version 2.\n",
            (await RunAsync("templates", "save", "cli-welcome", "--subject", "Hello {{name}}", "--html", html)).Output, StringComparison.Ordinal);
        Assert.Contains("Hello {{name}}", (await RunAsync("templates", "show", "cli-welcome")).Output, StringComparison.Ordinal);
        Assert.Contains("Hi {{name}}", (await RunAsync("templates", "show", "cli-welcome", "--version", "1")).Output, StringComparison.Ordinal);
        Assert.Contains("<p>Welcome, Ann.</p>",
            (await RunAsync("templates", "preview", "cli-welcome", "--version", "1")).Output, StringComparison.Ordinal);
        Assert.Contains("Hello Bo", (await RunAsync("templates", "preview", "cli-welcome", "--data", data)).Output, StringComparison.Ordinal);
        Assert.Contains("<p>Welcome, Bo.</p>", (await RunAsync("templates", "preview", "--html", html, "--data", data)).Output, StringComparison.Ordinal);
        Assert.Contains("cli-welcome", (await RunAsync("templates", "list")).Output, StringComparison.Ordinal);
        Assert.Equal("cli-welcome is archived.\n", (await RunAsync("templates", "delete", "cli-welcome")).Output);
        // Its name is free.
        Assert.EndsWith("is kept as version 1.\n", (await RunAsync("templates", "save", "cli-welcome", "--html", html)).Output, StringComparison.Ordinal);
        var faulty = await RunAsync("templates", "save", "cli-faulty", "--html", folder.Write("faulty.html", "{{#if"));
        Assert.Equal(1, faulty.ExitCode);
        Assert.Contains("/html", faulty.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("templates", "save", "x", "--html", "/does/not/exist")).ExitCode);
    }

    [Fact]
    public async Task A_token_is_made_checked_and_dies_with_its_scope()
    {
        var token = (string)(await JsonAsync("tokens", "create", "--expires-in", "5m", "--scope", "read"))["token"]!;
        Assert.Equal(0, (await RunAsync("list", "--key", token)).ExitCode);
        Assert.Equal(1, (await RunAsync("keys", "list", "--key", token)).ExitCode);
        var check = await RunAsync("tokens", "check", "--key", token);
        Assert.Equal(0, check.ExitCode);
        Assert.StartsWith("valid until ", check.Output, StringComparison.Ordinal);
        var bad = await RunAsync("tokens", "check", "--key", token[..^3] + "xyz");
        Assert.Equal(1, bad.ExitCode);
        Assert.StartsWith("not valid: ", bad.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_letters_of_a_message_are_sent_again_by_its_id()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"smtp://127.0.0.1:{sink.Port}?tls=none"));
        var sent = JsonNode.Parse((await RunAsync(server, "send", "--from", "a@b.example", "--to", "blocked@d.example", "--to", "fine@d.example",
            "--text", "x", "--json", "--wait")).Output)!;
        var id = (string)sent["id"]!;
        Assert.Contains("failed", sent.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("1 letter is sent again.\n", (await RunAsync(server, "dead-letters", "redrive", id)).Output);
        await Eventually.HoldsAsync(async () => (await RunAsync(server, "dead-letters", "list")).Output.Contains(id, StringComparison.Ordinal));
        Assert.Equal("1 letter is discarded.\n", (await RunAsync(server, "dead-letters", "discard", id)).Output);
        Assert.Equal("0 letters are sent again.\n", (await RunAsync(server, "dead-letters", "redrive", id)).Output);
        var fine = JsonNode.Parse((await RunAsync(server, "send", "--from", "a@b.example", "--to", "fine@d.example", "--text", "x", "--json")).Output)!;
        var none = await RunAsync(server, "dead-letters", "redrive", (string)fine["id"]!);
        Assert.Equal(1, none.ExitCode);
        Assert.Contains("has no dead letter", none.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nodes")]
    [InlineData("health")]
    [InlineData("config", "show")]
    [InlineData("config", "check")]
    [InlineData("keys", "list")]
    [InlineData("tokens", "check")]
    [InlineData("templates", "list")]
    [InlineData("batches", "list")]
    [InlineData("schedules", "list")]
    [InlineData("suppressions", "list")]
    [InlineData("transports", "list")]
    [InlineData("dead-letters", "list")]
    [InlineData("retention")]
    [InlineData("doctor")]
    public async Task Json_is_one_value_and_nothing_else(params string[] args) => Assert.NotNull(await JsonAsync(args));

    [Fact]
    public async Task What_the_server_answers_with_nothing_is_an_empty_object()
    {
        using var folder = new TemporaryFolder();
        var key = (string)(await JsonAsync("keys", "create", "gone-soon"))["id"]!;
        Assert.Empty((await JsonAsync("keys", "revoke", key)).AsObject());
        await RunAsync("transports", "add", "gone-soon", "sim://gone");
        Assert.Empty((await JsonAsync("transports", "remove", "gone-soon")).AsObject());
        var file = Path.Combine(folder.Path, "out.csv");
        Assert.Equal(file, (string)(await JsonAsync("suppressions", "export", file))["file"]!);
    }

    async Task<JsonNode> JsonAsync(params string[] args)
    {
        var run = await RunAsync([.. args, "--json"]);
        Assert.True(run.ExitCode == 0, run.Error + run.Output);
        return JsonNode.Parse(run.Output)!;
    }

    Task<Run> RunAsync(params string[] args) => RunAsync(shared.Server, args);

    static async Task<Run> RunAsync(TestServer server, params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var variables = new Hashtable
        {
            ["POSTRIDER_URL"] = server.Address.ToString(),
            ["POSTRIDER_URLS"] = server.Address.ToString().TrimEnd('/'),
            ["POSTRIDER_API_KEY"] = TestServer.Key,
        };
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(variables, null), output, error);
        return new Run(exitCode, output.ToString(), error.ToString());
    }

    sealed record Run(int ExitCode, string Output, string Error);

    sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("postrider-").FullName;

        public string Write(string name, string text)
        {
            var path = System.IO.Path.Combine(Path, name);
            File.WriteAllText(path, text);
            return path;
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
