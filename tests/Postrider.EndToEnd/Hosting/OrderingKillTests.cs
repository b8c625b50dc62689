using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Ordering keys over two built processes that are killed and started again, as their relay sees it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class OrderingKillTests(ITestOutputHelper output) : BuiltServerTests
{
    const string Key = "a-key-of-24-characters-or-more";
    const int Keys = 4;
    const int MailsPerKey = 40;

    /// <summary>How long the relay takes before it answers: a second mail of the key must not come meanwhile.</summary>
    static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(100);

    readonly string _database = PostgresCluster.Shared.Create();

    [Fact]
    public async Task One_mail_of_a_key_is_under_way_and_the_order_is_kept_whichever_node_is_killed()
    {
        await using var sink = SmtpSink.Start(new SmtpSinkOptions { Slow = Slow });
        var first = StartNode("one", sink);
        var second = StartNode("two", sink);
        using var client = new HttpClient { BaseAddress = new Uri(Address().Match(await BannerAsync(first)).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        await BannerAsync(second);
        using var accepted = await client.PostAsync("/emails/batch", TestServer.Json($"[{string.Join(',', Mails())}]"));
        accepted.EnsureSuccessStatusCode();

        await sink.WaitForAsync(Keys * MailsPerKey / 4, TimeSpan.FromSeconds(30));
        second.Kill();
        await BannerAsync(StartNode("two", sink));
        await sink.WaitForAsync(Keys * MailsPerKey / 2, TimeSpan.FromSeconds(60));
        first.Kill();
        await BannerAsync(StartNode("one", sink));
        await Eventually.HoldsAsync(() => Arrivals(sink).Select(a => (a.Key, a.N)).Distinct().Count() == Keys * MailsPerKey,
            TimeSpan.FromSeconds(60));

        var arrivals = Arrivals(sink);
        output.WriteLine($"{arrivals.Count} arrivals of {Keys * MailsPerKey} mails");
        foreach (var ofKey in arrivals.GroupBy(a => a.Key))
        {
            foreach (var (before, after) in ofKey.OrderBy(a => a.At).Pairwise())
            {
                Assert.True(after.N == before.N || after.N == before.N + 1, $"{ofKey.Key}: {after.N} came after {before.N}");
                // The sink notes the arrival and then waits; timers are a little early now and then.
                Assert.True(after.N == before.N || after.At - before.At >= Slow * 0.8, $"{ofKey.Key}: {after.N} overtook the reply to {before.N}");
            }
        }
    }

    Process StartNode(string name, SmtpSink sink) => Start(
        ("POSTRIDER_STORE", PostgresCluster.Shared.Dsn(_database)), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"),
        ("POSTRIDER_STORAGE__NODE_NAME", name), ("POSTRIDER_TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none"));

    static IEnumerable<string> Mails() =>
        from n in Enumerable.Range(0, MailsPerKey)
        from key in Enumerable.Range(0, Keys)
        select $$"""{"from":"shop@example.com","to":"slow@example.org","subject":"k{{key}} n{{n}}","text":"Hi","ordering_key":"k{{key}}"}""";

    static List<(string Key, int N, DateTimeOffset At)> Arrivals(SmtpSink sink) =>
    [
        .. from message in sink.Messages
           let subject = Subject().Match(message.Text)
           select (subject.Groups["key"].Value, int.Parse(subject.Groups["n"].Value, CultureInfo.InvariantCulture), message.ArrivedAt),
    ];

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();

    [GeneratedRegex(@"Subject: (?<key>k\d+) n(?<n>\d+)")]
    private static partial Regex Subject();
}

static class Neighbours
{
    /// <summary>Each item with the one after it.</summary>
    public static IEnumerable<(T Before, T After)> Pairwise<T>(this IEnumerable<T> items) => items.Zip(items.Skip(1));
}
