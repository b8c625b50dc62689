using Postrider.Messages;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class TransportOptionsTests
{
    readonly List<TransportFault> _faults = [];

    TransportOptions Read(string options, params string[] known) =>
        TransportOptions.From(TransportDsn.ParseAll($"a=smtp://host?{options}", _faults).Single(), _faults, known);

    [Fact]
    public void Without_options_the_defaults_hold()
    {
        var options = Read("");
        Assert.Null(options.Rate);
        Assert.Equal(20, options.Concurrency);
        Assert.Null(options.Timeout);
        Assert.Equal(AttemptRetry.None, options.Retry);
        Assert.Equal(new CircuitOptions(10, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5)), options.Circuit);
        Assert.Equal(TimeSpan.FromSeconds(30), options.Stall);
        Assert.Equal(1, options.Weight);
        Assert.Empty(options.Domains);
        Assert.Empty(_faults);
    }

    [Theory]
    [InlineData("14/s", 14, 1, 1)]
    [InlineData("600/m", 600, 60, 30)]
    [InlineData("1000/h,5", 1000, 3_600, 5)]
    [InlineData("200/d", 200, 86_400, 10)]
    [InlineData("5/10s", 5, 10, 1)]
    [InlineData("100/1m", 100, 60, 5)]
    public void Rates_are_read(string text, int count, int seconds, int burst)
    {
        Assert.Equal(new Rate(count, TimeSpan.FromSeconds(seconds), burst), Read($"rate={text}").Rate);
        Assert.Empty(_faults);
    }

    [Theory]
    [InlineData("50000/d", "50000/d")]
    [InlineData("1000000/month,50000/d", "1000000/month 50000/d")]
    public void Quotas_are_read(string text, string expected) =>
        Assert.Equal(expected, string.Join(' ', Read($"quota={text}").Quotas));

    [Theory]
    [InlineData("none", AttemptRetryKind.None, 0, 0)]
    [InlineData("immediate:2", AttemptRetryKind.Immediate, 2, 0)]
    [InlineData("constant:2,1s", AttemptRetryKind.Constant, 2, 1_000)]
    [InlineData("exponential:3,500ms", AttemptRetryKind.Exponential, 3, 500)]
    public void Retries_are_read_and_written(string text, AttemptRetryKind kind, int count, int milliseconds)
    {
        var retry = Read($"retry={text}").Retry;
        Assert.Equal(new AttemptRetry(kind, count, TimeSpan.FromMilliseconds(milliseconds)), retry);
        Assert.Equal(text, retry.ToString());
        Assert.Empty(_faults);
    }

    [Theory]
    [InlineData("example.com", "example.com", "sub.example.com other.example")]
    [InlineData("*.example.com", "sub.example.com a.b.example.com", "example.com notexample.com")]
    [InlineData("Example.com,*.bücher.example", "example.com news.xn--bcher-kva.example", "xn--bcher-kva.example")]
    public void Declared_senders_are_read(string text, string taken, string others)
    {
        var senders = Read($"from={Uri.EscapeDataString(text)}").Senders!;
        Assert.Empty(_faults);
        Assert.All(taken.Split(' '), domain => Assert.True(senders.Include(domain), domain));
        Assert.All(others.Split(' '), domain => Assert.False(senders.Include(domain), domain));
    }

    [Theory]
    [InlineData("ann@example.com")]
    [InlineData("*")]
    [InlineData("exa mple.com")]
    [InlineData(",")]
    public void What_is_no_list_of_senders_is_a_fault(string text)
    {
        Read($"from={Uri.EscapeDataString(text)}");
        Assert.Equal("from", Assert.Single(_faults).Option);
    }

    [Fact]
    public void The_other_options_are_read()
    {
        var options = Read("concurrency=64&timeout=90s&circuit=3,1m,250ms&stall=off&weight=7&domains=GMail.com:5,20/s,5m;yahoo.com:2;example.org:-,1/s;*:20");
        Assert.Empty(_faults);
        Assert.Equal((64, TimeSpan.FromSeconds(90), null, 7), (options.Concurrency, options.Timeout, options.Stall, options.Weight));
        Assert.Equal(new CircuitOptions(3, TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(250)), options.Circuit);
        Assert.Equal([
            new DomainLimit("gmail.com", 5, new Rate(20, TimeSpan.FromSeconds(1)), TimeSpan.FromMinutes(5)),
            new DomainLimit("yahoo.com", 2, null, null),
            new DomainLimit("example.org", null, new Rate(1, TimeSpan.FromSeconds(1)), null),
            new DomainLimit("*", 20, null, null)], options.Domains);
        Assert.Null(Read("circuit=off").Circuit);
    }

    [Theory]
    [InlineData("rate=14")]
    [InlineData("rate=/s")]
    [InlineData("rate=0/s")]
    [InlineData("rate=-1/s")]
    [InlineData("rate=14/")]
    [InlineData("rate=14/w")]
    [InlineData("rate=14/s,0")]
    [InlineData("rate=,14/s")]
    [InlineData("rate=1.5/s")]
    [InlineData("rate=1000001/s")]
    [InlineData("quota=100")]
    [InlineData("quota=0/d")]
    [InlineData("quota=100/h")]
    [InlineData("quota=100/d,200/d")]
    [InlineData("quota=100/d,")]
    [InlineData("concurrency=0")]
    [InlineData("concurrency=10001")]
    [InlineData("concurrency=many")]
    [InlineData("timeout=0s")]
    [InlineData("timeout=90")]
    [InlineData("retry=2")]
    [InlineData("retry=immediate")]
    [InlineData("retry=immediate:11")]
    [InlineData("retry=immediate:2,1s")]
    [InlineData("retry=constant:2")]
    [InlineData("retry=constant:2,2m")]
    [InlineData("retry=sometimes:2,1s")]
    [InlineData("circuit=10,30s")]
    [InlineData("circuit=0,30s,5s")]
    [InlineData("circuit=10,30,5")]
    [InlineData("circuit=10,0s,5s")]
    [InlineData("stall=never")]
    [InlineData("weight=0")]
    [InlineData("domains=gmail.com")]
    [InlineData("domains=gmail.com:x")]
    [InlineData("domains=gmail.com:1,2,3,4")]
    [InlineData("domains=.com:1")]
    [InlineData("domains=a.com:1;a.com:2")]
    [InlineData("domains=;")]
    public void A_faulty_value_is_named_with_what_is_expected_and_keeps_the_default(string option)
    {
        var options = Read(option);
        var fault = Assert.Single(_faults);
        Assert.Equal(("a", option.Split('=')[0]), (fault.Transport, fault.Option));
        Assert.Contains(" is ", fault.ToString());
        Assert.Contains($"not '{option[(option.IndexOf('=') + 1)..]}'", fault.Words);
        var standard = new TransportOptions { Name = "a", Scheme = "smtp", Key = "a" };
        // Lists are equal where they are the same one.
        Assert.Equal(standard, options with { Domains = standard.Domains, Quotas = standard.Quotas });
        Assert.Equal((standard.Domains, standard.Quotas), (options.Domains, options.Quotas));
    }

    [Fact]
    public void Unknown_options_are_refused_with_those_that_are_known()
    {
        Read("tls=auto&rat=1/s", "tls");
        var fault = Assert.Single(_faults);
        Assert.Equal("rat", fault.Option);
        Assert.Contains("circuit, concurrency, domains, from, quota, rate, retry, stall, timeout, tls, weight", fault.Words);
    }

    [Fact]
    public void Limits_per_recipient_domain_are_for_smtp_only()
    {
        TransportOptions.From(TransportDsn.ParseAll("ses://host?domains=a.com:1", _faults).Single(), _faults);
        Assert.Equal("domains", Assert.Single(_faults).Option);
    }
}

public sealed class DurationsTests
{
    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("10s", 10)]
    [InlineData("0s", 0)]
    [InlineData("10m", 600)]
    [InlineData("24h", 86_400)]
    [InlineData("1d", 86_400)]
    [InlineData("3650d", 315_360_000)]
    public void Spans_are_read(string text, double seconds)
    {
        Assert.True(Durations.TryParse(text, out var span));
        Assert.Equal(TimeSpan.FromSeconds(seconds), span);
        Assert.True(Durations.TryParse(Durations.Format(span), out var again));
        Assert.Equal(span, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1.5s")]
    [InlineData("1 s")]
    [InlineData("10S")]
    [InlineData("10min")]
    [InlineData("3651d")]
    [InlineData("999999999999h")]
    [InlineData("99999999999999999999s")]
    [InlineData("١s")]
    public void What_is_no_span_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));
}

public sealed class DeferralScheduleTests
{
    static IEnumerable<double> Seconds(string text, double jitter = 0.5)
    {
        var schedule = DeferralSchedule.Parse(text)!;
        return Enumerable.Range(0, schedule.Count).Select(deferrals => schedule.Delay(deferrals, jitter).TotalSeconds);
    }

    [Theory]
    [InlineData("10m,10m,10m", new[] { 600.0, 600, 600 })]
    [InlineData("1s, 2s", new[] { 1.0, 2 })]
    [InlineData("none", new double[0])]
    [InlineData("immediate:2", new[] { 0.0, 0 })]
    [InlineData("constant:3,10m", new[] { 600.0, 600, 600 })]
    [InlineData("exponential:8,1m", new[] { 60.0, 120, 240, 480, 960, 1920, 3600, 3600 })]
    [InlineData("exponential:3,1m,90s", new[] { 60.0, 90, 90 })]
    [InlineData("exponential:100,3650d,3650d", null)]
    public void Schedules_are_read(string text, double[]? expected)
    {
        if (expected is null)
            Assert.All(Seconds(text), seconds => Assert.Equal(TimeSpan.FromDays(3650).TotalSeconds, seconds));
        else
            Assert.Equal(expected, Seconds(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("10m,,10m")]
    [InlineData("immediate")]
    [InlineData("immediate:0")]
    [InlineData("immediate:101")]
    [InlineData("immediate:2,1s")]
    [InlineData("constant:2")]
    [InlineData("constant:2,1s,2s")]
    [InlineData("exponential:2")]
    [InlineData("linear:2,1s")]
    public void What_is_no_schedule_is_refused(string text) => Assert.Null(DeferralSchedule.Parse(text));

    [Theory]
    [InlineData(0.0, 48)]
    [InlineData(0.5, 60)]
    [InlineData(0.9999999, 72)]
    public void Growing_delays_are_spread(double jitter, double expected) =>
        Assert.Equal(expected, Seconds("exponential:1,1m", jitter).Single(), 0.001);
}
