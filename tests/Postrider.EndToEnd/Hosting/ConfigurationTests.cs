using System.Collections;
using System.Runtime.Versioning;
using Postrider.Delivery;
using Postrider.Hosting;
using Postrider.Routing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>What is read from file, environment and command line, and what is refused with its place.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ConfigurationTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("postrider-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Nothing_configured_is_no_fault()
    {
        var configuration = Load();
        Assert.Empty(configuration.Faults);
        Assert.Equal(["default: Transports: there are none, so mail is refused: name one in POSTRIDER_TRANSPORTS"], configuration.Warnings);
        Assert.Empty(Load(null, [], ("POSTRIDER_ENVIRONMENT", "Development")).Warnings);
        Assert.Equal("http://127.0.0.1:8025", configuration.Get<PostriderOptions>().Urls);
    }

    [Fact]
    public void The_command_line_wins_over_the_environment_and_that_over_the_file()
    {
        var file = Write("""{ "data": "from-file", "urls": "http://127.0.0.1:1", "Submission": { "MaxRecipients": 7 } }""");
        var configuration = Load(
            file, ["--urls", "http://127.0.0.1:3"], ("POSTRIDER_URLS", "http://127.0.0.1:2"),
            ("POSTRIDER_SUBMISSION__MAX_RECIPIENTS", "8"));
        Assert.Empty(configuration.Faults);
        Assert.Equal("from-file", configuration.Get<PostriderOptions>().Data);
        Assert.Equal("http://127.0.0.1:3", configuration.Get<PostriderOptions>().Urls);
        Assert.Equal(8, configuration.Get<Postrider.Submission.SubmissionOptions>().MaxRecipients);
    }

    [Fact]
    public void Every_fault_is_named_at_once_with_its_place()
    {
        var file = Write(
            """
            {
              // comments are allowed
              "urls": "http://127.0.0.1:1",
              "Delivery": { "DrainTimeot": "5s", "SafetyPoll": "1h" },
              "Urls": "http://127.0.0.1:2",
              "Server": { "MaxConnections": "many" }
            }
            """);
        var faults = Load(file, [], ("POSTRIDER_TRANSPORT", "smtp://x"), ("POSTRIDER_ROLES", "api,cook")).Faults;
        Assert.Equal(
        [
            "postrider.json:5: \"Urls\" is given twice",
            "postrider.json:4: there is no setting \"Delivery:DrainTimeot\"; did you mean \"Delivery:DrainTimeout\"?",
            "environment POSTRIDER_TRANSPORT: there is no setting \"transport\"; did you mean \"Transports\"?",
            "postrider.json:6: Server:MaxConnections: must be a whole number",
            "postrider.json:4: Delivery:SafetyPoll: must be between 100ms and 5m",
            "environment POSTRIDER_ROLES: Roles: names \"cook\"; the roles are api, smtp, worker, scheduler, dashboard",
        ], faults);
    }

    [Theory]
    [InlineData("{ \"urls\": ")]
    [InlineData("[]")]
    [InlineData("{} {}")]
    [InlineData("{ \"urls\": \"\uD800\" }")]
    public void A_file_that_is_no_JSON_object_is_refused_with_a_line(string text) =>
        Assert.StartsWith("postrider.json:1: ", Assert.Single(Load(Write(text)).Faults));

    [Fact]
    public void Routes_and_rules_can_be_written_in_the_file()
    {
        var file = Write(
            """
            { "transports": ["a=smtp://one.example", "b=smtp://two.example"],
              "Routes": { "news": { "Transports": "b", "Strategy": "sticky" } },
              "Rules": [ { "Route": "news", "Stream": "bulk" }, { "Route": "news", "Tag": "news" } ] }
            """);
        var configuration = Load(file);
        Assert.Empty(configuration.Faults);
        var routing = configuration.Get<RoutingOptions>();
        Assert.Equal("a=smtp://one.example b=smtp://two.example", routing.Transports);
        Assert.Equal("sticky", routing.Routes["news"].Strategy);
        Assert.Equal(["bulk", null], routing.Rules.Select(r => r.Stream));
    }

    [Fact]
    public void A_fault_of_routes_is_named_at_the_setting_that_has_it()
    {
        var file = Write("""
            { "Routes": { "news": { "Strategy": "best" } },
              "Rules": [ { "Route": "news" } ] }
            """);
        var faults = Load(file, [], ("POSTRIDER_TRANSPORTS", "smtp://one.example"), ("POSTRIDER_RETRY", "often")).Faults;
        Assert.Equal(3, faults.Count);
        Assert.StartsWith("environment POSTRIDER_RETRY: Retry: is delays such as", faults[0]);
        Assert.StartsWith("postrider.json:1: Routes:news:Strategy: is priority, sticky", faults[1]);
        Assert.StartsWith("postrider.json:2: Rules:0: matches everything", faults[2]);
    }

    [Fact]
    public void A_misspelt_member_of_a_rule_is_refused_too() =>
        Assert.Equal(["postrider.json:1: there is no setting \"Rules:0:Strem\"; did you mean \"Rules:*:Stream\"?"], Load(Write("""{ "Rules": [ { "Strem": "bulk" } ] }""")).Faults);

    [Fact]
    public void A_duration_needs_a_unit()
    {
        Assert.Equal(["environment POSTRIDER_DELIVERY__DRAIN_TIMEOUT: Delivery:DrainTimeout: must be a whole number with a unit, such as 500ms, 10s, 10m, 24h or 1d"],
            Load(null, [], ("POSTRIDER_DELIVERY__DRAIN_TIMEOUT", "90")).Faults);
        Assert.Equal(TimeSpan.FromSeconds(90),
            Load(null, [], ("POSTRIDER_DELIVERY__DRAIN_TIMEOUT", "90s")).Get<DeliveryOptions>().DrainTimeout);
    }

    [Theory]
    [InlineData("BODIES", "0")]
    [InlineData("MESSAGES", " 0 ")]
    [InlineData("EVENTS", "0s")]
    public void Nothing_needs_no_unit(string name, string text)
    {
        var configuration = Load(null, [], ($"POSTRIDER_RETENTION__{name}", text));
        Assert.Empty(configuration.Faults);
        var options = configuration.Get<Postrider.Retention.RetentionOptions>();
        Assert.Contains(TimeSpan.Zero, new[] { options.Bodies, options.Messages, options.Events });
    }

    [Fact]
    public void Nothing_is_refused_where_there_must_be_some() =>
        Assert.Equal(["environment POSTRIDER_DELIVERY__SAFETY_POLL: Delivery:SafetyPoll: must be between 100ms and 5m"],
            Load(null, [], ("POSTRIDER_DELIVERY__SAFETY_POLL", "0")).Faults);

    [Theory]
    [InlineData("0.0.0.0/0")]
    [InlineData("10.0.0.0/8 128.0.0.0/1")]
    [InlineData("64.0.0.0/7")]
    [InlineData("::/0")]
    [InlineData("2000::/3")]
    [InlineData("::ffff:0:0/96")]
    public void An_open_relay_is_refused(string trusted)
    {
        var configuration = Load(null, [], ("POSTRIDER_TRANSPORTS", "smtp://mail.example"), ("POSTRIDER_SMTPSERVER__TRUSTED_NETWORKS", trusted));
        var fault = Assert.Single(configuration.Faults);
        Assert.StartsWith("environment POSTRIDER_SMTPSERVER__TRUSTED_NETWORKS: SmtpServer:TrustedNetworks: has \"", fault);
        Assert.Contains("which is everybody", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("8.0.0.0/8", true)]
    [InlineData("8.8.4.4", true)]
    [InlineData("2600::/16", true)]
    [InlineData("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.1 fc00::/7 fe80::/10 ::1 100.64.0.0/10", false)]
    [InlineData("::ffff:10.0.0.0/104", false)]
    public void Networks_of_the_world_that_need_no_key_are_warned_of(string trusted, bool isWarned)
    {
        var configuration = Load(null, [], ("POSTRIDER_TRANSPORTS", "smtp://mail.example"), ("POSTRIDER_SMTPSERVER__TRUSTED_NETWORKS", trusted));
        Assert.Empty(configuration.Faults);
        Assert.Equal(isWarned ? 1 : 0, configuration.Warnings.Count);
        Assert.All(configuration.Warnings, warning => Assert.Contains("without a password", warning, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_address_without_TLS_is_warned_of()
    {
        var configuration = Load(null, [], ("POSTRIDER_URLS", "http://0.0.0.0:8025 https://0.0.0.0:8443 http://127.0.0.1:1"),
            ("POSTRIDER_TRANSPORTS", "smtp://mail.example"));
        Assert.Empty(configuration.Faults);
        Assert.StartsWith("environment POSTRIDER_URLS: Urls: http://0.0.0.0:8025 takes keys and mail over the network in the clear",
            Assert.Single(configuration.Warnings));
    }

    [Theory]
    [InlineData("""{ "transports": "smtp://user:secret@mail.example" }""")]
    [InlineData("""{ "transports": "capture://", "Alerts": { "Webhook": "https://hooks.chat.example/services/secret" } }""")]
    public void A_file_with_a_secret_that_others_may_read_is_refused(string text)
    {
        var file = Write(text);
        Assert.Empty(Load(file).Faults);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Assert.StartsWith("postrider.json:1: the file holds a secret and others may read it", Assert.Single(Load(file).Faults));
    }

    [Fact]
    public void Settings_that_do_not_fit_each_other_are_refused()
    {
        var faults = Load(null, ["--Server:MaxSendBytes", "2000000", "--Server:MaxBodyMemoryBytes", "1000000", "--certificate-key", "k.pem"]).Faults;
        Assert.Equal(
        [
            "command line --Server:MaxBodyMemoryBytes: Server:MaxBodyMemoryBytes: must not be less than Server:MaxSendBytes, "
                + "or the largest body could never be read",
            "command line --certificate-key: CertificateKey: is given without Certificate",
        ], faults);
    }

    [Theory]
    [InlineData("SMTP", "1025", "write 127.0.0.1:1025")]
    [InlineData("URLS", "http://8025", "write http://host:port")]
    [InlineData("URLS", "8025", "write http://127.0.0.1:8025")]
    [InlineData("MASTER_KEY", "abc", "must be 32 bytes in base64")]
    [InlineData("MASTER_KEY_FILE", "/nonexistent.key", "cannot be read")]
    [InlineData("CERTIFICATE", "/nonexistent.pem", "cannot be read")]
    [InlineData("DATA", "/proc/x", "file system of the kernel")]
    [InlineData("DATA", "/dev/null", "is a file; a folder is needed")]
    [InlineData("DATA", "/dev/null/below", "is a file; a folder is needed")]
    public void What_would_refuse_to_start_is_a_fault(string setting, string value, string words) =>
        Assert.Contains(words, Assert.Single(Load(null, [], ($"POSTRIDER_{setting}", value)).Faults), StringComparison.Ordinal);

    [Fact]
    public void A_short_API_key_is_refused() =>
        Assert.Equal(["environment POSTRIDER_API_KEY: ApiKey: must have at least 24 characters"],
            Load(null, [], ("POSTRIDER_API_KEY", "short")).Faults);

    [Fact]
    public void Nothing_that_is_shown_holds_a_secret()
    {
        var configuration = Load(null, [],
            ("POSTRIDER_TRANSPORTS", "mailgun://KEYCANARY@mg.example.com?callback_key=BACKCANARY backup=smtp://user:PASSCANARY@host:587"),
            ("POSTRIDER_API_KEY", "APICANARY-APICANARY-APICANARY"), ("POSTRIDER_MASTER_KEY", "MASTERCANARY"),
            ("POSTRIDER_ALERTS__WEBHOOK", "https://hooks.chat.example/services/HOOKCANARY"));
        var shown = configuration.Show().ToList();
        Assert.DoesNotContain(shown, s => s.Value.Contains("CANARY", StringComparison.Ordinal));
        Assert.Contains(shown, s => s is { Key: "ApiKey", Value: "***", Origin: "environment POSTRIDER_API_KEY" });
        Assert.Contains(shown, s => s is { Key: "Delivery:DrainTimeout", Value: "90s", Origin: "default" });
    }

    [Theory]
    [InlineData("--urls")]
    [InlineData("urls")]
    [InlineData("--")]
    public void A_command_line_that_says_nothing_is_refused(string argument) => Assert.NotEmpty(Load(null, [argument]).Faults);

    static LoadedConfiguration Load(string? file = null, string[]? args = null, params (string Name, string Value)[] variables)
    {
        var environment = new Hashtable { ["PATH"] = "/usr/bin" };
        foreach (var (name, value) in variables)
            environment[name] = value;
        return LoadedConfiguration.Load([.. args ?? [], .. file is null ? Array.Empty<string>() : ["--config", file]], environment);
    }

    string Write(string text)
    {
        var path = Path.Combine(_folder, "postrider.json");
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }
}
