using System.Text.Json.Nodes;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Smtp;

/// <summary>Clients that others wrote hand their mail over.</summary>
public sealed class SmtpPeerTests(SmtpServerFixture smtp) : IClassFixture<SmtpServerFixture>
{
    static readonly Lock Once = new();
    static Task<Dictionary<string, JsonNode>>? _nodemailer;

    [Theory]
    [InlineData("PLAIN")]
    [InlineData("LOGIN")]
    public async Task Swaks_sends_with_a_key(string mechanism)
    {
        var to = $"swaks-{mechanism}@sw.example";

        var (code, output, _) = Swaks("--port", $"{smtp.Port}", "--auth", mechanism, "--auth-user", "any", "--auth-password", TestServer.Key,
            "--to", to, "--body", ".\\n..\\nhello");

        Assert.Equal(0, code);
        Assert.Matches("250 2\\.0\\.0 queued as [0-9a-f-]{36}", output);
        Assert.Contains("\r\n.\r\n..\r\nhello\r\n", (await smtp.ArrivedAsync(to))[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Swaks_sends_over_TLS_and_in_one_group_of_commands()
    {
        var (code, _, error) = Swaks("--port", $"{smtp.TlsPort}", "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "any",
            "--auth-password", TestServer.Key, "--to", "tls@sw.example,other@sw.example", "--pipeline");

        Assert.True(code == 0, error);
        Assert.Single(await smtp.ArrivedAsync("other@sw.example"));
    }

    [Theory]
    [InlineData(28, "--auth", "PLAIN", "--auth-user", "any", "--auth-password", "wrong")]
    [InlineData(23)]
    public void Swaks_is_refused_without_a_key(int expected, params string[] arguments)
    {
        var (code, output, _) = Swaks(["--port", $"{smtp.Port}", "--to", "a@sw.example", .. arguments]);

        Assert.Equal(expected, code);
        Assert.Contains(expected == 28 ? "535 5.7.8" : "530 5.7.0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pythons_smtplib_sends_what_it_can_say()
    {
        var python = Requires.Python("smtplib");

        var (code, output, error) = Peers.Run(
            python, [Path.Combine(Peers.Folder, "send_mail.py"), $"{smtp.Port}", $"{smtp.TlsPort}", TestServer.Key]);

        Assert.True(code == 0, error);
        var told = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).Select(
            line => $"{line["name"]} {line["value"]!.ToJsonString()}");
        Assert.Equal(
            [
                "clear {}", "again {}", """refused {"a@b":553,"c@d":553}""", """some {"a@b":553}""", "bytes with bare LF 550", "lines {}",
                "vrfy 252", "bare CR 500", "implicit {}", "utf8 {}", "wrong 535", "stranger 530",
            ], told);
        Assert.Contains("Subject: lf\r\n\r\nends in LF\r\n", (await smtp.ArrivedAsync("lf@py.example"))[0], StringComparison.Ordinal);
        foreach (var to in (string[])["clear", "again", "some", "implicit", "üser"])
            Assert.Single(await smtp.ArrivedAsync($"{to}@py.example"));
    }

    [Fact]
    public async Task Nodemailer_sends_everything_it_can_say()
    {
        var calls = await NodemailerAsync();

        var full = calls["full"]["ok"]!;
        Assert.Equal(["full@nm.example", "b@nm.example", "c@nm.example", "d@nm.example"], full["accepted"]!.AsArray().Select(a => (string?)a));
        var mail = full["mail"]!;
        Assert.Equal(("\"Sénder\" <sender@example.com>", "full@nm.example, \"Bee\" <b@nm.example>", "c@nm.example", "", "Hello ünïcode", "plain"),
            (Text(mail, "from"), Text(mail, "to"), Text(mail, "cc"), Text(mail, "bcc"), Text(mail, "subject"), Text(mail, "text")));
        Assert.Equal("""["X-Custom: v1"]""", mail["headers"]!.ToJsonString());
        Assert.Equal(["i.png", "ä.txt"], mail["attachments"]!.AsArray().Select(a => (string?)a!["name"]));
        var message = full["message"]!;
        Assert.Equal(["one", "zwölf"], message["tags"]!.AsArray().Select(tag => (string?)tag));
        Assert.Equal(("bulk", "42"), (Text(message, "stream"), (string?)message["metadata"]!["order"]));
        Assert.Equal(["to", "to", "cc", "bcc"], message["recipients"]!.AsArray().Select(r => (string?)r!["kind"]));
        foreach (var (name, result) in new (string, string)[]
        {
            ("verify", "true"), ("LOGIN", """["login@nm.example"]"""), ("implicit TLS", """["tls@nm.example"]"""),
            ("STARTTLS", """["starttls@nm.example"]"""), ("pool", "100"), ("10 MB", "10000000"), ("long line", "5000"),
            ("delivery report asked for", """["dsn@nm.example"]"""), ("same key", "1"),
            ("one bad recipient of two", """{"accepted":["good@nm.example"],"rejected":["a@nm..example"]}"""),
        })
            Assert.Equal(result, calls[name]["ok"]?.ToJsonString() ?? calls[name].ToJsonString());
        Assert.Equal(".\n..\n.a", (string?)calls["dots"]["ok"]);
        Assert.NotNull(calls["address beyond ASCII"]["ok"]);
    }

    [Theory]
    [InlineData("bad key", "EAUTH", "535 5.7.8")]
    [InlineData("no key", "EENVELOPE", "530 5.7.0")]
    [InlineData("too large", "EMESSAGE", "552 5.3.4|size")]
    [InlineData("bad recipient", "EENVELOPE", "553 5.1.3")]
    [InlineData("unknown instruction", "EMESSAGE", "554 5.6.0")]
    [InlineData("STARTTLS with a certificate nobody vouches for", "ESOCKET|ETLS|DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed|self signed")]
    public async Task Nodemailer_throws_with_our_reply(string call, string code, string words)
    {
        var error = (await NodemailerAsync())[call]["error"];

        Assert.NotNull(error);
        Assert.Matches(code, Text(error, "code"));
        Assert.Matches(words, Text(error, "message"));
    }

    static (int Code, string Output, string Error) Swaks(params string[] arguments) => Peers.Run(
        Requires.Program("swaks"), ["--server", "127.0.0.1", "--from", "sender@example.com", .. arguments]);

    static string Text(JsonNode node, string name) => (string?)node[name] ?? "";

    /// <summary>The script runs once for all tests of the class.</summary>
    Task<Dictionary<string, JsonNode>> NodemailerAsync()
    {
        lock (Once)
            return _nodemailer ??= Task.Run(RunNodemailer);
    }

    Dictionary<string, JsonNode> RunNodemailer()
    {
        var node = Requires.Program("node");
        Peers.Install();
        var given = new JsonObject
        {
            ["url"] = smtp.Server.Address.ToString(),
            ["key"] = TestServer.Key,
            ["smtp"] = smtp.Port,
            ["smtps"] = smtp.TlsPort,
        };
        var (code, output, error) = Peers.Run(node, Path.Combine("sdk", "nodemailer.mjs"), given.ToJsonString());
        Assert.True(code == 0, error);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
            .ToDictionary(call => (string)call["name"]!);
    }
}
