using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>A stream of lines: each accepted by itself, answered in order while the rest is still being sent, and resumable.</summary>
public sealed class NdjsonTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Every_line_has_its_result_in_order()
    {
        var lines = await SendAsync($"{Mail("a")}\n\n{{\n{Mail("b")}\r\n{{\"colour\":1}}\n{Mail("c")}", null);
        Assert.Equal([1, 3, 4, 5, 6], lines.Select(l => (int)l["line"]!));
        Assert.Equal([true, false, true, false, true], lines.Select(l => l["id"] is not null));
        Assert.Equal("/problems/malformed-json", (string?)lines[1]["error"]!["type"]);
        Assert.Equal("/problems/unknown-field", (string?)lines[3]["error"]!["type"]);
    }

    [Fact]
    public async Task A_result_comes_before_the_next_line_is_sent()
    {
        // By hand: HttpClient does not read before it has sent everything.
        using var socket = new TcpClient();
        await socket.ConnectAsync(_server.Address.Host, _server.Address.Port);
        await using var stream = socket.GetStream();
        using var reader = new StreamReader(stream);
        await WriteAsync(stream,
            $"POST /emails/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", await ReadLineAsync(reader));
        while ((await ReadLineAsync(reader)).Length > 0)
            continue;
        for (var i = 1; i <= 3; i++)
        {
            var line = Mail($"talk{i}") + "\n";
            await WriteAsync(stream, $"{line.Length:X}\r\n{line}\r\n");
            await ReadLineAsync(reader); // the chunk's size
            Assert.Equal(i, (int)JsonNode.Parse(await ReadLineAsync(reader))!["line"]!);
            Assert.Equal("", await ReadLineAsync(reader));
        }
        await WriteAsync(stream, "0\r\n\r\n");
        Assert.Equal("0", await ReadLineAsync(reader));
    }

    [Fact]
    public async Task A_stream_sent_again_with_its_key_accepts_only_what_is_new()
    {
        var first = await SendAsync(string.Concat(Enumerable.Range(0, 50).Select(i => Mail($"r{i}") + "\n")), "stream-1");
        var again = await SendAsync(string.Concat(Enumerable.Range(0, 80).Select(i => Mail($"r{i}") + "\n")), "stream-1");
        Assert.Equal(first.Select(l => (string?)l["id"]), again.Take(50).Select(l => (string?)l["id"]));
        Assert.Equal(80, again.Select(l => (string?)l["id"]).Distinct().Count());
        var changed = await SendAsync(Mail("other") + "\n", "stream-1");
        Assert.Equal("/problems/idempotency-mismatch", (string?)changed[0]["error"]!["type"]);
    }

    [Fact]
    public async Task Twenty_thousand_lines_are_all_accepted()
    {
        var lines = await SendAsync(string.Concat(Enumerable.Range(0, 20_000).Select(i => Mail($"n{i}") + "\n")), null);
        Assert.Equal(Enumerable.Range(1, 20_000), lines.Select(l => (int)l["line"]!));
        Assert.Equal(20_000, lines.Select(l => (string?)l["id"]).Where(id => id is not null).Distinct().Count());
    }

    [Fact]
    public async Task A_key_that_leaves_no_room_for_the_number_is_refused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails/batch")
        {
            Content = new StringContent(Mail("x"), Encoding.UTF8, "application/x-ndjson"),
        };
        request.Headers.Add("Idempotency-Key", new string('k', 241));
        using var response = await _server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    static string Mail(string to) => $$"""{"from":"a@example.com","to":"{{to}}@example.com","subject":"S","text":"T"}""";

    async Task<List<JsonNode>> SendAsync(string body, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails/batch")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/x-ndjson"),
        };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        using var response = await _server.Client.SendAsync(request);
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        return [.. (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonNode.Parse(l)!)];
    }

    static async Task<string> ReadLineAsync(StreamReader reader) =>
        (await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System))!;
    static async Task WriteAsync(NetworkStream stream, string text) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text));
}
