using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>What is shown of an attempt before it has come to anything.</summary>
public sealed class UnderWayTests
{
    [Fact]
    public async Task An_attempt_is_shown_with_its_transport_while_the_relay_has_not_answered()
    {
        await using var sink = SmtpSink.Start(new SmtpSinkOptions { Slow = TimeSpan.FromSeconds(3) });
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none"));
        var before = TimeProvider.System.GetUtcNow();
        using var accepted = await server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"shop@example.com","to":"slow@example.org","subject":"Hello","text":"Hi"}"""));
        var id = (string)(await accepted.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;

        var recipient = (await server.GetEmailAsync(id, e => e["recipients"]![0]!["under_way"] is not null))["recipients"]![0]!;
        Assert.Equal(("leased", "relay"), ((string?)recipient["status"], (string?)recipient["under_way"]!["transport"]));
        Assert.InRange((DateTimeOffset)recipient["under_way"]!["since"]!, before, TimeProvider.System.GetUtcNow());

        recipient = (await server.GetEmailAsync(id, e => (string?)e["status"] == "complete"))["recipients"]![0]!;
        Assert.Equal(("sent", null), ((string?)recipient["status"], recipient["under_way"]));
    }
}
