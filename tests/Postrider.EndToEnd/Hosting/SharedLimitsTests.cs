using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Limits of several built processes over one PostgreSQL, seen by a relay that they share.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class SharedLimitsTests(ITestOutputHelper output) : BuiltServerTests
{
    const string Key = "end-to-end-key-of-the-first-tenant";
    const int Rate = 100;

    /// <summary>Mails in which the transport is got to know.</summary>
    const int FirstSecond = Rate;

    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    readonly string _database = PostgresCluster.Shared.Create();

    [Fact]
    public async Task A_rate_holds_over_three_workers_one_of_which_is_killed()
    {
        await using var sink = SmtpSink.Start();
        var workers = await SendAsync(sink, messages: 2_500, "");
        await sink.WaitForAsync(1_000, TimeSpan.FromSeconds(30));
        workers[1].Kill();
        var arrivedBeforeTheKill = sink.Count;
        await sink.WaitForAsync(2_400, TimeSpan.FromSeconds(60));

        var arrivals = Arrivals(sink);
        var most = TimeWindows.Most(arrivals[FirstSecond..], Second);
        var tens = TimeWindows.Counts(arrivals[FirstSecond..], TimeSpan.FromSeconds(10));
        var usually = Median(TimeWindows.Counts(arrivals[arrivedBeforeTheKill..], TimeSpan.FromSeconds(5)));
        var granted = TimeWindows.Most(await GrantsAsync(), Second);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"most in a second {most} arrived, {granted} granted; in ten {tens.Min()} to {tens.Max()}; in five after the kill {usually}"));
        Assert.InRange(granted, 1, Rate * 105 / 100);
        // On a busy machine the relay notes in one second what left in more than one; over ten that makes no difference.
        // Without sharing it is two to three times the rate (below).
        Assert.InRange(most, 1, Rate * 180 / 100);
        Assert.InRange(tens.Max(), 0, Rate * 103 / 10);
        // Two that went on with their own thirds would come to 67 %. A busy machine leaves some of the rate unused.
        Assert.InRange(usually, Rate * 5 * 75 / 100, int.MaxValue);
    }

    [Fact]
    public async Task Without_sharing_the_relay_would_see_three_times_the_rate()
    {
        await using var sink = SmtpSink.Start();
        await SendAsync(sink, messages: 1_000, "", ("POSTRIDER_TESTING", "1"), ("POSTRIDER_TESTING_LIMITS_APART", "1"));
        await sink.WaitForAsync(900, TimeSpan.FromSeconds(30));
        Assert.InRange(TimeWindows.Most(Arrivals(sink), Second), Rate * 2, Rate * 4);
    }

    [Fact]
    public async Task A_quota_holds_over_three_workers_one_of_which_is_killed()
    {
        await using var sink = SmtpSink.Start();
        var workers = await SendAsync(sink, messages: 1_000, "quota=600/d");
        await sink.WaitForAsync(200, TimeSpan.FromSeconds(30));
        workers[1].Kill();
        await sink.WaitForAsync(580, TimeSpan.FromSeconds(30)); // what the killed one held and had under way counts as used
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System);
        output.WriteLine($"{sink.Count} of a quota of 600");
        Assert.InRange(sink.Count, 580, 600);
    }

    /// <summary>Takes mail in, then starts three workers, and returns them.</summary>
    async Task<List<Process>> SendAsync(SmtpSink sink, int messages, string options, params (string, string)[] variables)
    {
        (string, string)[] all =
        [
            ("POSTRIDER_STORE", PostgresCluster.Shared.Dsn(_database)), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"),
            ("POSTRIDER_TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none&rate={Rate}/s&{options}"), .. variables,
        ];
        var api = Start([.. all, ("POSTRIDER_ROLES", "api")]);
        using var client = Client(await BannerAsync(api));
        for (var sent = 0; sent < messages; sent += 500)
        {
            var mails = Enumerable.Range(sent, 500).Select(n =>
                $$"""{"from":"shop@example.com","to":"r{{n}}@example.org","subject":"Hello","text":"Hi"}""");
            using var body = new StringContent($"[{string.Join(',', mails)}]", Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync("/emails/batch", body);
            answer.EnsureSuccessStatusCode();
        }
        await using (var connection = await OpenAsync())
        await using (var book = new NpgsqlCommand(GrantBook.Open, connection))
            await book.ExecuteNonQueryAsync();
        List<Process> workers = [.. Enumerable.Range(0, 3).Select(_ => Start([.. all, ("POSTRIDER_ROLES", "api,worker")]))];
        foreach (var worker in workers)
            await BannerAsync(worker);
        return workers;
    }

    static HttpClient Client(string banner)
    {
        var client = new HttpClient { BaseAddress = new Uri(Address().Match(banner).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(PostgresCluster.Shared.ConnectionString) { Database = _database }.ToString());
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>What the workers were granted together; where many go in a second they ask for a hundredth less.</summary>
    async Task<IReadOnlyList<TimeSpan>> GrantsAsync()
    {
        await using var connection = await OpenAsync();
        return await GrantBook.InstantsAsync(connection, "relay", Second / Rate * 1.01);
    }

    static TimeSpan[] Arrivals(SmtpSink sink) => [.. sink.Messages.Select(m => m.ArrivedAt - DateTimeOffset.UnixEpoch).Order()];

    static int Median(IReadOnlyList<int> counts) => counts.Order().ElementAt(counts.Count / 2);

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
