using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Looking for something in the audit.</summary>
public sealed class AuditTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task The_audit_is_searched_by_who_what_and_when()
    {
        var tenant = new TenantId(4);
        var began = TimeProvider.System.GetUtcNow().AddMinutes(-1);
        using var all = await _server.NewClientAsync(tenant, Scopes.All);
        var reader = await _server.NewKeyAsync(tenant, Scopes.Read);
        using var mayRead = _server.NewClient(reader.Secret);
        using var added = await all.PostAsync("/suppressions", TestServer.Json("""{"email":"a@example.com"}"""));
        using var removed = await all.DeleteAsync("/suppressions/a@example.com");
        using var denied = await mayRead.PostAsync("/suppressions", TestServer.Json("""{"email":"a@example.com"}"""));

        // An entry is there when its connection takes the next call; this one asks by another.
        var found = await Eventually.GetAsync(() => FindAsync(""), entries => entries.Count == 3);
        Assert.Equal(["POST /suppressions", "DELETE /suppressions/{email}", "POST /suppressions"], found);
        Assert.Equal(["POST /suppressions"], await FindAsync($"?key={reader.Key.Id}"));
        Assert.Equal(["DELETE /suppressions/{email}"], await FindAsync("?action=delete"));
        Assert.Empty(await FindAsync("?action=%25"));
        Assert.Equal(["POST /suppressions"], await FindAsync("?denied=true"));
        Assert.Equal(3, (await FindAsync($"?from={began:yyyy-MM-ddTHH:mm:ssZ}")).Count);
        Assert.Empty(await FindAsync($"?until={began:yyyy-MM-ddTHH:mm:ssZ}"));
        using var unread = await all.GetAsync("/audit?colour=red");
        Assert.Equal(422, (int)unread.StatusCode);

        async Task<IReadOnlyList<string?>> FindAsync(string query) =>
            [.. (await all.GetFromJsonAsync<JsonNode>($"/audit{query}"))!["data"]!.AsArray().Select(entry => (string?)entry!["action"])];
    }
}
