using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Messages;
using Postrider.Submission;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>How a message that came whole is shown to people.</summary>
public sealed class RawMessageTests : IAsyncLifetime
{
    TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Its_subject_and_bodies_are_read_from_its_parts()
    {
        var mime = """
            From: Ann <ann@example.org>
            To: Bob <bob@example.com>
            Subject: =?iso-8859-1?Q?Gr=FC=DFe?=
            Content-Type: multipart/alternative; boundary=b

            --b
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: base64

            R3LDvMOfZQ==
            --b
            Content-Type: text/html

            <p>Hello</p>
            --b--
            """.ReplaceLineEndings("\r\n");
        var request = new SubmissionRequest { Mime = Encoding.UTF8.GetBytes(mime) };

        var result = await _server.Services.GetRequiredService<Submitter>().SubmitAsync(
            request, new SubmissionContext(TenantId.First, null, default), TestContext.Current.CancellationToken);

        var id = Assert.IsType<SubmissionResult.Accepted>(result).Receipt.Items[0].Message!.Id;
        var email = await GetAsync($"/emails/{id}");
        Assert.Equal(("Ann <ann@example.org>", "Grüße", "Grüße", "<p>Hello</p>"), Shown(email));
        Assert.Equal("Bob <bob@example.com>", (string?)email["to"]![0]);
        var inbox = await GetAsync($"/inbox?message={id}");
        while (inbox["data"]!.AsArray().Count == 0)
            inbox = await GetAsync($"/inbox?message={id}");
        var mail = await GetAsync($"/inbox/{inbox["data"]![0]!["id"]}");
        Assert.Equal(("Ann <ann@example.org>", "Grüße", "Grüße", "<p>Hello</p>"), Shown(mail));
        Assert.EndsWith(mime, await _server.Client.GetStringAsync($"/inbox/{inbox["data"]![0]!["id"]}.eml"), StringComparison.Ordinal);
    }

    async Task<JsonNode> GetAsync(string path) => (await _server.Client.GetFromJsonAsync<JsonNode>(path))!;

    static (string?, string?, string?, string?) Shown(JsonNode mail) =>
        ((string?)mail["from"], (string?)mail["subject"], (string?)mail["text"], (string?)mail["html"]);
}
