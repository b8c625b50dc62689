using Postrider.Simulation;
using Xunit;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>The real delivery in virtual time: repeatable, quick, and as it is in real time.</summary>
public sealed class SimulationRunTests
{
    const string Troubled = "a=sim://a?latency=20ms-80ms&fail=0.2&unknown=0.02&throttle=0.05&retry=exponential:2,500ms&rate=20/s "
        + "b=sim://b?latency=50ms&fail=0.1&defer=0.05 c=sim://c?latency=100ms&outage=5s+30s&bounce=0.01";

    [Theory]
    [InlineData("priority")]
    [InlineData("sticky")]
    [InlineData("round_robin")]
    [InlineData("weighted")]
    public async Task The_same_seed_comes_to_the_same_to_the_last_event(string strategy)
    {
        var scenario = Trials.Of(Troubled, strategy) with { Mails = 400, Between = TimeSpan.FromMilliseconds(50), Seed = 42 };
        var first = Trials.Words(await Trials.RunAsync(scenario));
        Assert.Equal(first, Trials.Words(await Trials.RunAsync(scenario)));
        Assert.NotEqual(first, Trials.Words(await Trials.RunAsync(scenario with { Seed = 43 })));
    }

    [Fact]
    public async Task Sticky_delivers_everything_through_a_total_outage_of_an_hour()
    {
        const string Outage = "latency=50ms&outage=10s+1h";
        var result = await Trials.RunAsync(
            Trials.Of($"a=sim://a?{Outage} b=sim://b?{Outage} c=sim://c?{Outage}", "sticky") with
            {
                Mails = 600,
                Between = TimeSpan.FromSeconds(6),
            });
        Assert.Equal((600, 0, 0), (result.Delivered, result.Failed, result.Expired));
        Assert.InRange(result.Took, TimeSpan.FromHours(1), TimeSpan.FromMinutes(66)); // at most one round's longest back-off, 5 min, later
        Assert.Equal(600, result.Vendors.Sum(vendor => vendor.Delivered));
    }

    [Fact]
    public async Task A_mail_fails_over_while_its_first_vendor_is_out()
    {
        var result = await Trials.RunAsync(OneIsOut);
        Assert.Equal(300, result.Delivered);
        Assert.Equal([0, 300], result.Vendors.Select(vendor => vendor.Delivered));
        Assert.InRange(result.Percentile(100)!.Value, 50, 10_000);
    }

    /// <summary>The negative control.</summary>
    [Fact]
    public async Task Without_failover_the_same_mails_wait_for_the_end_of_the_outage()
    {
        var result = await Trials.RunAsync(OneIsOut, WithoutFailover.Open);
        Assert.True(result.Percentile(100) > TimeSpan.FromMinutes(20).TotalMilliseconds, Trials.Words(result));
    }

    // Without a circuit: what keeps a mail from the vendor that failed on it is its own history alone.
    static Scenario OneIsOut => Trials.Of("a=sim://a?latency=50ms&outage=0s+1h&circuit=off b=sim://b?latency=50ms&circuit=off") with
    {
        Mails = 300,
        Between = TimeSpan.FromSeconds(6),
    };

    [Fact]
    public async Task Real_time_comes_to_the_same_as_virtual_time()
    {
        var scenario = Trials.Of("a=sim://a?latency=20ms&outage=1s+2s&circuit=3,10s,1s b=sim://b?latency=40ms") with
        {
            Mails = 160,
            Between = TimeSpan.FromMilliseconds(50),
        };
        var imagined = await Trials.RunAsync(scenario);
        var real = await Trials.RunAsync(scenario with { RealTime = true });
        Assert.Equal((160, 0, 0), (imagined.Delivered, imagined.Failed, imagined.Expired));
        Assert.Equal((160, 0, 0), (real.Delivered, real.Failed, real.Expired));
        Assert.Equal(["a open", "a half_open", "a closed"], Changes(imagined));
        Assert.Equal(Changes(imagined), Changes(real));
        // On a busy machine calls take longer, and a few mails more or less fall into the outage.
        Assert.InRange(real.Vendors[0].Delivered, imagined.Vendors[0].Delivered - 30, imagined.Vendors[0].Delivered + 30);
        Assert.InRange(real.Percentile(50)!.Value, imagined.Percentile(50)!.Value - 5, imagined.Percentile(50)!.Value + 500);
        Assert.InRange(real.Took, TimeSpan.FromSeconds(7.9), TimeSpan.FromSeconds(40));
    }

    static IEnumerable<string> Changes(SimulationResult result) =>
        result.Circuit.Select(change => $"{change.Vendor} {change.State}").Distinct();

    [Fact]
    public async Task A_vendor_takes_no_more_than_its_limit_in_any_window()
    {
        var result = await Trials.RunAsync(Trials.Of("a=sim://a?latency=0ms&rate=5/10s") with { Mails = 30 });
        Assert.Equal(30, result.Delivered);
        // The limiter lets one go every 2 s, and one at once after a quiet time.
        Assert.Equal(TimeSpan.FromSeconds(58), TimeSpan.FromSeconds(Math.Round(result.Took.TotalSeconds)));
        for (var i = 0; i + 6 < result.Delays.Count; i++)
            Assert.True(result.Delays[i + 6] - result.Delays[i] >= 10_000, $"7 mails in 10 s from {result.Delays[i]} ms on");
    }

    [Fact]
    public async Task A_vendor_that_is_out_opens_its_circuit_and_a_probe_closes_it()
    {
        var result = await Trials.RunAsync(Trials.Of("a=sim://a?latency=10ms&outage=5s+20s&circuit=3,30s,5s b=sim://b?latency=10ms") with
        {
            Mails = 600,
            Between = TimeSpan.FromMilliseconds(100),
        });
        Assert.Equal(600, result.Delivered);
        Assert.Equal("open", result.Circuit[0].State);
        Assert.InRange(result.Circuit[0].At, 5_000, 7_000);
        Assert.Equal("closed", result.Circuit[^1].State);
        Assert.InRange(result.Circuit[^1].At, 25_000, 60_000);
    }

    [Fact]
    public async Task What_nobody_takes_expires()
    {
        var result = await Trials.RunAsync(Trials.Of("a=sim://a?outage=0s+10d") with { Mails = 5, ExpiresIn = TimeSpan.FromHours(24) });
        Assert.Equal((0, 0, 5), (result.Delivered, result.Failed, result.Expired));
        Assert.Null(result.Percentile(50));
        Assert.InRange(result.Took, TimeSpan.FromHours(24), TimeSpan.FromHours(24.1));
    }

    [Fact]
    public async Task A_mail_whose_answer_was_lost_is_sent_again_after_its_time_and_counted()
    {
        var result = await Trials.RunAsync(Trials.Of("a=sim://a?unknown=1&circuit=off b=sim://b") with { Mails = 1 });
        Assert.Equal([0, 1], result.Vendors.Select(vendor => vendor.Delivered));
        Assert.Equal(1, result.PossibleDuplicates);
        Assert.InRange(result.Percentile(100)!.Value, 60_000, 62_000); // settling
    }

    [Fact]
    public async Task A_mail_that_may_have_been_taken_twice_is_counted_whatever_became_of_it()
    {
        var silent = Trials.Of("a=sim://a?unknown=1&circuit=off") with { Mails = 3 };
        var expired = await Trials.RunAsync(silent with { ExpiresIn = TimeSpan.FromMinutes(30) });
        Assert.Equal((0, 3, 3), (expired.Delivered, expired.Expired, expired.PossibleDuplicates));

        // Tried once, it may have come once.
        var once = await Trials.RunAsync(silent with { ExpiresIn = TimeSpan.FromSeconds(10) });
        Assert.Equal((0, 3, 3L, 0), (once.Delivered, once.Expired, once.Tries, once.PossibleDuplicates));
    }

    [Fact]
    public async Task A_quota_is_kept_and_the_rest_goes_elsewhere()
    {
        var result = await Trials.RunAsync(Trials.Of("a=sim://a?quota=20/d b=sim://b") with { Mails = 50, Between = TimeSpan.FromSeconds(1) });
        Assert.Equal([20, 30], result.Vendors.Select(vendor => vendor.Delivered));
    }

    [Fact]
    public async Task Weights_share_out_the_mail()
    {
        var result = await Trials.RunAsync(
            Trials.Of("a=sim://a?latency=10ms&weight=3 b=sim://b?latency=10ms&weight=1", "weighted") with
            {
                Mails = 400,
                Between = TimeSpan.FromMilliseconds(100),
            });
        Assert.Equal([300, 100], result.Vendors.Select(vendor => vendor.Delivered));
    }

    [Fact]
    public void Faults_of_transports_are_named_before_anything_runs()
    {
        var run = new SimulationRun(Trials.Of("a=sim://a?fail=2"),
            [new Postrider.Providers.Simulated.SimulatedProviderFactory(TimeProvider.System, Entropy.System)],
            Postrider.Storage.Memory.MemoryStorage.Open);
        Assert.Contains("a: option 'fail' is a probability", Assert.Single(run.Check()).Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_hour_with_an_outage_takes_seconds()
    {
        var began = TimeProvider.System.GetTimestamp();
        var result = await Trials.RunAsync(
            Trials.Of("a=sim://a?latency=50ms&outage=10m+20m b=sim://b?latency=80ms") with
            {
                Mails = 3_600,
                Between = TimeSpan.FromSeconds(1),
            });
        var took = TimeProvider.System.GetElapsedTime(began);
        Assert.Equal(3_600, result.Delivered);
        TestContext.Current.TestOutputHelper?.WriteLine($"{result.Took} in {took}");
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(60)); // about 1 s where nothing else runs
    }
}

/// <summary>What makes a simulation repeatable refuses what would make it chance.</summary>
public sealed class OneThreadTests
{
    [Fact]
    public void Work_that_comes_back_from_another_thread_is_refused()
    {
        var thread = new OneThread(new VirtualClock(Scenario.DefaultStart));
        Assert.Throws<InvalidOperationException>(() => thread.Run(async () =>
        {
            await Task.Run(() => 1);
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
            return 1;
        }, CancellationToken.None));
    }

    [Fact]
    public void Timers_fire_in_the_order_of_their_time_and_time_stands_still_between_them()
    {
        var clock = new VirtualClock(Scenario.DefaultStart);
        var thread = new OneThread(clock);
        var order = thread.Run(async () =>
        {
            var seen = new List<string>();
            async Task Wait(string name, int seconds)
            {
                await Task.Delay(TimeSpan.FromSeconds(seconds), clock);
                seen.Add($"{name} at {(clock.GetUtcNow() - Scenario.DefaultStart).TotalSeconds}");
            }
            await Task.WhenAll(Wait("c", 3), Wait("a", 1), Wait("b", 2), Wait("a2", 1));
            return seen;
        }, CancellationToken.None);
        Assert.Equal(["a at 1", "a2 at 1", "b at 2", "c at 3"], order);
    }

    [Fact]
    public void A_simulation_that_waits_for_nothing_says_so()
    {
        var thread = new OneThread(new VirtualClock(Scenario.DefaultStart));
        var fault = Assert.Throws<InvalidOperationException>(() =>
            thread.Run(() => new TaskCompletionSource<int>().Task, CancellationToken.None));
        Assert.Contains("stands still", fault.Message, StringComparison.Ordinal);
    }
}
