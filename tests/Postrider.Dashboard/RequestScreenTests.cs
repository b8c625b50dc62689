using System.Net;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What whoever wrote a program sees of the calls that were refused to it.</summary>
public sealed class RequestScreenTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_refused_call_is_shown_with_the_place_of_its_fault_and_found_by_key_call_and_status()
    {
        using var visitor = await Visitor.EnterAsync(_server, "reads@calls.example", UserRole.Viewer);
        Assert.True(await visitor.HasAsync("/ui/requests", "No call was refused."));
        Assert.True(await visitor.HasAsync("/ui/requests", "/requests?limit=20"));

        var key = await _server.NewKeyAsync(TenantId.First, Scopes.Send);
        using var client = _server.NewClient(key.Secret);
        using var refused = await client.PostAsync("/emails", TestServer.Json(
            """{"from":"shop@example.com","to":["ann@example.com","nobody"],"subject":"x","text":"x"}"""));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        await Eventually.HoldsAsync(() => visitor.HasAsync("/ui/requests", "<code>/to/1</code>"));
        foreach (var (asked, isFound) in new[]
        {
            ($"key={key.Key.Id}&call=&status=", true), ("key=&call=post&status=422", true), ("status=404", false), ("call=batches", false),
        })
        {
            Assert.Equal((asked, isFound), (asked, await visitor.HasAsync($"/ui/requests?{asked}", "<code>/to/1</code>")));
            Assert.Equal((asked, !isFound), (asked, await visitor.HasAsync($"/ui/requests?{asked}", "No refused call is like that.")));
        }
        Assert.True(await visitor.HasAsync("/ui/requests?key=nobody-has-this", "key must be the id or the name of a key"));
    }
}
