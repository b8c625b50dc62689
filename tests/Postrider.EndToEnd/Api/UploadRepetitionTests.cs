using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Uploads to a large batch that come twice under one Idempotency-Key.</summary>
public sealed class UploadRepetitionTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Lines = "application/x-ndjson";

    readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("\"a@x.example\"\n\"b@x.example\"\n", "\"c@x.example\"\n\"d@x.example\"\n", Lines)]
    [InlineData("\"a@x.example\"\n\"b@x.example\"\n", "\"a@x.example\"\n", Lines)]
    [InlineData("\"a@x.example\"\n", "\"a@x.example\"\n\"b@x.example\"\n", Lines)]
    [InlineData("\"a@x.example\"\n", "{\"email\":\"a@x.example\",\"name\":\"A\"}\n", Lines)]
    [InlineData("", "\"a@x.example\"\n", Lines)]
    [InlineData("email,city\na@x.example,Ulm\n", "email,city\na@x.example,Bonn\n", "text/csv")]
    [InlineData("email,city\na@x.example,Ulm\n", "email,town\na@x.example,Ulm\n", "text/csv")]
    [InlineData("email,name\na@x.example,\"Ann\nLee\"\n", "email,name\na@x.example,Ann\nb@x.example,Lee\n", "text/csv")]
    [InlineData("""["a@x.example","b@x.example"]""", """["a@x.example","c@x.example"]""", "application/json")]
    public async Task Other_lines_under_a_used_key_are_refused_and_change_nothing(string first, string second, string type)
    {
        var id = await NewBatchAsync();
        var (_, taken) = await UploadAsync($"/batches/{id}/destinations", first, type, "k");
        var (refused, problem) = await UploadAsync($"/batches/{id}/destinations", second, type, "k");
        Assert.Equal((409, "/problems/idempotency-mismatch"), ((int)refused.StatusCode, (string?)problem["type"]));
        Assert.Equal((int)taken["count"]!, await TotalAsync(id));
        var (again, replayed) = await UploadAsync($"/batches/{id}/destinations", first, type, "k");
        Assert.True(IsReplayed(again));
        Assert.Equal(taken.ToJsonString(), replayed.ToJsonString());
        var (other, _) = await UploadAsync($"/batches/{id}/destinations", second, type, "k2");
        Assert.Equal((HttpStatusCode.OK, false), (other.StatusCode, IsReplayed(other)));
    }

    [Fact]
    public async Task Another_column_mapped_is_another_upload()
    {
        var id = await NewBatchAsync();
        const string csv = "work,home\na@x.example,b@x.example\n";
        await UploadAsync($"/batches/{id}/destinations?map=email:work", csv, "text/csv", "k");
        var (refused, _) = await UploadAsync($"/batches/{id}/destinations?map=email:home", csv, "text/csv", "k");
        Assert.Equal((HttpStatusCode.Conflict, 1), (refused.StatusCode, await TotalAsync(id)));
    }

    [Theory]
    [InlineData("email,name\nann@x.example,Ann\nnowhere,X\n", "text/csv")]
    [InlineData("\"ann@x.example\"\nnothing\n", Lines)]
    [InlineData("""["ann@x.example",5]""", "application/json")]
    public async Task An_upload_that_started_its_batch_is_answered_again_as_it_was(string body, string type)
    {
        var id = await NewBatchAsync();
        await UploadAsync($"/batches/{id}/destinations", "\"b@x.example\"\n", Lines);
        var (first, answer) = await UploadAsync($"/batches/{id}/destinations?start=true", body, type, "k");
        Assert.Equal((HttpStatusCode.OK, false, 2), (first.StatusCode, IsReplayed(first), (int)answer["count"]!));
        await _server.GetAsync($"/batches/{id}", b => (string?)b["status"] == "complete");
        var (again, replayed) = await UploadAsync($"/batches/{id}/destinations?start=true", body, type, "k");
        Assert.Equal((HttpStatusCode.OK, true), (again.StatusCode, IsReplayed(again)));
        Assert.Equal(answer.ToJsonString(), replayed.ToJsonString());
        var (other, problem) = await UploadAsync($"/batches/{id}/destinations?start=true", "\"c@x.example\"\n", Lines, "k");
        Assert.Equal((409, "/problems/idempotency-mismatch"), ((int)other.StatusCode, (string?)problem["type"]));
        var (late, begun) = await UploadAsync($"/batches/{id}/destinations?start=true", body, type, "k2");
        Assert.Equal((409, "/problems/batch-begun"), ((int)late.StatusCode, (string?)begun["type"]));
    }

    [Fact]
    public async Task An_upload_that_broke_goes_on_with_the_same_lines_alone()
    {
        var id = await NewBatchAsync();
        var lines = Enumerable.Range(0, 1_000).Select(i => $"\"r{i}@broken.example\"\n").ToList();
        await BreakAsync(id, string.Concat(lines.Take(700)), "k");
        var taken = await TotalAsync(id);
        Assert.InRange(taken, 1, 700);
        var path = $"/batches/{id}/destinations";

        var (shorter, _) = await UploadAsync(path, string.Concat(lines.Take(taken - 1)), Lines, "k");
        var (other, _) = await UploadAsync(path, string.Concat(lines.Prepend("\"first@broken.example\"\n")), Lines, "k");
        Assert.Equal((HttpStatusCode.Conflict, HttpStatusCode.Conflict), (shorter.StatusCode, other.StatusCode));
        Assert.Equal(taken, await TotalAsync(id));

        var (done, answer) = await UploadAsync(path, string.Concat(lines), Lines, "k");
        Assert.Equal((HttpStatusCode.OK, false), (done.StatusCode, IsReplayed(done)));
        Assert.Equal((1_000, 1_000), ((int)answer["accepted"]!, (int)answer["count"]!));
    }

    [Fact]
    public async Task Of_calls_with_one_key_at_the_same_time_one_body_alone_is_taken()
    {
        var id = await NewBatchAsync();
        string Body(string host) => string.Concat(Enumerable.Range(0, 3_000).Select(i => $"\"r{i}@{host}.example\"\n"));
        var calls = await Task.WhenAll(((string[])["one", "two", "one", "two"]).Select(async host =>
            (Host: host, Answer: await UploadAsync($"/batches/{id}/destinations", Body(host), Lines, "k"))));
        var taken = Assert.Single(calls.Where(c => c.Answer.Response.IsSuccessStatusCode).Select(c => c.Host).Distinct());
        Assert.All(calls, c => Assert.Equal(
            c.Host == taken ? HttpStatusCode.OK : HttpStatusCode.Conflict, c.Answer.Response.StatusCode));
        Assert.Equal(3_000, await TotalAsync(id));
    }

    /// <summary>Sends some of a body and cuts the connection when the server has kept a part of it.</summary>
    async Task BreakAsync(string id, string some, string key)
    {
        using var cut = new CancellationTokenSource();
        using var request = Request($"/batches/{id}/destinations", new UnendedContent(Encoding.UTF8.GetBytes(some), cut.Token), Lines, key);
        var call = _server.Client.SendAsync(request, cut.Token);
        await Eventually.HoldsAsync(async () => await TotalAsync(id) > 0, TimeSpan.FromMinutes(1));
        await cut.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => call);
    }

    async Task<string> NewBatchAsync()
    {
        using var response = await _server.Client.PostAsync(
            "/batches", TestServer.Json("""{"from":"news@example.com","subject":"News","text":"It works."}"""));
        return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!;
    }

    async Task<int> TotalAsync(string id) =>
        (int)(await _server.GetAsync($"/batches/{id}", _ => true))["progress"]!["total"]!;

    static bool IsReplayed(HttpResponseMessage response) => response.Headers.Contains("Idempotent-Replayed");

    async Task<(HttpResponseMessage Response, JsonNode Body)> UploadAsync(string path, string body, string type, string? key = null)
    {
        using var request = Request(path, new StringContent(body), type, key);
        var response = await _server.Client.SendAsync(request);
        return (response, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }

    static HttpRequestMessage Request(string path, HttpContent content, string type, string? key)
    {
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    /// <summary>Bytes with no end behind them.</summary>
    sealed class UnendedContent(byte[] bytes, CancellationToken cut) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(bytes, cut);
            await stream.FlushAsync(cut);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cut);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
