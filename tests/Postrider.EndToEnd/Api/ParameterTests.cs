using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Api;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Query parameters that a call does not read are refused by every call, so that a misspelt one never does more than was
/// asked for.</summary>
public sealed partial class ParameterTests(SharedServer shared) : IClassFixture<SharedServer>
{
    /// <summary>Providers, mail programs and probes put their addresses together, and add to them.</summary>
    static readonly string[] Lenient =
    [
        "GET /healthz", "GET /metrics", "GET /readyz", "GET /t/c/{token}", "GET /t/o/{token}", "GET /u/{token}", "HEAD /t/c/{token}",
        "HEAD /t/o/{token}", "HEAD /u/{token}", "POST /callbacks/{vendor}/{secret}", "POST /u/{token}",
    ];

    static readonly string[] Bodiless =
    [
        "POST /schedules/{id}/run", "POST /batches/{id}/start", "POST /batches/{id}/cancel", "POST /batches/{id}/pause",
        "POST /batches/{id}/resume", "POST /batches/{id}/retry-failed", "POST /emails/{id}/cancel", "POST /emails/{id}/retry",
    ];

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Every_call_refuses_a_parameter_that_it_does_not_read()
    {
        var endpoints = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();
        Assert.True(endpoints.Count > 100);
        foreach (var endpoint in endpoints.Where(e => !Lenient.Contains(Name(e))))
        {
            using var request = new HttpRequestMessage(Method(endpoint), PathOf(endpoint) + "?misspelt=1");
            request.Content = request.Method == HttpMethod.Get ? null : TestServer.Json("{}");
            using var response = await _server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            Assert.True(response.StatusCode == HttpStatusCode.UnprocessableEntity, $"{Name(endpoint)}: {problem}");
            Assert.Equal("/problems/unknown-field", (string?)problem!["type"]);
            var known = endpoint.Metadata.GetOrderedMetadata<DocumentedParameters>().SelectMany(p => p.All).Select(p => p.Name).ToList();
            Assert.Contains("There is no parameter misspelt here", (string?)problem["errors"]![0]!["detail"]);
            Assert.All(known, name => Assert.Contains(name, (string?)problem["errors"]![0]!["detail"]));
        }
        Assert.Equal(Lenient, endpoints.Where(e => e.Metadata.GetMetadata<AnyParameters>() is not null).Select(Name).Order());
    }

    [Fact]
    public async Task Every_call_that_takes_no_body_refuses_one()
    {
        var endpoints = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => !Lenient.Contains(Name(e)) && e.Metadata.GetMetadata<IAcceptsMetadata>() is null
                && Name(e) != "POST /callbacks/dsn")
            .ToList();
        Assert.Superset(Bodiless.ToHashSet(), endpoints.Select(Name).ToHashSet());
        foreach (var endpoint in endpoints)
        {
            async Task<JsonNode> RefusedAsync(string body)
            {
                using var request = new HttpRequestMessage(Method(endpoint), PathOf(endpoint)) { Content = TestServer.Json(body) };
                using var response = await _server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
            }
            var problem = await RefusedAsync("""{"bounced":true}""");
            Assert.True((string?)problem["type"] == "/problems/unknown-field", $"{Name(endpoint)}: {problem}");
            Assert.Equal("/bounced", (string?)problem["errors"]![0]!["pointer"]);
            Assert.Equal("/problems/bad-request", (string?)(await RefusedAsync("bounced=true"))["type"]);
            Assert.Equal("/problems/bad-request", (string?)(await RefusedAsync($"{{\"a\":\"{new string('x', 5_000)}\"}}"))["type"]);
            Assert.Equal("/problems/invalid-field", (string?)(await RefusedAsync("[1]"))["type"]);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    public async Task A_body_that_says_nothing_is_none(string body)
    {
        foreach (var path in Bodiless.Select(name => Parameter().Replace(name.Split(' ')[1], "1")))
        {
            using var response = await _server.Client.PostAsync(path, new StringContent(body)); // of whatever type
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("DELETE", "/suppressions/both@misspelt.example?steam=bulk")]
    [InlineData("DELETE", "/suppressions/both@misspelt.example?stream=bulk&stream=transactional")]
    [InlineData("DELETE", "/suppressions/both@misspelt.example?stream=")]
    public async Task A_misspelt_stream_takes_nothing_off_the_list(string method, string path)
    {
        foreach (var stream in (string[])["bulk", "transactional"])
        {
            using var _ = await _server.Client.PostAsync(
                "/suppressions", TestServer.Json($$"""{"email":"both@misspelt.example","stream":"{{stream}}"}"""));
        }
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var refused = await _server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        var left = await _server.Client.GetFromJsonAsync<JsonNode>("/suppressions?email=both@misspelt.example");
        Assert.Equal(2, left!["data"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("/batches/{0}/destinations?start=yes")]
    [InlineData("/batches/{0}/retry-failed?bounced=")]
    [InlineData("/batches/{0}/retry-failed?bounced=true&bounced=false")]
    [InlineData("/lists/{0}/recipients?replace=1")]
    [InlineData("/suppressions/import?stream=bulky")]
    public async Task A_value_that_means_nothing_is_refused(string path)
    {
        using var made = await _server.Client.PostAsync(path.StartsWith("/lists", StringComparison.Ordinal) ? "/lists" : "/batches",
            TestServer.Json(path.StartsWith("/lists", StringComparison.Ordinal)
                ? """{"name":"values"}""" : """{"from":"a@example.com","subject":"S","text":"T"}"""));
        var id = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        using var response = await _server.Client.PostAsync(
            string.Format(System.Globalization.CultureInfo.InvariantCulture, path, id), TestServer.Json("""["x@value.example"]"""));
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((422, "/problems/invalid-field"), ((int)response.StatusCode, (string?)problem["type"]));
    }

    [Fact]
    public async Task A_stranger_learns_nothing_of_parameters()
    {
        using var response = await _server.Stranger.GetAsync("/stats?misspelt=1");
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    // Not in the routes: the path of a vendor's API, whose clients may add what the vendor would not read either.
    [Fact]
    public async Task A_vendors_call_is_as_lenient_as_the_vendor()
    {
        using var response = await _server.Client.PostAsync("/v3/mail/send?misspelt=1", TestServer.Json("""
            {"personalizations":[{"to":[{"email":"v@misspelt.example"}]}],"from":{"email":"a@example.com"},"subject":"S",
            "content":[{"type":"text/plain","value":"T"}]}
            """));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    static HttpMethod Method(RouteEndpoint endpoint) => new(endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]);

    static string Name(RouteEndpoint endpoint) => $"{Method(endpoint)} {endpoint.RoutePattern.RawText}";

    static string PathOf(RouteEndpoint endpoint) => Parameter().Replace(endpoint.RoutePattern.RawText!, "1");

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
