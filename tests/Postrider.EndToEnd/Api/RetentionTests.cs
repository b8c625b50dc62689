using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Cli;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Retention and erasure over HTTP and on the command line.</summary>
public sealed class RetentionTests : IAsyncLifetime
{
    TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(
        ("TRANSPORTS", "sim://fine"), ("RETENTION__BODIES", "2s"), ("RETENTION__LOOK_EVERY", "100ms"));

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    async Task<string> SendAsync(string to, HttpClient? client = null)
    {
        using var response = await (client ?? _server.Client).PostAsync("/emails", TestServer.Json(
            $$"""{"from":"a@example.com","to":"{{to}}","subject":"S","text":"Hello","metadata":{"user":"{{to}}"} }"""));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, text);
        return (string)JsonNode.Parse(text)!["id"]!;
    }

    [Fact]
    public async Task A_body_goes_and_it_is_told_how_many_went()
    {
        var id = await SendAsync("b@example.com");
        var email = await _server.GetEmailAsync(id, e => e["text"] is null);
        Assert.Equal(("S", "sent"), ((string?)email["subject"], (string?)email["recipients"]![0]!["status"]));
        var list = await _server.GetAsync("/retention", l => (long)Kind(l, "bodies")["removed"]! == 1);
        Assert.Equal((2, 0), ((long)Kind(list, "bodies")["keep_seconds"]!, (long)Kind(list, "bodies")["due"]!));
        Assert.Equal(90L * 86_400, (long)Kind(list, "messages")["keep_seconds"]!);
        Assert.Contains("365 days", (await RunAsync("retention", "--dry-run")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, null, null, "How large the database is has not been noted yet.")]
    [InlineData(5_000_000L, null, 1L, null, "The database holds 5.0 MB. How fast it grows is known after twelve hours.")]
    [InlineData(5_000_000L, -3L, 1L, null, "The database holds 5.0 MB, and does not grow.")]
    [InlineData(1_500_000_000L, 30_000_000L, 1L, 864_000L,
        "The database holds 1,500.0 MB, and grows by 30.0 MB a day. At this rate the disk is full in 10 days.")]
    [InlineData(5_000_000L, 1_000_000L, null, null,
        "The database holds 5.0 MB, and grows by 1.0 MB a day. How much room its disk has is not known here: "
            + "POSTRIDER_STORAGE__DATABASE_MAX_BYTES can say how large it may become.")]
    [InlineData(5_000_000L, 1_000_000L, 9L, null, "The database holds 5.0 MB, and grows by 1.0 MB a day; the disk lasts for years.")]
    public void How_long_the_disk_lasts_is_said_in_words(long? bytes, long? perDay, long? room, long? seconds, string words) =>
        Assert.Equal(words, RetentionCommand.Forecast(new DiskAnswer(bytes, perDay, room, seconds)));

    [Fact]
    public async Task The_size_of_the_database_is_noted_from_the_start()
    {
        var list = await _server.GetAsync("/retention", answer => answer["disk"]!["bytes"] is not null);
        Assert.True((long)list["disk"]!["bytes"]! > 100_000);
        Assert.True((long)list["disk"]!["room_bytes"]! > 0);
        // Of this moment, not of the last hour's note.
        using var sent = await _server.Client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"a@example.com","to":"b@example.com","subject":"S","text":"{{new string('x', 1_000_000)}}"}"""));
        Assert.Equal(System.Net.HttpStatusCode.Accepted, sent.StatusCode);
        var now = await _server.GetAsync("/retention", _ => true);
        Assert.True((long)now["disk"]!["bytes"]! > (long)list["disk"]!["bytes"]! + 900_000);
        Assert.Null(list["disk"]!["full_in_seconds"]);
        Assert.Contains("The database holds", (await RunAsync("retention")).Output, StringComparison.Ordinal);
    }

    static JsonNode Kind(JsonNode list, string kind) => list["data"]!.AsArray().Single(one => (string?)one!["kind"] == kind)!;

    [Fact]
    public async Task A_person_is_forgotten_and_other_tenants_know_nothing_of_it()
    {
        var (id, other) = (await SendAsync("Ann@example.com"), await SendAsync("bob@example.com"));
        await _server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "sent");
        using var posted = await _server.Client.PostAsync("/erasures", TestServer.Json("""{"email":"ann@EXAMPLE.com"}"""));
        Assert.Equal(HttpStatusCode.Accepted, posted.StatusCode);
        var order = (await posted.Content.ReadFromJsonAsync<JsonNode>())!;
        var done = await _server.GetAsync($"/erasures/{order["id"]}", e => (string?)e["status"] == "done");
        Assert.Equal((1, 0), ((int)done["messages"]!, (int)done["waiting"]!));
        var story = await _server.Client.GetStringAsync($"/emails/{id}");
        Assert.DoesNotContain("ann@example.com", story, StringComparison.OrdinalIgnoreCase);
        Assert.Contains((string)done["pseudonym"]!, story, StringComparison.Ordinal);
        Assert.Contains("bob@example.com", await _server.Client.GetStringAsync($"/emails/{other}"), StringComparison.Ordinal);
        Assert.DoesNotContain("ann@", await _server.Client.GetStringAsync("/emails?address=ann%40example.com"), StringComparison.Ordinal);
        Assert.DoesNotContain("ann@", await _server.Client.GetStringAsync("/events"), StringComparison.OrdinalIgnoreCase);

        var stranger = await _server.NewClientAsync(new TenantId(2), Scopes.All);
        using var theirs = await stranger.GetAsync($"/erasures/{order["id"]}");
        using var absent = await stranger.GetAsync("/erasures/999");
        Assert.Equal(HttpStatusCode.NotFound, theirs.StatusCode);
        Assert.Equal(await absent.Content.ReadAsStringAsync(), await theirs.Content.ReadAsStringAsync());
        Assert.Empty((await stranger.GetFromJsonAsync<JsonNode>("/erasures"))!["data"]!.AsArray());
        using var manager = await _server.NewClientAsync(TenantId.First, Scopes.Manage);
        using var denied = await manager.PostAsync("/erasures", TestServer.Json("""{"email":"a@b.c"}"""));
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
    }

    [Fact]
    public async Task The_command_erases_only_when_it_is_meant()
    {
        await SendAsync("carl@example.com");
        Assert.Equal(2, (await RunAsync("erase", "carl@example.com")).ExitCode);
        var (exitCode, output, error) = await RunAsync("erase", "carl@example.com", "--yes");
        Assert.True(exitCode == 0, error);
        Assert.StartsWith("1 message and ", output, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("erase", "nobody", "--yes")).ExitCode);
    }

    [Theory]
    [InlineData("""{}""", "invalid-field", "/email")]
    [InlineData("""{"email":7}""", "invalid-field", "/email")]
    [InlineData("""{"email":"a@example.com, b@example.com"}""", "invalid-field", "/email")]
    [InlineData("""{"email":"a@example.com","all":true}""", "unknown-field", "/all")]
    public async Task A_bad_order_says_where_and_what(string body, string slug, string pointer)
    {
        using var response = await _server.Client.PostAsync("/erasures", TestServer.Json(body));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains(slug, text, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"\"{pointer}\""), text, StringComparison.Ordinal);
    }

    async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var variables = new Hashtable { ["POSTRIDER_URL"] = _server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(variables, null), output, error);
        return (exitCode, output.ToString(), error.ToString());
    }
}
