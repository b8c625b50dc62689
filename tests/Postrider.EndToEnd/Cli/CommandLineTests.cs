using System.Collections;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>The commands against a real server, and their exit codes and words when something is wrong.</summary>
public sealed class CommandLineTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Send_with_wait_ends_with_the_message()
    {
        var run = await RunAsync("send", "--from", "Ann <a@b.example>", "--to", "c@d.example", "-s", "Hello", "--text", "Hi", "--wait");
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("c@d.example  sent", run.Output, StringComparison.Ordinal);
        Assert.EndsWith("complete\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Batches_are_sent_from_a_file_watched_and_listed()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "E-Mail\nann@cli.example\nnowhere\nbo@cli.example\n");
        string[] send = ["batches", "send", "--from", "a@b.example", "--subject", "News", "--text", "Hi", "--csv", file,
            "--map", "email:E-Mail", "--idempotency-key", "cli", "--watch"];
        var run = await RunAsync(send);
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("complete (expanded)", run.Output, StringComparison.Ordinal);
        Assert.Contains("2 of 2 destinations are messages: sent 2", run.Output, StringComparison.Ordinal);
        Assert.Contains("'nowhere' is not an email address", run.Output, StringComparison.Ordinal);
        var id = run.Output.Split('\n').First(l => l.Contains("complete", StringComparison.Ordinal)).Split(' ')[0];
        Assert.Contains(id, (await RunAsync(send)).Output, StringComparison.Ordinal);
        Assert.Contains(id, (await RunAsync("batches", "list")).Output, StringComparison.Ordinal);
        Assert.Contains("paused", (await RunAsync("batches", "pause", id)).Output, StringComparison.Ordinal);
        Assert.Equal("The batch is expanded.\n", (await RunAsync("batches", "resume", id)).Output);
        Assert.StartsWith("No recipient failed", (await RunAsync("batches", "retry-failed", id)).Output);
        Assert.Equal(1, (await RunAsync("batches", "cancel", new Postrider.Messages.MessageId(12345).ToString())).ExitCode);
        File.Delete(file);
    }

    [Fact]
    public async Task Wait_says_when_the_message_is_still_open()
    {
        var run = await RunAsync(
            "send", "--from", "a@b.example", "--to", "c@d.example", "--text", "Hi", "--send-at", Tomorrow, "--wait", "--timeout", "1");
        Assert.Equal(75, run.ExitCode);
        Assert.Contains("scheduled", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_comes_from_standard_input_when_no_body_is_given()
    {
        var sent = await JsonAsync("von dort: ÄÖ", "send", "--from", "a@b.example", "--to", "c@d.example", "-s", "Hello");
        var email = await JsonAsync(null, "status", (string)sent["id"]!);
        Assert.Equal("von dort: ÄÖ", (string)email["text"]!);
    }

    [Fact]
    public async Task A_file_holds_the_whole_message()
    {
        const string Mail = """{"from":"a@b.example","to":["c@d.example"],"subject":"from a file","text":"x"}""";
        var sent = await JsonAsync(Mail, "send", "--file", "-");
        Assert.Equal("from a file", (string)(await JsonAsync(null, "status", (string)sent["id"]!))["subject"]!);

        var both = await RunAsync(Mail, ["send", "--file", "-", "--subject", "two masters"]);
        Assert.Equal((2, "postrider: --file holds the whole message: leave out --subject\n"), (both.ExitCode, both.Error));
    }

    [Fact]
    public async Task Headers_attachments_and_tags_arrive_as_given()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "attached");
        var sent = await JsonAsync(null, "send", "--from", "a@b.example", "--to", "c@d.example", "--cc", "e@d.example", "--text", "x",
            "--header", "X-Order: 7", "--attach", file, "--tag", "blue", "--tag", "green", "--wait");
        Assert.Equal("complete", (string)sent["status"]!);
        Assert.Equal(["blue", "green"], sent["tags"]!.AsArray().Select(tag => (string)tag!));
        Assert.Equal(["to", "cc"], sent["recipients"]!.AsArray().Select(recipient => (string)recipient!["kind"]!));
        File.Delete(file);
    }

    [Fact]
    public async Task Status_tells_the_whole_story()
    {
        var sent = await JsonAsync(null, "send", "--from", "a@b.example", "--to", "c@d.example", "--text", "x", "--wait");
        var run = await RunAsync("status", (string)sent["id"]!);
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("accepted", run.Output, StringComparison.Ordinal);
        Assert.Contains("attempt: accepted", run.Output, StringComparison.Ordinal);
        Assert.Contains("capture", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_shows_what_the_filter_leaves()
    {
        var sent = await JsonAsync(null, "send", "--from", "a@b.example", "--to", "c@d.example", "--text", "x", "--tag", "only-here");
        var run = await RunAsync("list", "--tag", "only-here");
        Assert.Contains((string)sent["id"]!, run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain((string)sent["id"]!, (await RunAsync("list", "--tag", "nowhere")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_works_until_it_is_revoked()
    {
        var key = await JsonAsync(null, "keys", "create", "shop", "--scope", "read");
        var secret = (string)key["key"]!;
        Assert.Equal(0, (await RunAsync("list", "--key", secret)).ExitCode);
        Assert.Contains("shop", (await RunAsync("keys", "list")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("keys", "revoke", (string)key["id"]!)).ExitCode);
        var refused = await RunAsync("list", "--key", secret);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("API key (--key, else POSTRIDER_API_KEY)", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Bearer", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_DKIM_key_is_made_with_its_record_in_short_strings_and_removed()
    {
        var run = await RunAsync("dkim", "new", "cli.example", "--selector", "s1");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("\ns1._domainkey.cli.example. 3600 IN TXT (\n    \"v=DKIM1; k=rsa; p=", run.Output, StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n').Where(line => line.StartsWith("    \"", StringComparison.Ordinal)),
            line => Assert.InRange(line.Length, 7, 261));
        Assert.Contains("Then: postrider dkim check cli.example\n", run.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("dkim", "activate", "cli.example", "s1")).ExitCode);
        Assert.Contains("the key s1 goes on signing",
            (await RunAsync("dkim", "new", "CLI.example", "--selector", "s2")).Output, StringComparison.Ordinal);
        var list = (await RunAsync("dkim", "list")).Output;
        Assert.Contains("signs", list, StringComparison.Ordinal);
        Assert.Contains("record not seen yet", list, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("dkim", "remove", "cli.example", "s1")).ExitCode);
        Assert.Equal(0, (await RunAsync("dkim", "remove", "cli.example")).ExitCode);
        Assert.Equal((1, "postrider: There is nothing here.\n"), Failure(await RunAsync("dkim", "remove", "cli.example")));
        Assert.Equal((1, "postrider: There is no such sender domain, or no such key of it.\n"), Failure(await RunAsync("dkim", "check", "cli.example")));
    }

    [Fact]
    public async Task A_transport_is_tested_with_one_mail_that_is_stored_nowhere()
    {
        var before = await JsonAsync(null, "list", "--address", "tester@d.example");
        var run = await RunAsync("transports", "test", "capture", "--to", "tester@d.example");
        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith("accepted after", run.Output, StringComparison.Ordinal);
        var after = await JsonAsync(null, "list", "--address", "tester@d.example");
        Assert.Equal(before["data"]!.AsArray().Count, after["data"]!.AsArray().Count);
        Assert.Equal((1, "postrider: There is no such transport.\n"),
            Failure(await RunAsync("transports", "test", "none", "--to", "a@b.example")));
        Assert.Contains("capture", (await RunAsync("transports", "list")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_are_listed_and_health_asks_without_a_key()
    {
        Assert.Contains("alive", (await RunAsync("nodes")).Output, StringComparison.Ordinal);
        Assert.True((bool)(await JsonAsync(null, "nodes"))["data"]![0]!["alive"]!);
        var run = await RunAsync("health", "--url", shared.Server.Address.ToString());
        Assert.Equal((0, "ready\n", ""), (run.ExitCode, run.Output, run.Error));
        Assert.Equal("ready\n", (await RunAsync("health")).Output); // POSTRIDER_URL, where no server has this environment
        var away = await RunAsync("health", "--url", $"http://127.0.0.1:{Postrider.Testing.Ports.Free()}");
        Assert.Equal(1, away.ExitCode);
        Assert.Contains("does not answer", away.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_into_a_folder_that_is_not_there_says_so()
    {
        var run = await RunAsync("backup", "/no/such/folder/postrider.db");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("there is no folder /no/such/folder: make it first", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transport_and_its_route_are_added_paused_resumed_and_removed()
    {
        var run = await RunAsync("transports", "add", "cli-own", "sim://cli");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.StartsWith("Transport cli-own is in force.\nMail that names no route", run.Output, StringComparison.Ordinal);
        Assert.Equal("Transport cli-own: paused.\n", (await RunAsync("transports", "pause", "cli-own")).Output);
        Assert.Equal("Transport cli-own: ok.\n", (await RunAsync("transports", "resume", "cli-own")).Output);
        Assert.Equal("Route cli is in force.\n", (await RunAsync("routes", "add", "cli", "cli-own", "--tag", "cli")).Output);
        Assert.Contains("tag cli", (await RunAsync("routes", "list")).Output, StringComparison.Ordinal);
        Assert.Contains("take it out of them first", (await RunAsync("transports", "remove", "cli-own")).Error, StringComparison.Ordinal);
        Assert.Equal("Route cli is gone.\n", (await RunAsync("routes", "remove", "cli")).Output);
        Assert.Equal("Transport cli-own is gone.\n", (await RunAsync("transports", "remove", "cli-own")).Output);
    }

    [Theory]
    [InlineData(2, "--limit must be a whole number from 1 to 100", "list", "--limit", "-1")]
    [InlineData(2, "--limit must be a whole number from 1 to 100", "list", "--limit", "many")]
    [InlineData(2, "is no id of a message", "status", "../x")]
    [InlineData(2, "is no id of a key", "keys", "revoke", "../x")]
    [InlineData(2, "Unrecognized", "nonsense")]
    [InlineData(2, "--from is missing", "send", "--to", "a@b.example", "--text", "x")]
    [InlineData(2, "has no colon", "send", "--from", "a@b.example", "--text", "x", "--header", "nothing")]
    [InlineData(2, "cannot be read", "send", "--from", "a@b.example", "--text", "x", "--attach", "/does/not/exist")]
    [InlineData(2, "is no address of a server", "list", "--url", "ftp://x")]
    [InlineData(1, "/to/0: ", "send", "--from", "a@b.example", "--to", "nobody", "--text", "x")]
    [InlineData(1, "There is no message with this id", "status", "01a200b7-9b5c-7004-802b-978fb1c7e462")]
    [InlineData(69, "no server answers at http://127.0.0.1:1/", "list", "--url", "http://127.0.0.1:1")]
    public async Task What_is_wrong_is_said_in_plain_words(int exitCode, string words, params string[] args)
    {
        var run = await RunAsync(args);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Standard_input_that_is_not_UTF8_is_wrong_usage()
    {
        var input = new CommandInput(Variables(), () => new MemoryStream([0xFF, 0xFE, 0x00]));
        var run = await RunAsync(input, "send", "--from", "a@b.example", "--to", "c@d.example");
        Assert.Equal((2, "postrider: standard input is not valid UTF-8\n"), Failure(run));
    }

    [Fact]
    public async Task Without_a_key_the_command_says_how_to_give_one()
    {
        var variables = Variables();
        variables.Remove("POSTRIDER_API_KEY");
        var run = await RunAsync(new CommandInput(variables, null), "list");
        Assert.Equal((2, "postrider: there is no API key: set POSTRIDER_API_KEY or give --key\n"), Failure(run));
    }

    [Fact]
    public async Task The_first_address_that_a_server_listens_on_is_the_clients_too()
    {
        var variables = Variables();
        variables.Remove("POSTRIDER_URL");
        variables["POSTRIDER_URLS"] = $"http://*:{shared.Server.Address.Port} http://127.0.0.1:1";
        Assert.Equal(0, (await RunAsync(new CommandInput(variables, null), "list")).ExitCode);
    }

    [Fact]
    public async Task Https_to_a_server_that_speaks_http_is_named_so()
    {
        var run = await RunAsync("list", "--url", $"https://127.0.0.1:{shared.Server.Address.Port}");
        Assert.Equal(69, run.ExitCode);
        Assert.Contains($"does not speak TLS: is it http://127.0.0.1:{shared.Server.Address.Port}?", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http_to_a_server_that_speaks_https_is_named_so()
    {
        await using var server = await TestServer.StartAsync(("URLS", "https://127.0.0.1:0"));
        var run = await RunAsync("list", "--url", $"http://127.0.0.1:{server.Address.Port}");
        Assert.Equal(69, run.ExitCode);
        Assert.Contains($"is it https://127.0.0.1:{server.Address.Port}?", run.Error, StringComparison.Ordinal);
        var secure = $"https://127.0.0.1:{server.Address.Port}";
        Assert.Contains("give --insecure", (await RunAsync("list", "--url", secure)).Error, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("list", "--url", secure, "--insecure")).ExitCode);
    }

    [Fact]
    public async Task A_single_fault_is_said_once()
    {
        var run = await RunAsync("send", "--from", "a@b.example", "--to", "nobody", "--text", "x");
        Assert.StartsWith("postrider: /to/0: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Config_check_names_every_fault_and_starts_nothing()
    {
        var input = new CommandInput(new Hashtable { ["POSTRIDER_URLS"] = "nowhere", ["POSTRIDER_ROLES"] = "apo" }, null);
        var run = await RunAsync(input, "config", "check");
        Assert.Equal(78, run.ExitCode);
        Assert.Contains("environment POSTRIDER_URLS", run.Error, StringComparison.Ordinal);
        Assert.Contains("environment POSTRIDER_ROLES", run.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync(new CommandInput(new Hashtable(), null), "config", "check")).ExitCode);
    }

    [Fact]
    public async Task Config_show_hides_secrets()
    {
        var input = new CommandInput(new Hashtable
        {
            ["POSTRIDER_API_KEY"] = "a-secret-of-some-length-here",
            ["POSTRIDER_TRANSPORTS"] = "smtp://ann:hidden@mail.example.com",
        }, null);
        var run = await RunAsync(input, "config", "show");
        Assert.Contains("mail.example.com", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("a-secret-of-some-length-here", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_switches_without_test_mode_are_refused_at_start()
    {
        var input = new CommandInput(new Hashtable { ["POSTRIDER_TESTING_ACK_EARLY"] = "1" }, null);
        Assert.Equal(78, (await RunAsync(input, "serve")).ExitCode);
    }

    [Fact]
    public async Task A_reader_that_goes_away_is_no_failure()
    {
        using var process = Process.Start(new ProcessStartInfo(Built("postrider"), ["config", "show"]) { RedirectStandardOutput = true })!;
        process.StandardOutput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }

    static string Tomorrow =>
        TimeProvider.System.GetUtcNow().AddDays(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    static string Built(string name) => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Postrider",
        Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), name));

    static (int, string) Failure(Run run) => (run.ExitCode, run.Error);

    Hashtable Variables() => new() { ["POSTRIDER_URL"] = shared.Server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };

    async Task<JsonNode> JsonAsync(string? standardInput, params string[] args)
    {
        var run = await RunAsync(standardInput, [.. args, "--json"]);
        Assert.True(run.ExitCode == 0, run.Error);
        return JsonNode.Parse(run.Output)!;
    }

    Task<Run> RunAsync(params string[] args) => RunAsync(standardInput: null, args);

    Task<Run> RunAsync(string? standardInput, string[] args) => RunAsync(
        new CommandInput(Variables(), standardInput is null ? null : () => new MemoryStream(Encoding.UTF8.GetBytes(standardInput))), args);

    static async Task<Run> RunAsync(CommandInput input, params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var exitCode = await CommandLine.RunAsync(args, input, output, error);
        return new Run(exitCode, output.ToString(), error.ToString());
    }

    sealed record Run(int ExitCode, string Output, string Error);
}
