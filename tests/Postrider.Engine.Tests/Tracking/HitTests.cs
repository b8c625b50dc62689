using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Testing;
using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Tracking;

/// <summary>People and machines, and how many requests become how many writes.</summary>
public sealed class HitTests
{
    const string Firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    readonly ManualClock _clock = new();

    [Theory]
    [InlineData(Firefox, null, false, 60, null)]
    [InlineData("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", null, false, 60, null)]
    [InlineData("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", null, false, 60, null)]
    [InlineData("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", null, false, 60, null)]
    [InlineData("Mozilla/5.0", null, false, 60, "privacy-proxy")]
    [InlineData("", null, false, 60, "privacy-proxy")]
    [InlineData(null, null, false, 60, "privacy-proxy")]
    [InlineData(Firefox, null, true, 60, "head")]
    [InlineData(Firefox, "prefetch;prerender", false, 60, "prefetch")]
    [InlineData(Firefox, "preview", false, 60, "prefetch")]
    [InlineData(Firefox, null, false, 1, "too-soon")]
    [InlineData("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", null, false, 60, "scanner")]
    [InlineData("curl/8.5.0", null, false, 60, "scanner")]
    [InlineData("python-requests/2.32", null, false, 60, "scanner")]
    [InlineData("Mozilla/5.0 (compatible; Barracuda Sentinel)", null, false, 60, "scanner")]
    public void A_request_is_a_persons_unless_it_shows_otherwise(string? agent, string? purpose, bool isHead, int seconds, string? why) =>
        Assert.Equal(why, HitClass.WhyMachine(new HitRequest(isHead, agent, purpose, TimeSpan.FromSeconds(seconds))));

    [Fact]
    public void Ten_thousand_requests_for_one_address_are_one_write()
    {
        var book = new HitBook(new TrackingOptions(), _clock);
        for (var i = 0; i < 10_000; i++)
            book.Add(Hit(HitKind.Open));
        var report = Assert.Single(book.Take(500));
        Assert.Equal((FeedbackKind.Opened, FeedbackReport.Tracking, 0), (report.Event.Kind, report.Vendor, report.N));
        Assert.Empty(book.Take(500));

        // Stored meanwhile: the store knows the same by its key, and a later one is another.
        book.Add(Hit(HitKind.Open));
        Assert.Equal(report.Event.Key, Assert.Single(book.Take(500)).Event.Key);
        _clock.Advance(TimeSpan.FromSeconds(11));
        book.Add(Hit(HitKind.Open));
        Assert.NotEqual(report.Event.Key, Assert.Single(book.Take(500)).Event.Key);
    }

    [Fact]
    public void More_than_fits_is_dropped_and_counted_and_writes_are_limited()
    {
        var book = new HitBook(new TrackingOptions { MaxWaiting = 100 }, _clock);
        for (var n = 0; n < 1_000; n++)
            book.Add(Hit(HitKind.Open, n));
        Assert.Equal(40, book.Take(40).Count);
        Assert.Equal(60, book.Take(500).Count);
        Assert.Equal((900, 0), (book.TakeDropped(), book.TakeDropped()));
    }

    [Fact]
    public void Many_links_at_once_are_a_machine_and_two_are_not()
    {
        var book = new HitBook(new TrackingOptions(), _clock);
        foreach (var i in Enumerable.Range(0, 3))
            book.Add(Hit(HitKind.Click, 0, $"https://example.com/{i}"));
        foreach (var i in Enumerable.Range(0, 2))
            book.Add(Hit(HitKind.Click, 1, $"https://example.com/{i}"));
        var reports = book.Take(500);
        Assert.All(reports.Where(r => r.N == 0), r => Assert.Equal((true, "burst"), (r.Event.IsMachine, r.Event.Type)));
        Assert.All(reports.Where(r => r.N == 1), r => Assert.Equal((false, "person"), (r.Event.IsMachine, r.Event.Type)));
        Assert.Equal(5, reports.Count);
    }

    [Fact]
    public void What_is_older_than_it_is_recorded_for_is_not()
    {
        var book = new HitBook(new TrackingOptions { RecordFor = TimeSpan.FromDays(1) }, _clock);
        var hit = Hit(HitKind.Open);
        _clock.Advance(TimeSpan.FromDays(2));
        book.Add(hit);
        Assert.Empty(book.Take(500));
    }

    Hit Hit(HitKind kind, int n = 0, string target = "") => new(
        new TrackingToken(kind, TenantId.First, MessageId.Create(_clock.GetUtcNow().ToUnixTimeMilliseconds(), 0, 0), n, target),
        _clock.GetUtcNow(), null, Firefox, null);
}
