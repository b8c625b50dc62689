using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api.Dialects;

/// <summary>The programs of <c>docs/migrate</c> as they stand there, with the vendors' official SDKs, against a server.</summary>
public sealed partial class MigrationPagesTests
{
    [Theory]
    [InlineData("sendgrid", "202")]
    [InlineData("mailgun", "200")]
    [InlineData("ses", "200")]
    [InlineData("postmark", "0")]
    [InlineData("resend", "null")]
    public async Task Its_program_sends_a_mail_and_prints_what_the_page_says(string vendor, string printed)
    {
        Peers.Install();
        await using var server = await TestServer.StartAsync();
        var page = await File.ReadAllTextAsync(Repository.Path("docs", "migrate", $"{vendor}.md"));
        var program = Program().Match(page).Groups[1].Value;
        Assert.Contains("127.0.0.1:8025", program, StringComparison.Ordinal);
        using var made = await server.Client.PostAsync("/keys", TestServer.Json("""{"name":"app","kind":"sigv4","scopes":["send"]}"""));
        var pair = (await made.Content.ReadFromJsonAsync<JsonNode>())!;

        var (code, output, error) = Peers.Run(Requires.Program("node"), "--input-type=module", "--eval", $"""
            Object.assign(process.env, {"{"} POSTRIDER_API_KEY: '{TestServer.Key}',
              AWS_ACCESS_KEY_ID: '{pair["access_key_id"]}', AWS_SECRET_ACCESS_KEY: '{pair["secret"]}' {"}"});
            {program.Replace("127.0.0.1:8025", server.Address.Authority, StringComparison.Ordinal)}
            """);

        Assert.True(code == 0, output + error);
        var line = output.TrimEnd().Split('\n')[^1];
        Assert.Equal(printed, line.Split(' ')[0]);
        Assert.Contains($"It prints `{printed}`", page, StringComparison.Ordinal);
        var email = (await server.Client.GetFromJsonAsync<JsonNode>($"/emails/{Id().Match(line).Value}"))!;
        Assert.Equal("Your order", (string?)email["subject"]);
        Assert.Equal("ann@example.com", (string?)email["to"]![0]);
        Assert.Contains("order", email["tags"]!.ToJsonString() + email["metadata"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_page_is_tried() => Assert.Equal(
        ["mailgun.md", "postmark.md", "resend.md", "sendgrid.md", "ses.md"],
        Directory.GetFiles(Repository.Path("docs", "migrate"), "*.md").Select(Path.GetFileName).Order());

    [GeneratedRegex("```js\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Program();

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Id();
}
