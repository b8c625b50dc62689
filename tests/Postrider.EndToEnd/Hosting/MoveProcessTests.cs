using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>A server on SQLite that is sending is stopped or killed, moved to PostgreSQL by a command that is killed too, and goes on
/// there.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class MoveProcessTests : BuiltServerTests
{
    const string Key = "key-of-the-move-from-sqlite-up";
    const int Senders = 8;
    const int KillsOfTheMove = 5;

    readonly string _database = PostgresCluster.Shared.Create();

    string To => PostgresCluster.Shared.Dsn(_database);

    [Theory]
    [InlineData(false, 11UL)]
    [InlineData(true, 12UL)]
    public async Task Everything_that_was_acknowledged_arrives_once_and_looks_as_before(bool isKilled, ulong seed)
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        var samples = await MakeSamplesAsync(client);
        var soon = await SendAsync(client, "soon@example.org", TimeProvider.System.GetUtcNow().AddSeconds(20));

        using var stop = new CancellationTokenSource();
        var sending = Task.WhenAll(Enumerable.Range(0, Senders).Select(n => SendUntilAsync(client, n, stop.Token)));
        await Eventually.HoldsAsync(() => sink.Count > 100, TimeSpan.FromMinutes(1));
        var (inUse, said) = await MoveAsync("--to", To);
        Assert.Equal(2, inUse);
        Assert.Contains("in use by another process", said, StringComparison.Ordinal);
        if (isKilled)
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
        else
            Assert.Equal(0, await StopAsync(server));
        await stop.CancelAsync();
        var acknowledged = (await sending).SelectMany(sent => sent).ToDictionary();

        await KillMovesAsync(new Dice(seed));
        var report = await MoveForSureAsync();
        server = Start(("POSTRIDER_API_KEY", Key));
        await server.WaitForExitAsync();
        Assert.Equal(74, server.ExitCode);
        Assert.Contains("was moved to", await server.StandardError.ReadToEndAsync(), StringComparison.Ordinal);

        // Another name: what this node does is told apart from what was.
        (server, var there) = await StartAsync(sink, ("POSTRIDER_STORE", To), ("POSTRIDER_STORAGE__NODE_NAME", "after"),
            ("POSTRIDER_MASTER_KEY_FILE", KeyFile().Match(report).Groups[1].Value));
        foreach (var (id, before) in samples)
            Assert.Equal(before, await there.GetStringAsync($"/emails/{id}"));
        await Eventually.HoldsAsync(
            async () => await there.GetFromJsonAsync<JsonNode>("/stats") is { } stats
                && ((int)stats["queued"]!, (int)stats["leased"]!, (int)stats["unknown"]!, (int)stats["scheduled"]!) == (1, 0, 0, 1),
            TimeSpan.FromMinutes(2));
        Assert.Equal("sent", Status(await there.GetStringAsync($"/emails/{soon}")));

        var arrived = sink.Messages.SelectMany(m => m.Recipients).CountBy(to => to).ToDictionary();
        Assert.DoesNotContain(acknowledged.Keys.Append("soon@example.org"), to => !arrived.ContainsKey(to));
        foreach (var to in arrived.Where(a => a.Value > 1).Select(a => a.Key))
        {
            Assert.True(isKilled, to);
            if (acknowledged.TryGetValue(to, out var id))
                Assert.Contains("possible duplicate", await there.GetStringAsync($"/emails/{id}"), StringComparison.Ordinal);
        }
        client.Dispose();
        there.Dispose();
        Assert.Equal(0, await StopAsync(server));
    }

    async Task<(Process Server, HttpClient Client)> StartAsync(SmtpSink sink, params (string, string)[] settings)
    {
        var server = Start([("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"), ("POSTRIDER_STORAGE__NODE_NAME", "before"),
            ("POSTRIDER_TRANSPORTS", $"smtp://127.0.0.1:{sink.Port}?tls=none&concurrency=8"), .. settings]);
        var client = new HttpClient { BaseAddress = new Uri(Address().Match(await BannerAsync(server)).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return (server, client);
    }

    /// <summary>Messages in states that do not change by themselves, and how each looks.</summary>
    static async Task<Dictionary<string, string>> MakeSamplesAsync(HttpClient client)
    {
        using (var paused = await client.PostAsync("/pause", TestServer.Json("""{"stream":"bulk","reason":"the move"}""")))
            Assert.True(paused.IsSuccessStatusCode, await paused.Content.ReadAsStringAsync());
        var states = new Dictionary<string, string>
        {
            [await SendAsync(client, "sent@example.org")] = "sent",
            [await SendAsync(client, "bounce@example.org")] = "bounced",
            [await SendAsync(client, "later@example.org", TimeProvider.System.GetUtcNow().AddDays(1))] = "scheduled",
            [await SendAsync(client, "paused@example.org", stream: "bulk")] = "queued",
        };
        var cancelled = await SendAsync(client, "cancelled@example.org", TimeProvider.System.GetUtcNow().AddDays(1));
        using (await client.PostAsync($"/emails/{cancelled}/cancel", null))
            states[cancelled] = "cancelled";
        var samples = new Dictionary<string, string>();
        foreach (var (id, state) in states)
            samples[id] = await Eventually.GetAsync(
                () => client.GetStringAsync($"/emails/{id}"), text => Status(text) == state);
        return samples;
    }

    static string Status(string email) => (string)JsonNode.Parse(email)!["recipients"]![0]!["status"]!;

    static async Task<string> SendAsync(HttpClient client, string to, DateTimeOffset? at = null, string stream = "transactional")
    {
        var later = at is { } time ? $",\"send_at\":\"{time:yyyy-MM-ddTHH:mm:ssZ}\"" : "";
        using var answer = await client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"shop@example.com","to":"{{to}}","subject":"Hello","text":"Hi","stream":"{{stream}}"{{later}}}"""));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, text);
        return (string)JsonNode.Parse(text)!["id"]!;
    }

    /// <summary>Until the server goes away or it is enough; who was acknowledged, and under which id.</summary>
    static async Task<List<KeyValuePair<string, string>>> SendUntilAsync(HttpClient client, int sender, CancellationToken stop)
    {
        var acknowledged = new List<KeyValuePair<string, string>>();
        try
        {
            for (var i = 0; i < 5_000 && !stop.IsCancellationRequested; i++)
            {
                var to = string.Create(CultureInfo.InvariantCulture, $"r{sender}-{i}@example.org");
                acknowledged.Add(new(to, await SendAsync(client, to)));
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or Xunit.Sdk.TrueException)
        {
            // It was stopped; what it did not answer is nobody's.
        }
        return acknowledged;
    }

    /// <summary>Starts it again and again, and kills it after some of its lines.</summary>
    async Task KillMovesAsync(Dice dice)
    {
        for (var kill = 0; kill < KillsOfTheMove; kill++)
        {
            var move = Move("--to", To);
            for (var lines = 1 + dice.Next(30); lines > 0 && await move.StandardOutput.ReadLineAsync() is not null; lines--)
            {
            }
            move.Kill();
            await move.WaitForExitAsync();
        }
    }

    async Task<string> MoveForSureAsync()
    {
        var (exitCode, report) = await MoveAsync("--to", To);
        Assert.True(exitCode == 0, report);
        var again = await MoveAsync("--to", To);
        Assert.Equal(0, again.ExitCode);
        Assert.Contains("It is moved already", again.Said, StringComparison.Ordinal);
        return again.Said;
    }

    Process Move(params string[] arguments) => Start(
        ["move", "--from", "sqlite:data/postrider.db", .. arguments], ("POSTRIDER_STORAGE__NODE_NAME", "before"));

    async Task<(int ExitCode, string Said)> MoveAsync(params string[] arguments)
    {
        var move = Move(arguments);
        var errors = move.StandardError.ReadToEndAsync();
        var said = await move.StandardOutput.ReadToEndAsync();
        await move.WaitForExitAsync();
        return (move.ExitCode, said + await errors);
    }

    [Fact]
    public async Task The_commands_of_the_page_move_and_can_be_taken_back()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        await SendAsync(client, "later@example.org", TimeProvider.System.GetUtcNow().AddDays(1));
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
        var page = File.ReadAllText(Repository.Path("docs", "postgresql.md"));
        var commands = Commands().Matches(page)
            .Select(m => m.Value.Replace("postgres://postrider@db.example.com/mail", To, StringComparison.Ordinal)).ToList();
        Assert.Equal(2, commands.Count);
        var said = await ShellAsync($"""
            set -e
            export PATH="{AppContext.BaseDirectory}:$PATH"
            cd '{Folder}'
            {string.Join('\n', commands)}
            postrider move --undo --from sqlite:data/postrider.db --to '{To}'
            """);
        Assert.Contains("Nothing was moved.", said, StringComparison.Ordinal);
        Assert.Contains("verified row by row", said, StringComparison.Ordinal);
        Assert.Contains("The move is given up", said, StringComparison.Ordinal);
        (server, client) = await StartAsync(sink);
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();

    [GeneratedRegex(@"POSTRIDER_MASTER_KEY_FILE=(\S+) here")]
    private static partial Regex KeyFile();

    [GeneratedRegex("^postrider move .*$", RegexOptions.Multiline)]
    private static partial Regex Commands();
}
