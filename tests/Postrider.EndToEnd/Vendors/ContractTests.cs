using System.Text.Json.Nodes;
using Postrider.Engine.Tests.Providers;
using Postrider.Hosting;
using Postrider.Providers.Mailgun;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Vendors;

/// <summary>What our senders send, against the vendors' own descriptions of their calls (<c>tests/peers/contracts</c>).</summary>
public sealed class ContractTests
{
    const int Messages = 60;

    [Theory]
    [InlineData("ses", "us-east-1", "200", """{"MessageId":"m"}""")]
    [InlineData("sendgrid", "", "202", "")]
    [InlineData("mailgun", "mg.example.com", "200", """{"id":"<m@mg.example.com>","message":"Queued. Thank you."}""")]
    [InlineData("resend", "", "200", """{"id":"m"}""")]
    public async Task Requests_are_as_the_vendor_describes_them(string vendor, string host, string status, string body)
    {
        var node = Requires.Program("node");
        Peers.Install();
        await using var stub = HttpStub.Start(new HttpReply(int.Parse(status, null), body).With("X-Message-Id", "m"));
        var settings = Engine.Tests.Providers.Vendors.Settings(vendor, stub) with
        {
            Host = host,
            Password = vendor == "ses" ? "SECRET" : null,
        };
        await using var provider = Rooms.ProvidersForChecking.First(factory => factory.Scheme == vendor).Create(settings);
        for (var seed = 0UL; seed < Messages; seed++)
            await provider.SendAsync(Envelopes.With(Engine.Tests.Providers.Vendors.AnyContent(seed), "Al <a@to.test>",
                "\"O, B\" <b@bücher.example>", "cc:c@to.test", "bcc:d@to.test"), CancellationToken.None);
        // All at once: those that say the same share calls, where the vendor has such.
        await Task.WhenAll(Enumerable.Range(0, 20).Select(n => provider.SendAsync(Envelopes.To($"a{n}@to.test"), CancellationToken.None).AsTask()));
        Assert.Equal(vendor == "mailgun", stub.Calls.Any(call => call.Target.EndsWith("/messages", StringComparison.Ordinal)));
        Assert.True(stub.Calls.Count > Messages / 3, $"only {stub.Calls.Count} went out");
        var file = Path.GetTempFileName();
        await File.WriteAllLinesAsync(file, stub.Calls.Select(call => new JsonObject
        {
            ["vendor"] = vendor,
            ["path"] = call.Target,
            ["body"] = vendor == "mailgun" ? Form(call) : JsonNode.Parse(call.Text),
        }.ToJsonString()));

        var (code, output, error) = Peers.Run(node, "validate-requests.mjs", file);

        File.Delete(file);
        Assert.True(code == 0, error);
        var results = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(stub.Calls.Count, results.Count);
        Assert.Empty(results.SelectMany(result => result["errors"]!.AsArray()).Select(one => (string)one!).Distinct());
    }

    /// <summary>A field that repeats is a list.</summary>
    static JsonObject Form(HttpCall call) => new(FormReader.Read(call.Header("Content-Type"), call.Body)!.GroupBy(part => part.Name)
        .Select(field => KeyValuePair.Create<string, JsonNode?>(field.Key, field.Count() == 1
            ? JsonValue.Create(field.First().Text) : new JsonArray([.. field.Select(part => JsonValue.Create(part.Text))]))));
}
