using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Alerts;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Storage;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>What an operator asks a real server for: what waits, what is wrong, who may sign in, whom nobody writes to.</summary>
public sealed partial class OperatingCommandTests : IAsyncLifetime
{
    TestServer? _server;

    TestServer Server => _server!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();
    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    [Fact]
    public async Task Queue_says_what_waits_and_for_what()
    {
        Assert.Equal("Nothing waits.\n", await OutputAsync("queue"));
        Assert.Equal("""{"data":[]}""", (await JsonAsync("queue")).ToJsonString());

        await OutputAsync("transports", "pause", "capture");
        await SendAsync("""{"from":"a@b.example","to":["c@d.example","e@d.example"],"subject":"s","text":"x"}""");
        await SendAsync("""{"from":"a@b.example","to":"f@d.example","subject":"s","text":"x","stream":"bulk"}""");
        var tomorrow = TimeProvider.System.GetUtcNow().AddDays(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        await SendAsync($$"""{"from":"a@b.example","to":"g@d.example","subject":"s","text":"x","send_at":"{{tomorrow}}"}""");

        // Why a route waits is known once its first mail was looked at.
        var groups = await Eventually.GetAsync(() => JsonAsync("queue"), queue =>
            queue["data"]!.AsArray().Count(group => (string?)group!["waiting_text"] == "capture is paused") == 2);
        Assert.Equal(
            ["2 transactional default queued paused", "1 transactional default scheduled ", "1 bulk default queued paused"],
            groups["data"]!.AsArray().Select(group =>
                $"{group!["recipients"]} {group["stream"]} {group["route"]} {group["status"]} {(group["status"]!.ToString() == "queued" ? group["waiting_for"] : "")}"));
        var lines = (await OutputAsync("queue")).Split('\n');
        Assert.Contains(lines, line => Headings().IsMatch(line));
        Assert.Contains(lines, line => TwoWait().IsMatch(line));
        Assert.Contains(lines, line => OneIsScheduled().IsMatch(line));

        await OutputAsync("transports", "resume", "capture");
        await Eventually.HoldsAsync(async () => (await JsonAsync("queue"))["data"]!.AsArray() is [var left]
            && (string?)left!["status"] == "scheduled");
    }

    [Fact]
    public async Task A_disk_without_room_is_named_as_what_mail_waits_for()
    {
        await OutputAsync("transports", "pause", "capture");
        await SendAsync("""{"from":"a@b.example","to":"c@d.example","subject":"s","text":"x"}""");
        Server.Services.GetRequiredService<StorageOptions>().MinFreeBytes = long.MaxValue / 2;
        // It is asked for four times a second: only then may the transport go on.
        var queue = await Eventually.GetAsync(() => JsonAsync("queue"), queue => (string?)queue["data"]![0]!["waiting_for"] == "storage_low");
        await OutputAsync("transports", "resume", "capture");
        Assert.Equal("queued", (string?)queue["data"]![0]!["status"]);
        Assert.Contains("room on the disk of the database: it is nearly full", await OutputAsync("queue"), StringComparison.Ordinal);
        var mail = (await JsonAsync("list"))["data"]![0]!["id"]!;
        Assert.Equal("storage_low", (string?)(await JsonAsync("status", (string)mail!))["recipients"]![0]!["waiting_for"]);

        Server.Services.GetRequiredService<StorageOptions>().MinFreeBytes = 1;
        await Eventually.HoldsAsync(async () => (await JsonAsync("queue"))["data"]!.AsArray().Count == 0);
    }

    [Fact]
    public async Task Alerts_say_what_is_wrong_and_what_to_do()
    {
        Assert.Empty((await JsonAsync("alerts"))["data"]!.AsArray());
        await Server.Services.GetRequiredService<IAlertStore>().ReportAsync(
            [new(AlertKind.CallbacksSilent, "ses-eu", "ses-eu has reported nothing for 7h")], TimeProvider.System.GetUtcNow(), TimeSpan.Zero,
            TimeSpan.FromMinutes(5));
        Assert.Equal("ses-eu", (string?)(await JsonAsync("alerts"))["data"]![0]!["subject"]);
        var shown = await OutputAsync("alerts");
        Assert.Contains("callbacks_silent", shown, StringComparison.Ordinal);
        Assert.Contains("ses-eu has reported nothing for 7h", shown, StringComparison.Ordinal);
        Assert.Contains("Look at the webhook's settings at the provider", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_is_added_changed_and_removed()
    {
        var added = await OutputAsync("users", "add", "ann@example.com", "--role", "operator");
        Assert.StartsWith("ann@example.com is operator.\nlink  http", added, StringComparison.Ordinal);
        Assert.Equal("ann@example.com is admin.\n", await OutputAsync("users", "role", "Ann@example.com", "admin"));
        Assert.Equal("ann@example.com is admin, disabled.\n", await OutputAsync("users", "disable", "ann@example.com"));
        Assert.Equal("ann@example.com is admin.\n", await OutputAsync("users", "enable", "ann@example.com"));
        Assert.Contains("\nlink  http", await OutputAsync("users", "reset", "ann@example.com"), StringComparison.Ordinal);
        Assert.Matches(@"ann@example\.com +admin +none", await OutputAsync("users", "list"));
        Assert.Equal("ann@example.com is removed.\n", await OutputAsync("users", "remove", "ann@example.com"));
        Assert.Empty((await JsonAsync("users", "list"))["data"]!.AsArray());
        var gone = await RunAsync("users", "reset", "ann@example.com");
        Assert.Equal((1, "postrider: there is no user ann@example.com; postrider users list shows those there are\n"), (gone.Code, gone.Error));
        Assert.Equal(2, (await RunAsync("users", "add", "bo@example.com", "--role", "king")).Code);
    }

    [Fact]
    public async Task Suppressions_are_imported_listed_removed_and_exported()
    {
        var file = Path.Combine(Server.Folder, "list.csv");
        await File.WriteAllTextAsync(file, "E-Mail,reason\nann@d.example,asked\nnowhere,\nbo@d.example,\n");
        var imported = await OutputAsync("suppressions", "import", file, "--map", "email:E-Mail");
        Assert.Contains("line 3: ", imported, StringComparison.Ordinal);
        Assert.EndsWith("2 addresses are on the list, 1 lines were refused.\n", imported, StringComparison.Ordinal);
        Assert.Equal("cy@d.example gets no mail any more (bulk).\n", await OutputAsync("suppressions", "add", "cy@d.example", "--stream", "bulk"));
        Assert.Matches(@"ann@d\.example +all mail +manual +asked", await OutputAsync("suppressions", "list"));
        Assert.Equal("bo@d.example gets mail again.\n", await OutputAsync("suppressions", "remove", "bo@d.example"));
        var sent = await RunAsync("send", "--from", "a@b.example", "--to", "ann@d.example", "--text", "x", "--wait");
        Assert.Equal(1, sent.Code);
        Assert.Contains("ann@d.example  suppressed", sent.Output, StringComparison.Ordinal);

        var exported = Path.Combine(Server.Folder, "out.csv");
        await OutputAsync("suppressions", "export", exported);
        var lines = await File.ReadAllLinesAsync(exported);
        Assert.Equal(3, lines.Length);
        Assert.StartsWith("email,", lines[0], StringComparison.Ordinal);
        Assert.Equal(["ann@d.example", "cy@d.example"], lines.Skip(1).Select(line => line.Split(',')[0]).Order());
        Assert.Equal(2, (await RunAsync("suppressions", "import", "/does/not/exist.csv")).Code);
    }

    [Fact]
    public async Task Refused_calls_and_callback_addresses_are_shown()
    {
        using (var refused = await Server.Client.PostAsync("/emails", TestServer.Json("""{"from":"a@b.example","to":"nobody","text":"x"}""")))
            Assert.Equal(422, (int)refused.StatusCode);
        await Eventually.HoldsAsync(async () =>
            (await OutputAsync("keys", "requests")) is var shown && shown.Contains("POST /emails", StringComparison.Ordinal)
                && shown.Contains("/to/0", StringComparison.Ordinal));
        await OutputAsync("transports", "add", "sg", "sendgrid://SG.key@");
        Assert.Matches(@"sg +sendgrid +http://127\.0\.0\.1:\d+/callbacks/sendgrid/[\w-]+", await OutputAsync("transports", "callbacks"));
    }

    // A misspelt option must not lead to another database than the one that was meant, nor to a backup without what was asked for.
    [Theory]
    [InlineData("backup", "x.db", "--with-secret", "yes")]
    [InlineData("backup", "x.db", "--config", "/does/not/exist.json")]
    [InlineData("restore", "x.db", "--dta", "/tmp")]
    [InlineData("migrate", "--stroe", "postgres://localhost/mail")]
    [InlineData("migrate", "--store", "mysql://localhost/mail")]
    [InlineData("move", "--from", "sqlite:x.db", "--too", "postgres://localhost/mail")]
    public async Task A_command_on_local_settings_refuses_what_is_unclear_in_them(params string[] args)
    {
        var (code, output, error) = await RunAsync(args);
        Assert.Equal((78, ""), (code, output));
        Assert.StartsWith("postrider: ", error, StringComparison.Ordinal);
        Assert.False(File.Exists("x.db"));
    }

    async Task SendAsync(string json)
    {
        using var answer = await Server.Client.PostAsync("/emails", TestServer.Json(json), TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    async Task<string> OutputAsync(params string[] args)
    {
        var (code, output, error) = await RunAsync(args);
        Assert.True(code == 0, $"{code}: {error}{output}");
        return output;
    }

    async Task<JsonNode> JsonAsync(params string[] args) => JsonNode.Parse(await OutputAsync([.. args, "--json"]))!;

    async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        var variables = new Hashtable { ["POSTRIDER_URL"] = Server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var code = await CommandLine.RunAsync(args, new CommandInput(variables, null), output, error);
        return (code, output.ToString(), error.ToString());
    }

    [GeneratedRegex("^ *recipients +stream +route +state +waits for +due since +due from")]
    private static partial Regex Headings();

    [GeneratedRegex(@"^ *2 +transactional +default +queued +capture is paused +\d{4}-\d\d-\d\d ")]
    private static partial Regex TwoWait();

    [GeneratedRegex(@"^ *1 +transactional +default +scheduled +.*\d{4}-\d\d-\d\d ")]
    private static partial Regex OneIsScheduled();
}
