using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The pull feed and the live stream over real HTTP.</summary>
public sealed class EventTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task The_feed_goes_on_where_it_ended()
    {
        var place = await LatestAsync();
        var email = await SendAsync("feed");
        var events = await ReadAsync(place, 2, $"email={email}");

        Assert.Equal(["email.accepted", "email.sent"], events.Select(e => (string)e["type"]!));
        Assert.All(events, e => Assert.Equal(email, (string)e["data"]!["email_id"]!));
        Assert.Equal(("feed", "b@example.com"), ((string)events[1]["data"]!["subject"]!, (string)events[1]["data"]!["to"]![0]!));
        Assert.StartsWith("evt_", (string)events[0]["id"]!);
        Assert.Null(events[0]["data"]!["code"]);
    }

    [Fact]
    public async Task A_waiting_call_is_answered_when_something_happens()
    {
        using var other = await _server.NewClientAsync(new TenantId(7), Scopes.All);
        var page = (await other.GetFromJsonAsync<JsonNode>("/events?after=latest"))!;
        var waiting = other.GetFromJsonAsync<JsonNode>($"/events?wait=30&after={page["next"]}");
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>($"/events?after={page["next"]}"))!["data"]!.AsArray());
        await SendAsync("waits", other);
        Assert.Equal("email.accepted", (string?)(await waiting)!["data"]![0]!["type"]);
    }

    [Theory]
    [InlineData("after=garbage", 400, "invalid-cursor")]
    [InlineData("limit=0", 422, "invalid-field")]
    [InlineData("limit=501", 422, "invalid-field")]
    [InlineData("wait=31", 422, "invalid-field")]
    [InlineData("type=email.nothing", 422, "invalid-field")]
    [InlineData("email=5", 422, "invalid-field")]
    [InlineData("state=sent", 422, "unknown-field")]
    public async Task What_cannot_be_asked_for_is_refused(string query, int status, string slug)
    {
        using var response = await _server.Client.GetAsync($"/events?{query}");
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Contains($"/problems/{slug}", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_live_stream_tells_what_happens_and_goes_on_after_its_last_id()
    {
        using var client = await _server.NewClientAsync(new TenantId(8), Scopes.All);
        string last;
        using (var stream = await SseReader.OpenAsync(client, "/events/stream?type=email.*", null))
        {
            await SendAsync("one", client);
            Assert.Equal("email.accepted", (await stream.NextAsync()).Type);
            var sent = await stream.NextAsync();
            Assert.Equal(("email.sent", "one"), (sent.Type, (string)sent.Data["data"]!["subject"]!));
            last = sent.Id;
        }
        await SendAsync("two", client);
        using var again = await SseReader.OpenAsync(client, "/events/stream", last);
        Assert.Equal("two", (string)(await again.NextAsync()).Data["data"]!["subject"]!);
    }

    [Fact]
    public async Task A_stream_ends_when_its_key_is_revoked()
    {
        var key = await _server.NewKeyAsync(TenantId.First, Scopes.Read);
        using var client = _server.NewClient(key.Secret);
        using var stream = await SseReader.OpenAsync(client, "/events/stream", null);
        using var revoked = await _server.Client.DeleteAsync($"/keys/{key.Key.Id}");
        Assert.Equal(HttpStatusCode.NoContent, revoked.StatusCode);
        await stream.EndAsync().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
    }

    [Fact]
    public async Task A_key_has_ten_streams()
    {
        using var client = await _server.NewClientAsync(new TenantId(9), Scopes.Read);
        var open = new List<SseReader>();
        for (var i = 0; i < 10; i++)
            open.Add(await SseReader.OpenAsync(client, "/events/stream", null));
        using (var refused = await client.GetAsync("/events/stream"))
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        // A call that waits holds a connection too; one that does not wait is answered.
        using (var refused = await client.GetAsync("/events?after=latest&wait=30"))
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        using (var answered = await client.GetAsync("/events?after=latest"))
            Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        open[0].Dispose();
        await Postrider.Testing.Eventually.GetAsync(async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/events/stream");
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            return response.StatusCode;
        }, status => status == HttpStatusCode.OK);
        open.ForEach(s => s.Dispose());
    }

    async Task<string> LatestAsync() => (string)(await _server.Client.GetFromJsonAsync<JsonNode>("/events?after=latest"))!["next"]!;

    async Task<List<JsonNode>> ReadAsync(string place, int count, string query)
    {
        var found = new List<JsonNode>();
        while (found.Count < count)
        {
            var page = (await _server.Client.GetFromJsonAsync<JsonNode>($"/events?limit=1&wait=10&after={place}&{query}"))!;
            found.AddRange(page["data"]!.AsArray().Select(e => e!));
            Assert.NotEmpty(found);
            place = (string)page["next"]!;
        }
        return found;
    }

    async Task<string> SendAsync(string subject, HttpClient? client = null)
    {
        using var response = await (client ?? _server.Client).PostAsync(
            "/emails", TestServer.Json($$"""{"from":"a@example.com","to":"b@example.com","subject":"{{subject}}","tags":["t"]}"""));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!;
    }
}

/// <summary>An event of a live stream.</summary>
sealed record StreamedEvent(string Id, string Type, JsonNode Data);

/// <summary>Reads server-sent events as a browser does.</summary>
sealed class SseReader : IDisposable
{
    readonly HttpResponseMessage _response;
    readonly StreamReader _reader;

    SseReader(HttpResponseMessage response, StreamReader reader) => (_response, _reader) = (response, reader);

    /// <summary>Open as soon as the server says so.</summary>
    public static async Task<SseReader> OpenAsync(HttpClient client, string path, string? lastId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastId is not null)
            request.Headers.Add("Last-Event-ID", lastId);
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { Length: > 0 })
            ;
        return new SseReader(response, reader);
    }

    public async Task<StreamedEvent> NextAsync()
    {
        var (id, type, data) = ("", "", "");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
        while (await _reader.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
                type = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = line[6..];
            else if (line.Length == 0 && data.Length > 0)
                return new StreamedEvent(id, type, JsonNode.Parse(data)!);
        }
        throw new EndOfStreamException();
    }

    public async Task EndAsync()
    {
        while (await _reader.ReadLineAsync() is not null)
            ;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _response.Dispose();
    }
}
