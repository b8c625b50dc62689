using System.Net;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.Hosting;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>The built executable: what it prints, and how it ends.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ProcessTests : BuiltServerTests
{
    [Fact]
    public async Task The_line_that_it_prints_sends_a_mail_and_the_next_shows_it()
    {
        var server = Start(("ASPNETCORE_ENVIRONMENT", "Development"));
        var banner = await BannerAsync(server);
        Assert.Contains("capture", banner);
        Assert.Equal(2, Regex.Count(banner, "pr_[a-z0-9]{12}_[a-z0-9]{32}\"")); // in the lines to paste
        Assert.Contains("\"status\":\"incomplete\"", await ShellAsync(Regex.Match(banner, @"curl[^\n]+emails[^\n]+\\\n[^\n]+").Value));
        var inbox = Regex.Match(banner, @"curl[^\n]+/inbox[^\n]+").Value;
        var shown = "";
        for (var i = 0; i < 100 && !shown.Contains("ann@example.com", StringComparison.Ordinal); i++)
            shown = await ShellAsync(inbox);
        Assert.Contains("ann@example.com", shown);
        Assert.Equal(ExitCodes.Ok, await StopAsync(server));

        // The key was shown once: the next start knows it and does not say it.
        var again = Start(("ASPNETCORE_ENVIRONMENT", "Development"));
        Assert.DoesNotContain("pr_", await BannerAsync(again));
        Assert.Equal(ExitCodes.Ok, await StopAsync(again));
    }

    [Fact]
    public async Task With_a_log_of_JSON_all_it_says_is_JSON_and_has_the_key_and_the_link_once()
    {
        var server = Start(("POSTRIDER_LOG", "json"), ("POSTRIDER_URLS", "http://0.0.0.0:0"));
        var log = server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var ready = await BannerAsync(server);
        Assert.Equal(ExitCodes.Ok, await StopAsync(server));
        var lines = (ready + await server.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken) + await log)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.All(lines, line => Assert.NotNull(line["time"]!.ToString() + line["level"] + line["message"]!));
        Assert.Contains(lines, line => (string?)line["event"] == "Setting" && (string?)line["level"] == "warning"); // in the clear, to all
        var fields = Assert.Single(lines, line => (string?)line["event"] == "Ready")["fields"]!;
        Assert.Matches("^pr_[a-z0-9]{12}_[a-z0-9]{32}$", (string)fields["api_key"]!);
        Assert.Matches(@"^http://127\.0\.0\.1:\d+/ui/welcome\?link=.", (string)fields["first_administrator"]!);
        Assert.Equal("capture", (string?)fields["transports"]![0]);
        Assert.Single(lines, line => line.ToJsonString().Contains("pr_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_process_on_the_same_database_is_refused_and_does_not_wait_for_it()
    {
        await BannerAsync(Start());
        var second = Start();
        var begun = TimeProvider.System.GetTimestamp();
        await second.WaitForExitAsync();
        Assert.Equal(ExitCodes.Refused, second.ExitCode);
        Assert.Contains("in use by another process", await second.StandardError.ReadToEndAsync());
        // A second where nothing else runs, most of it the start of the runtime; a busy machine takes its time.
        Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_faulty_configuration_is_refused_with_all_its_faults()
    {
        var server = Start(("POSTRIDER_TRANSPORTS", "smpt://mail.example.com second=smtp://host?ratee=5"),
            ("POSTRIDER_DELIVERY__DRAIN_TIMEOUT", "-1s"));
        await server.WaitForExitAsync();
        var errors = await server.StandardError.ReadToEndAsync();
        Assert.Equal(ExitCodes.Configuration, server.ExitCode);
        Assert.Contains("there is no provider 'smpt'", errors);
        Assert.Contains("ratee", errors);
        Assert.Contains("Delivery:DrainTimeout", errors);
        Assert.DoesNotContain("   at ", errors);
        Assert.Equal("", await server.StandardOutput.ReadToEndAsync());
    }

    [Theory]
    [InlineData("c2hvcnQ=")]
    [InlineData("nothing")]
    public async Task A_master_key_of_the_wrong_length_is_refused(string key)
    {
        var server = Start(("POSTRIDER_MASTER_KEY", key));
        await server.WaitForExitAsync();
        Assert.Equal(ExitCodes.Configuration, server.ExitCode);
        Assert.Contains("32 bytes", await server.StandardError.ReadToEndAsync());
    }

    [Fact]
    public async Task Another_master_key_than_the_databases_is_refused()
    {
        var first = Start(("POSTRIDER_MASTER_KEY", Convert.ToBase64String(new byte[32])));
        await BannerAsync(first);
        await StopAsync(first);
        var second = Start(("POSTRIDER_MASTER_KEY", Convert.ToBase64String(Encoding.ASCII.GetBytes("another key of thirty-two bytes!"))));
        await second.WaitForExitAsync();
        Assert.Equal(ExitCodes.Configuration, second.ExitCode);
        Assert.Contains("not the one this database was sealed with", await second.StandardError.ReadToEndAsync());
    }

    [Fact]
    public async Task A_lost_master_key_is_not_replaced_and_a_start_that_fails_for_it_closes_the_database()
    {
        var first = Start();
        await BannerAsync(first);
        await StopAsync(first);
        var key = Directory.EnumerateFiles(Folder, "master.key", SearchOption.AllDirectories).Single();
        var kept = key + ".kept";
        File.Move(key, kept);
        var second = Start();
        await second.WaitForExitAsync();
        Assert.Equal(ExitCodes.Configuration, second.ExitCode);
        Assert.Contains($"There is no master key in {Path.GetRelativePath(Folder, key)}", await second.StandardError.ReadToEndAsync());
        Assert.False(File.Exists(key));
        File.Move(kept, key);
        var third = Start();
        await BannerAsync(third);
        await StopAsync(third);
        Assert.DoesNotContain("not closed in order", await third.StandardError.ReadToEndAsync());
    }

    [Fact]
    public async Task A_master_key_file_that_others_may_read_is_refused()
    {
        var path = Path.Combine(Folder, "key");
        await File.WriteAllTextAsync(path, Convert.ToBase64String(new byte[32]));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var server = Start(("POSTRIDER_MASTER_KEY_FILE", path));
        await server.WaitForExitAsync();
        Assert.Equal(ExitCodes.Configuration, server.ExitCode);
        Assert.Contains("chmod 600", await server.StandardError.ReadToEndAsync());
    }

    [Fact]
    public async Task An_address_that_is_taken_is_named()
    {
        var banner = await BannerAsync(Start());
        var address = Regex.Match(banner, "http://[0-9.:]+").Value;
        var server = Start(("POSTRIDER_URLS", address), ("POSTRIDER_DATA", Path.Combine(Folder, "other")),
            ("POSTRIDER_TRANSPORTS", "smtp://127.0.0.1:2525"));
        await server.WaitForExitAsync();
        Assert.Equal(ExitCodes.Unavailable, server.ExitCode);
        // Nothing else: no stack, no complaint of what had begun. How many files a process may open is the machine's affair.
        var errors = (await server.StandardError.ReadToEndAsync()).TrimEnd().Split('\n')
            .Where(line => !line.Contains("This process may open", StringComparison.Ordinal));
        Assert.Contains("POSTRIDER_URLS", Assert.Single(errors));
        Assert.Matches(@"^API key +pr_\S+   \(made now and shown only this once: keep it\)\n$", await server.StandardOutput.ReadToEndAsync());
    }

    [Fact]
    public async Task Without_a_transport_it_says_what_to_set_and_prints_no_line_that_would_be_refused()
    {
        var server = Start(("POSTRIDER_TRANSPORTS", ""));
        var text = new StringBuilder();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!text.ToString().Contains("capture://", StringComparison.Ordinal))
            text.Append(await server.StandardOutput.ReadLineAsync(patience.Token)).Append('\n');
        Assert.Equal(ExitCodes.Ok, await StopAsync(server));
        Assert.Contains("POSTRIDER_TRANSPORTS=smtp://", text.ToString());
        Assert.DoesNotContain("curl", text.ToString() + await server.StandardOutput.ReadToEndAsync(patience.Token));
    }

    [Fact]
    public async Task Https_works_with_a_certificate_made_on_first_use()
    {
        var server = Start(("POSTRIDER_URLS", "https://127.0.0.1:0"), ("POSTRIDER_API_KEY", "a-key-of-at-least-24-characters"));
        var address = Regex.Match(await BannerAsync(server), "https://[0-9.:]+").Value;
        using var handler = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator
        };
        using var client = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20 };
        using var ready = await client.GetAsync(new Uri($"{address}/readyz"));
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Combine(Folder, "data", "self-signed.pfx")));
        Assert.Equal(ExitCodes.Ok, await StopAsync(server));
    }
}
