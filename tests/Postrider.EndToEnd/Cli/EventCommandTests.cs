using System.Collections;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary><c>tail</c> and <c>webhooks</c> against a real server, and the examples of their page.</summary>
public sealed partial class EventCommandTests : IAsyncLifetime
{
    TestServer? _server;

    TestServer Server => _server!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(("WEBHOOKS__ALLOW", "127.0.0.1/32:*"));
    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    [Fact]
    public async Task Tail_shows_what_happens()
    {
        var tail = RunAsync("tail", "--type", "email.*", "--count", "2");
        while (!tail.IsCompleted)
        {
            await RunAsync("send", "--from", "a@b.example", "--to", "c@d.example", "-s", "Hello", "--text", "x");
            await Task.WhenAny(tail, Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System));
        }
        var (code, output, error) = await tail;
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("c@d.example", output, StringComparison.Ordinal);
        Assert.Matches("email\\.(accepted|sent)", output);
        Assert.Equal(2, output.TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task Tail_says_what_is_wrong()
    {
        Assert.Equal(2, (await RunAsync("tail", "--count", "0")).Code);
        var unknown = await RunAsync("tail", "--type", "email.nothing");
        Assert.Equal(1, unknown.Code);
        Assert.Contains("There is no event email.nothing", unknown.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("tail", "--after", "garbage")).Code);
    }

    [Fact]
    public async Task A_webhook_is_made_tested_looked_at_and_removed()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200, "ok"));
        var made = await RunAsync("webhooks", "create", receiver.Url.ToString(), "--event", "email.*", "--header", "X-Key: 7");
        Assert.Contains("secret  whsec_", made.Output, StringComparison.Ordinal);
        var id = WebhookId().Match(made.Output).Value;
        Assert.Contains("works", (await RunAsync("webhooks", "list")).Output, StringComparison.Ordinal);
        Assert.StartsWith("taken after", (await RunAsync("webhooks", "test", id)).Output);
        Assert.Equal("7", receiver.Calls[0].Header("X-Key"));
        await RunAsync("send", "--from", "a@b.example", "--to", "c@d.example", "--text", "x");
        await Eventually.HoldsAsync(async () => (await RunAsync("webhooks", "deliveries", id, "--state", "delivered")).Output
            .Contains("email.sent", StringComparison.Ordinal));
        var one = (string)JsonNode.Parse((await RunAsync("webhooks", "deliveries", id, "--json")).Output)!["data"]![0]!["id"]!;
        Assert.Contains("1 are sent again", (await RunAsync("webhooks", "redeliver", id, one)).Output, StringComparison.Ordinal);
        Assert.Contains("are sent again", (await RunAsync("webhooks", "redeliver", id, "--from", "2027-01-31T00:00:00Z")).Output,
            StringComparison.Ordinal);
        Assert.Contains("disabled", (await RunAsync("webhooks", "disable", id)).Output, StringComparison.Ordinal);
        Assert.Contains("enabled", (await RunAsync("webhooks", "enable", id)).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("webhooks", "remove", id)).Code);
        Assert.Equal(1, (await RunAsync("webhooks", "test", id)).Code);
        Assert.Equal(2, (await RunAsync("webhooks", "test", "../keys")).Code);
        Assert.Equal(2, (await RunAsync("webhooks", "redeliver", id)).Code);
    }

    async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var variables = new Hashtable { ["POSTRIDER_URL"] = Server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(arguments, new CommandInput(variables, null), output, error);
        return (code, output.ToString(), error.ToString());
    }

    [GeneratedRegex("wh_[a-z2-7]{20}")]
    private static partial Regex WebhookId();
}
