using System.Collections;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary><c>postrider simulate</c> as it is called: golden runs, a server's own configuration, the page, and words for what is
/// wrong.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class SimulateTests
{
    /// <summary>Lines of arguments and, below each, what <c>--json</c> printed when the run was looked at last.</summary>
    static string GoldenFile => Repository.Path("tests", "Postrider.EndToEnd", "Cli", "simulate.golden");

    public static TheoryData<string, string> GoldenRuns => [.. File.ReadAllLines(GoldenFile).Where(line => !line.StartsWith('#'))
        .Chunk(2).Select(pair => new TheoryDataRow<string, string>(pair[0], pair[1]))];

    /// <summary>A change of the engine that changes one of these is looked at, and then written down by
    /// <c>POSTRIDER_GOLDEN=write</c>.</summary>
    [Theory]
    [MemberData(nameof(GoldenRuns))]
    public async Task A_golden_run_comes_to_the_same_byte_for_byte(string args, string expected)
    {
        var run = await RunAsync([.. args.Split(' '), "--json"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        if (Environment.GetEnvironmentVariable("POSTRIDER_GOLDEN") == "write")
        {
            lock (GoldenFile)
                File.WriteAllText(GoldenFile, File.ReadAllText(GoldenFile).Replace($"{args}\n{expected}\n", $"{args}\n{run.Output}"));
            return;
        }
        Assert.Equal(expected + "\n", run.Output);
        Assert.Equal(run.Output, (await RunAsync([.. args.Split(' '), "--json"])).Output);
    }

    [Fact]
    public async Task Json_is_one_object_with_what_was_promised()
    {
        var result = await JsonAsync("--email-count", "30", "--vendor-count", "3", "--vendors", "vendor1,vendor3", "--middlewares", "retry,rl,cb",
            "--retries", "10", "--rate-limiters", "5,10", "--strategy", "priority", "--backoff", "immediate", "--outage", "vendor1@10s+60s");
        Assert.Equal(["delivered", "failed", "expired", "tries", "p50_ms", "p99_ms", "max_ms", "vendors", "circuit", "seed"],
            result.Select(member => member.Key));
        Assert.Equal((30, 0, 0, 1), ((int)result["delivered"]!, (int)result["failed"]!, (int)result["expired"]!, (int)result["seed"]!));
        Assert.Equal(["vendor1", "vendor3"], result["vendors"]!.AsObject().Select(vendor => vendor.Key));
        Assert.Equal(30, result["vendors"]!.AsObject().Sum(vendor => (int)vendor.Value!["delivered"]!));
    }

    [Fact]
    public async Task For_people_there_is_a_table()
    {
        var run = await RunAsync("simulate", "--email-count", "600", "--rate", "1/s", "--outage", "vendor1@1m+5m");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.StartsWith("600 of 600 mails delivered, 0 failed, 0 expired, in ", run.Output, StringComparison.Ordinal);
        Assert.Contains("delay: p50 50 ms", run.Output, StringComparison.Ordinal);
        Assert.Contains("vendor2", run.Output, StringComparison.Ordinal);
        Assert.Contains("10 failures in a row", run.Output, StringComparison.Ordinal);
        Assert.Contains("queue depth, at most ", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--vendors: \"vendor4\": there are vendor1 to vendor3; raise --vendor-count for more", "--vendors", "vendor1,vendor4")]
    [InlineData("--vendors: \"vendor1,vendor1\": name each vendor once", "--vendors", "vendor1,vendor1")]
    [InlineData("--email-count must be a whole number from 1 to 1000000", "--email-count", "0")]
    [InlineData("--retries must be a whole number from 0 to 10", "--retries", "11")]
    [InlineData("--middlewares: \"limit\": write any of retry, rl and cb with commas, or none", "--middlewares", "retry,limit")]
    [InlineData("--retries needs the middleware retry: add it to --middlewares", "--middlewares", "rl", "--retries", "3")]
    [InlineData("--rate-limiters needs the middleware rl: add it to --middlewares", "--middlewares", "none", "--rate-limiters", "5,10")]
    [InlineData("--rate-limiters: \"5\": write mails and seconds, such as 5,10", "--rate-limiters", "5")]
    [InlineData("--strategy: \"random\": write priority, sticky, round_robin or weighted", "--strategy", "random")]
    [InlineData("--backoff: \"linear\": write immediate, constant or exponential", "--backoff", "linear")]
    [InlineData("--outage: \"vendor1\": write VENDOR@START+LENGTH, such as vendor1@10s+60s", "--outage", "vendor1")]
    [InlineData("--outage: \"vendor9\": there is no such vendor; there are vendor1, vendor2, vendor3", "--outage", "vendor9@1s+1s")]
    [InlineData("\"yesterday\" is no start: write a span such as 10s, or a day and time of UTC such as mon09:00", "--outage", "vendor1@yesterday+1h")]
    [InlineData("days and times are those of virtual time: leave out --real-time", "--outage", "vendor1@mon09:00+1h", "--real-time")]
    [InlineData("--outage: \"vendor1@10s+soon\": write start+length, such as 10s+60s", "--outage", "vendor1@10s+soon")]
    [InlineData("--outage: \"vendor1@10s+0s\": write start+length", "--outage", "vendor1@10s+0s")]
    [InlineData("It lasts longer than 0s, and no longer than its period", "--outage", "vendor1@10s+60s/10s")]
    [InlineData("--latency: \"fast\": write a span such as 20ms, or a range 20ms-80ms", "--latency", "vendor1=fast")]
    [InlineData("--expires-in: \"8d\": the server takes at most 7d", "--expires-in", "8d")]
    [InlineData(" is a folder; name a file in it", "--report", ".")]
    [InlineData("--fail: \"150%\": write a share of all calls from 0 to 1, or from 0% to 100%", "--fail", "150%")]
    [InlineData("--fail: \"ses\": there is no such vendor; there are vendor1, vendor2, vendor3", "--fail", "ses=5%")]
    [InlineData("vendor1: options 'fail', 'refuse', 'throttle' and 'unknown' are shares of all calls: together at most 1",
        "--fail", "60%", "--unknown", "60%")]
    [InlineData("--rate: \"fast\": write mails per s, m, h, d or a span, such as 10/s, 600/h or 5/10s", "--rate", "fast")]
    [InlineData("--weights needs --strategy weighted", "--weights", "1,2,3")]
    [InlineData("--weights: \"1,2\": write 3 numbers from 1 to 1000, one for each vendor", "--strategy", "weighted", "--weights", "1,2")]
    [InlineData("--seed: \"-1\": write a whole number from 0 on", "--seed", "-1")]
    [InlineData("--stream: \"slow\": write transactional or bulk", "--stream", "slow")]
    [InlineData("--expires-in: \"soon\": write a whole number with a unit", "--expires-in", "soon")]
    [InlineData("--route needs --config: the vendors that are made have one route", "--route", "news")]
    [InlineData("--report: there is no folder /nowhere; make it first", "--report", "/nowhere/page.html")]
    public async Task What_is_wrong_is_said_with_its_remedy(string words, params string[] args)
    {
        var run = await RunAsync(["simulate", .. args]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task What_is_wrong_for_every_vendor_is_said_once()
    {
        var run = await RunAsync("simulate", "--latency", "x");
        Assert.Equal((2, "postrider: --latency: \"x\": write a span such as 20ms, or a range 20ms-80ms\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task A_route_that_is_not_there_is_said_with_those_that_are()
    {
        var file = await ConfigurationAsync(Installation);
        var run = await RunAsync("simulate", "--config", file, "--route", "nope");
        Assert.Equal((2, "postrider: there is no route 'nope'; there are default, news\n"), (run.ExitCode, run.Error));
        File.Delete(file);
    }

    [Fact]
    public async Task A_report_that_cannot_be_written_is_found_out_before_the_run()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full");
        var run = await RunAsync("simulate", "--report", "/dev/full");
        Assert.Equal((74, ""), (run.ExitCode, run.Output));
        Assert.StartsWith("postrider: --report: /dev/full cannot be written: ", run.Error, StringComparison.Ordinal);

        using var folder = new TemporaryFolder();
        var page = Path.Combine(folder.Path, "page.html");
        await File.WriteAllTextAsync(page, new string('x', 1 << 20));
        Assert.Equal(2, (await RunAsync("simulate", "--report", page, "--latency", "x")).ExitCode);
        Assert.Equal(1 << 20, new FileInfo(page).Length);
        Assert.Equal(0, (await RunAsync("simulate", "--report", page)).ExitCode);
        Assert.EndsWith("</html>\n", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_that_cannot_be_written_is_said_in_words()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full");
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", "\"$0\" simulate --json > /dev/full",
            Path.Combine(AppContext.BaseDirectory, "postrider")])
        { RedirectStandardError = true })!;
        var error = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(74, shell.ExitCode);
        Assert.StartsWith("postrider: reading or writing failed: No space left on device", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mails_that_may_have_come_twice_are_counted_though_they_expired()
    {
        var run = await RunAsync("simulate", "--vendor-count", "1", "--email-count", "5", "--unknown", "100%", "--expires-in", "1h");
        Assert.Contains("0 of 5 mails delivered, 0 failed, 5 expired", run.Output, StringComparison.Ordinal);
        Assert.Contains("possible duplicates: 5 (", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mails_come_when_the_outage_is_unless_a_rate_is_given()
    {
        string[] args = ["simulate", "--outage", "vendor1@tue09:00+2h", "--email-count", "10"];
        var run = await RunAsync(args);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.StartsWith("Mails come one every 24 min 0 s from 1 d 8 h to 1 d 11 h after the start, to meet the outage; "
            + "--rate says otherwise.\n", run.Output, StringComparison.Ordinal);
        var result = JsonNode.Parse((await RunAsync([.. args, "--json"])).Output)!;
        Assert.Equal((10, 5), ((int)result["delivered"]!, (int)result["vendors"]!["vendor2"]!["delivered"]!));
    }

    [Theory]
    [InlineData("the outage of vendor1 began after the last mail was done, 1 d 9 h after the start and not within 9.1 s: no mail met it.",
        "--outage", "vendor1@tue09:00+2h")]
    [InlineData("no mail met the outage of vendor2: none was to go to it in that time", "--outage", "vendor2@1s+5s")]
    public async Task An_outage_that_no_mail_met_is_said(string words, params string[] args)
    {
        using var folder = new TemporaryFolder();
        var page = Path.Combine(folder.Path, "page.html");
        var run = await RunAsync(["simulate", "--email-count", "10", "--rate", "1/s", "--report", page, "--json", .. args]);
        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith($"postrider: {words}", run.Error, StringComparison.Ordinal);
        Assert.Equal(10, (int)JsonNode.Parse(run.Output)!["delivered"]!);
        Assert.Contains(words, await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_run_tells_what_is_known_so_far()
    {
        for (var wait = TimeSpan.FromMilliseconds(500); ; wait *= 2)
        {
            using var interrupt = new CancellationTokenSource(wait, TimeProvider.System);
            var run = await RunAsync(interrupt.Token, "simulate", "--email-count", "1000000", "--rate", "100/s");
            Assert.Equal(130, run.ExitCode);
            if (run.Output.Length == 0 && wait < TimeSpan.FromMinutes(2))
                continue;   // it had not begun
            Assert.StartsWith("Interrupted, partial: ", run.Output, StringComparison.Ordinal);
            Assert.Contains(" of 1,000,000 mails delivered, ", run.Output, StringComparison.Ordinal);
            Assert.Matches("^postrider: interrupted after .* of the simulation: the figures are partial\n$", run.Error);
            break;
        }
    }

    [Fact]
    public async Task A_queue_of_one_mail_is_not_drawn_as_a_full_one()
    {
        var run = await RunAsync("simulate", "--email-count", "60", "--rate", "1/s");
        Assert.Contains("queue depth, at most 1:\n▁▁▁▁", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("█", run.Output, StringComparison.Ordinal);
    }

    const string Installation = """
        {
          "Transports": "ses://AKID:SECRET@eu-west-1?rate=50/s relay=smtp://user:pass@relay.example.com:587?concurrency=4 news=mailgun://KEY@mg.example.com",
          "Routes": { "news": { "Transports": "news relay", "Strategy": "round_robin" } },
          "Rules": [ { "Stream": "bulk", "Route": "news" } ]
        }
        """;

    [Fact]
    public async Task A_servers_own_transports_and_routes_are_put_on_trial()
    {
        var file = await ConfigurationAsync(Installation);
        // What if SES is down for two hours on Monday at nine? Mail comes once a minute, all day.
        var result = await JsonAsync("--config", file, "--outage", "ses@mon09:00+2h", "--email-count", "1440", "--rate", "1/m");
        Assert.Equal(1440, (int)result["delivered"]!);
        Assert.Equal(["ses", "relay", "news"], result["vendors"]!.AsObject().Select(vendor => vendor.Key));
        Assert.Equal((120, 0), ((int)result["vendors"]!["relay"]!["delivered"]!, (int)result["vendors"]!["news"]!["delivered"]!));
        Assert.Equal(120, (int)result["vendors"]!["ses"]!["outcomes"]!["unreachable"]!);
        Assert.Empty(result["circuit"]!.AsArray()); // one failure a minute is not enough for 10 in 30 s

        var busy = await JsonAsync("--config", file, "--outage", "ses@mon00:10+20m", "--email-count", "3600", "--rate", "1/s");
        var opened = busy["circuit"]!.AsArray()[0]!;
        Assert.Equal(("ses", "open"), ((string)opened["vendor"]!, (string)opened["state"]!));
        Assert.InRange((long)opened["at_ms"]!, 600_000, 630_000);
        Assert.InRange((int)busy["vendors"]!["relay"]!["delivered"]!, 1_190, 1_270); // 1,200, and up to a break of a minute

        var bulk = await JsonAsync("--config", file, "--stream", "bulk", "--email-count", "100", "--rate", "1/s");
        Assert.Equal((50, 50, 0), ((int)bulk["vendors"]!["relay"]!["delivered"]!, (int)bulk["vendors"]!["news"]!["delivered"]!,
            (int)bulk["vendors"]!["ses"]!["delivered"]!));
        File.Delete(file);
    }

    [Fact]
    public async Task Faults_of_a_configuration_are_named_as_by_the_server()
    {
        var file = await ConfigurationAsync("""{ "Transports": "a=sim://a", "Transprots": "x", "Routes": { "r": { "Strategy": "random" } } }""");
        var run = await RunAsync("simulate", "--config", file);
        Assert.Equal(78, run.ExitCode);
        Assert.Contains("did you mean \"Transports\"?", run.Error, StringComparison.Ordinal);
        Assert.Contains("Routes:r:Strategy", run.Error, StringComparison.Ordinal);
        File.Delete(file);

        var missing = await RunAsync("simulate", "--config", "/does/not/exist.json");
        Assert.Equal(78, missing.ExitCode);
        Assert.Contains("/does/not/exist.json: no such file", missing.Error, StringComparison.Ordinal);

        var empty = await ConfigurationAsync("{}");
        Assert.Contains("names no transports; set Transports in it", (await RunAsync("simulate", "--config", empty)).Error, StringComparison.Ordinal);
        var both = await RunAsync("simulate", "--config", empty, "--strategy", "sticky");
        Assert.Equal((2, "postrider: --strategy makes vendors, and --config has its own: leave out one of both\n"), (both.ExitCode, both.Error));
        File.Delete(empty);
    }

    [Fact]
    public async Task Transports_that_are_simulated_in_the_configuration_keep_their_own_faults()
    {
        var file = await ConfigurationAsync("""{ "Transports": "a=sim://a?fail=1&circuit=off b=sim://b" }""");
        var result = await JsonAsync("--config", file);
        Assert.Equal((0, 30), ((int)result["vendors"]!["a"]!["delivered"]!, (int)result["vendors"]!["b"]!["delivered"]!));
        File.Delete(file);
    }

    [Fact]
    public async Task The_report_is_one_page_that_a_browser_shows_under_its_own_policy()
    {
        var chromium = Requires.Program("chromium");
        using var folder = new TemporaryFolder();
        var (page, again) = (Path.Combine(folder.Path, "page.html"), Path.Combine(folder.Path, "again.html"));
        string[] args = ["simulate", "--email-count", "300", "--rate", "1/s", "--outage", "vendor1@1m+2m", "--fail", "vendor2=10%"];
        Assert.Equal(0, (await RunAsync([.. args, "--report", page])).ExitCode);
        Assert.Equal(0, (await RunAsync([.. args, "--report", again])).ExitCode);
        Assert.Equal(await File.ReadAllBytesAsync(page), await File.ReadAllBytesAsync(again));

        var (dom, complaints) = await OpenAsync(chromium, page, folder.Path);
        Assert.Equal(5, dom.Split("<svg").Length - 1);
        Assert.Contains("vendor2", dom, StringComparison.Ordinal);
        // The outage stands in the plots over time, and times between the ends of all four axes.
        Assert.Equal(2, dom.Split("<title>outage of vendor1, 1 min 0 s to 3 min 0 s</title>").Length - 1);
        Assert.Equal(1, dom.Split("class=\"outage\"").Length - 1);
        Assert.Equal(12, dom.Split("text-anchor=\"middle\"").Length - 1);
        Assert.DoesNotContain("<script", dom, StringComparison.Ordinal);
        Assert.DoesNotContain("CONSOLE", complaints, StringComparison.Ordinal);

        // The negative control: a style that is not the one of the policy is complained of.
        await File.WriteAllTextAsync(again, (await File.ReadAllTextAsync(again)).Replace("max-width", "min-width", StringComparison.Ordinal));
        Assert.Contains("Content Security Policy", (await OpenAsync(chromium, again, folder.Path)).Complaints, StringComparison.Ordinal);
    }

    static async Task<(string Dom, string Complaints)> OpenAsync(string chromium, string page, string folder)
    {
        using var browser = Process.Start(new ProcessStartInfo(chromium,
            ["--headless", "--no-sandbox", "--disable-gpu", $"--user-data-dir={folder}/profile", "--enable-logging=stderr", "--dump-dom",
                new Uri(page).AbsoluteUri])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (dom, complaints) = (browser.StandardOutput.ReadToEndAsync(), browser.StandardError.ReadToEndAsync());
        await browser.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (await dom, await complaints);
    }

    /// <summary>The calls of docs/simulate.md, as they stand there; and where what they print stands below, it is that.</summary>
    [Fact]
    public async Task What_the_document_shows_is_what_happens()
    {
        using var folder = new TemporaryFolder();
        var blocks = File.ReadAllText(Repository.Path("docs", "simulate.md")).Split("```").Where((_, i) => i % 2 == 1).ToList();
        var configuration = blocks.Single(block => block.StartsWith("json\n", StringComparison.Ordinal))["json\n".Length..];
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "postrider.json"), configuration);
        OwnerOnly(Path.Combine(folder.Path, "postrider.json"));
        var calls = 0;
        foreach (var (i, block) in blocks.Index())
        {
            foreach (var line in block.Replace("\\\n", " ").Split('\n').Where(line => line.StartsWith("postrider simulate", StringComparison.Ordinal)))
            {
                var args = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]
                    .Select(arg => arg is "postrider.json" or "week.html" ? Path.Combine(folder.Path, arg) : arg);
                var run = await RunAsync([.. args]);
                Assert.Equal((0, ""), (run.ExitCode, run.Error));
                if (i + 1 < blocks.Count && blocks[i + 1].StartsWith("text\n", StringComparison.Ordinal))
                    Assert.Equal(blocks[i + 1]["text\n".Length..].Trim(), Trimmed(run.Output));
                calls++;
            }
        }
        Assert.True(calls >= 6, $"{calls} calls");
    }

    static string Trimmed(string text) => string.Join('\n', text.Split('\n').Select(line => line.TrimEnd())).Trim();

    static async Task<string> ConfigurationAsync(string json)
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, json);
        OwnerOnly(file);
        return file;
    }

    static void OwnerOnly(string file) => File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    static async Task<JsonObject> JsonAsync(params string[] args)
    {
        var run = await RunAsync(["simulate", .. args, "--json"]);
        Assert.True(run.ExitCode == 0, run.Error);
        return JsonNode.Parse(run.Output)!.AsObject();
    }

    static Task<Run> RunAsync(params string[] args) => RunAsync(CancellationToken.None, args);

    static async Task<Run> RunAsync(CancellationToken interrupted, params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(new Hashtable(), null), output, error, interrupted);
        return new Run(exitCode, output.ToString(), error.ToString());
    }

    sealed record Run(int ExitCode, string Output, string Error);

    /// <summary>Goes with the test.</summary>
    sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("postrider-").FullName;
        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
