using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Simulated;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

public sealed class SimulatedProviderTests
{
    readonly ManualClock _clock = new();

    SimulatedProviderFactory Factory => new(_clock, Entropy.System);

    static TransportSettings Settings(string options) => new()
    {
        Name = "sim",
        Scheme = "sim",
        Host = "NAME",
        Options = options.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('='))
            .ToDictionary(pair => pair[0], pair => pair[1]),
    };

    IProvider New(string options)
    {
        Assert.Empty(Factory.Check(Settings(options)));
        return Factory.Create(Settings(options));
    }

    /// <summary>Kinds of the first recipients of so many calls. Without latency each is finished when it returns.</summary>
    static async Task<List<Outcome>> Call(IProvider provider, int times, int recipients = 1)
    {
        var outcomes = new List<Outcome>();
        for (var i = 0; i < times; i++)
            outcomes.AddRange((await provider.SendAsync(Envelopes.New(recipients), default)).Take(recipients));
        return outcomes;
    }

    [Fact]
    public async Task Without_options_everything_is_accepted()
    {
        var outcomes = await Call(New(""), 3);
        Assert.All(outcomes, outcome => Assert.Equal(OutcomeKind.Accepted, outcome.Kind));
        Assert.Equal(3, outcomes.Select(outcome => outcome.ProviderId).Distinct().Count());
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_run_and_another_seed_another()
    {
        const string Faults = "fail=0.2&throttle=0.1&unknown=0.1&defer=0.2&bounce=0.2&seed=";
        async Task<string> Run(string seed) => string.Concat((await Call(New(Faults + seed), 200, 2)).Select(outcome => (int)outcome.Kind));
        Assert.Equal(await Run("7"), await Run("7"));
        Assert.NotEqual(await Run("7"), await Run("8"));
    }

    [Theory]
    [InlineData("fail", OutcomeKind.Unreachable)]
    [InlineData("refuse", OutcomeKind.Refused)]
    [InlineData("throttle", OutcomeKind.Throttled)]
    [InlineData("unknown", OutcomeKind.Unknown)]
    [InlineData("defer", OutcomeKind.Deferred)]
    [InlineData("bounce", OutcomeKind.Rejected)]
    public async Task Each_fault_comes_as_often_as_asked(string option, OutcomeKind kind)
    {
        var outcomes = await Call(New($"{option}=0.3&seed=1"), 2_000);
        Assert.InRange(outcomes.Count(outcome => outcome.Kind == kind), 540, 660);
        Assert.Equal(2_000, outcomes.Count(outcome => outcome.Kind == kind || outcome.Kind == OutcomeKind.Accepted));
        Assert.All(await Call(New($"{option}=1"), 20), outcome => Assert.Equal(kind, outcome.Kind));
    }

    [Fact]
    public async Task A_call_that_fails_fails_for_all_its_recipients_and_recipients_fare_differently()
    {
        foreach (var _ in Enumerable.Range(0, 100))
            Assert.Single((await New("fail=0.5").SendAsync(Envelopes.New(9), default)).Select(outcome => outcome.Kind).Distinct());
        Assert.Equal(3, (await Call(New("defer=0.3&bounce=0.3&seed=3"), 1, 50)).Select(outcome => outcome.Kind).Distinct().Count());
    }

    [Fact]
    public async Task A_throttled_call_may_name_its_time()
    {
        Assert.Equal(TimeSpan.FromSeconds(2), Assert.Single(await Call(New("throttle=1,2s"), 1)).RetryAfter);
        Assert.Null(Assert.Single(await Call(New("throttle=1"), 1)).RetryAfter);
    }

    [Theory]
    [InlineData("outage=10s+60s", "x9 o10 o69 x70 x200")]
    [InlineData("outage=2s+2s/4s", "x0 x1 o2 o3 x4 x5 o6 o7 x8")]
    [InlineData("outage=2s+2s,10s+1s,20s+1s/5s", "x1 o2 o3 x4 o10 x11 x19 o20 x21 o25 x26")]
    public async Task Outages_come_and_go_by_the_clock(string options, string expected)
    {
        var provider = New(options);
        var start = _clock.GetTimestamp();
        foreach (var step in expected.Split(' '))
        {
            _clock.Advance(TimeSpan.FromSeconds(int.Parse(step[1..], null)) - _clock.GetElapsedTime(start));
            var kind = Assert.Single(await Call(provider, 1)).Kind;
            Assert.Equal((step, step[0] == 'o' ? OutcomeKind.Unreachable : OutcomeKind.Accepted), (step, kind));
        }
    }

    [Fact]
    public async Task Latency_passes_on_the_clock_half_of_it_before_the_commit_point()
    {
        var commits = 0;
        var envelope = Envelopes.New() with
        {
            CommitPoint = _ =>
            {
                commits++;
                return ValueTask.FromResult(true);
            },
        };
        var sending = New("latency=20ms").SendAsync(envelope, default).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(9));
        Assert.Equal(0, commits);
        await _clock.AdvanceUntilAsync(() => commits == 1, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5));
        Assert.False(sending.IsCompleted);
        await _clock.AdvanceUntilAsync(() => sending.IsCompleted, TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(50));
        Assert.Equal(OutcomeKind.Accepted, (await sending)[0].Kind);
    }

    [Theory]
    [InlineData(5, OutcomeKind.Unreachable)]
    [InlineData(15, OutcomeKind.Unknown)]
    public async Task Cut_before_the_message_left_it_is_unsent_and_after_that_unknown(int cutAfter, OutcomeKind expected)
    {
        using var cut = new CancellationTokenSource();
        var committed = false;
        var envelope = Envelopes.New() with { CommitPoint = _ => ValueTask.FromResult(committed = true) };
        var sending = New("latency=20ms").SendAsync(envelope, cut.Token).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(cutAfter));
        if (cutAfter > 10)
            await _clock.AdvanceUntilAsync(() => committed, TimeSpan.Zero, TimeSpan.MaxValue);
        await cut.CancelAsync();
        Assert.All(await sending, outcome => Assert.Equal(expected, outcome.Kind));
    }

    [Fact]
    public async Task A_refused_commit_point_sends_nothing()
    {
        var envelope = Envelopes.New() with { CommitPoint = _ => ValueTask.FromResult(false) };
        Assert.All(await New("").SendAsync(envelope, default), outcome => Assert.True(outcome.KnownUnsent));
    }

    [Theory]
    [InlineData("latency=20")]
    [InlineData("latency=80ms-20ms")]
    [InlineData("latency=1ms-2ms-3ms")]
    [InlineData("fail=1.1")]
    [InlineData("fail=-0.1")]
    [InlineData("throttle=0.1,soon")]
    [InlineData("throttle=0.1,1s,2s")]
    [InlineData("defer=often")]
    [InlineData("outage=10s")]
    [InlineData("outage=10s+1s,")]
    [InlineData("outage=10s+20s/0s")]
    [InlineData("outage=10s+20s/30s/40s")]
    [InlineData("seed=-1")]
    public void A_faulty_option_is_named(string option)
    {
        var fault = Assert.Single(Factory.Check(Settings(option)));
        Assert.StartsWith($"option '{option.Split('=')[0]}' is ", fault, StringComparison.Ordinal);
        Assert.EndsWith($"not '{option.Split('=')[1]}'", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Shares_above_the_whole_are_refused() =>
        Assert.Equal(2, Factory.Check(Settings("fail=0.6&throttle=0.6&defer=0.6&bounce=0.6")).Count);
}
