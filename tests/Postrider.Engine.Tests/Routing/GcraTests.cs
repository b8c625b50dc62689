using FsCheck;
using FsCheck.Fluent;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class GcraTests
{
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>What a client does next: time passes, then it asks.</summary>
    sealed record Step(int Milliseconds, Act Act, int Recipients);

    enum Act { Send, Reserve, SendReserved, GiveBack, Throttled }

    sealed record Case(Rate Rate, IReadOnlyList<Step> Steps);

    static readonly Gen<Rate> Rates =
        from count in Gen.Elements(1, 2, 7, 14, 100, 1_000)
        from per in Gen.Elements(1, 60, 3_600)
        from burst in Gen.Elements(0, 1, 3, 20)
        select burst == 0 ? new Rate(count, TimeSpan.FromSeconds(per)) : new Rate(count, TimeSpan.FromSeconds(per), burst);

    static Gen<Case> Cases(int mostRecipients, bool throttles) =>
        from rate in Rates
        from steps in Gen.ListOf(
            from milliseconds in Gen.Frequency((3, Gen.Constant(0)), (3, Gen.Choose(1, 50)), (2, Gen.Choose(50, 2_000)),
                (1, Gen.Choose(2_000, 200_000)))
            from act in throttles ? Gen.Choose(0, 4) : Gen.Choose(0, 3)
            from recipients in Gen.Choose(1, mostRecipients)
            select new Step(milliseconds, (Act)act, recipients), 60)
        select new Case(rate, [.. steps]);

    /// <summary>Plays a case as the transport does; returns what was let go, and when.</summary>
    static List<(TimeSpan At, int Recipients)> Play(Case c)
    {
        var sent = new List<(TimeSpan, int)>();
        var state = default(GcraState);
        var now = TimeSpan.Zero;
        var reserved = 0;
        foreach (var step in c.Steps)
        {
            now += TimeSpan.FromMilliseconds(step.Milliseconds);
            var free = Gcra.Earliest(state, c.Rate, now, reserved) <= now;
            switch (step.Act)
            {
                case Act.Reserve when free:
                    reserved++;
                    break;
                case Act.GiveBack when reserved > 0:
                    reserved--;
                    break;
                case Act.Throttled:
                    state = Gcra.Throttle(state, now, step.Recipients % 2 == 0 ? null : TimeSpan.FromSeconds(step.Recipients));
                    break;
                case Act.Send when free:
                case Act.SendReserved when reserved > 0 && Gcra.Earliest(state, c.Rate, now, 0) <= now:
                    reserved -= step.Act == Act.SendReserved ? 1 : 0;
                    state = Gcra.Charge(state, c.Rate, now, step.Recipients);
                    sent.Add((now, step.Recipients));
                    break;
                default:
                    break;
            }
        }
        return sent;
    }

    static bool KeepsBound(Case c, int mostRecipients)
    {
        var sent = Play(c);
        for (var first = 0; first < sent.Count; first++)
        {
            var sum = 0;
            for (var last = first; last < sent.Count; last++)
            {
                sum += sent[last].Recipients;
                var allowed = (sent[last].At - sent[first].At) / c.Rate.Interval + c.Rate.Burst - 1 + mostRecipients;
                if (sum > allowed + 1e-6)
                    return false;
            }
        }
        return true;
    }

    static void Holds(Gen<Case> cases, Func<Case, bool> property) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll(cases.ToArbitrary(), property));

    [Fact]
    public void No_window_sees_more_than_the_rate_and_the_burst() => Holds(Cases(1, throttles: false), c => KeepsBound(c, 1));

    [Fact]
    public void Envelopes_of_many_recipients_go_into_debt_by_at_most_one_of_them() =>
        Holds(Cases(50, throttles: true), c => KeepsBound(c, 50));

    [Fact]
    public void Whoever_waits_until_the_instant_told_is_let_through() => Holds(Cases(50, throttles: true), c =>
    {
        var state = default(GcraState);
        var now = TimeSpan.Zero;
        foreach (var step in c.Steps)
        {
            now += TimeSpan.FromMilliseconds(step.Milliseconds);
            if (step.Act == Act.Throttled)
                state = Gcra.Throttle(state, now, TimeSpan.FromSeconds(step.Recipients));
            else
                state = Gcra.Charge(state, c.Rate, now, step.Recipients);
            var earliest = Gcra.Earliest(state, c.Rate, now, 0);
            if (earliest > now && Gcra.Earliest(state, c.Rate, earliest, 0) > earliest)
                return false;
        }
        return true;
    });

    [Fact]
    public void A_greedy_client_gets_the_whole_rate()
    {
        var rate = new Rate(14, Second);
        var state = default(GcraState);
        var sent = 0;
        for (var now = TimeSpan.Zero; now < TimeSpan.FromSeconds(100); now = Gcra.Earliest(state, rate, now, 0))
        {
            state = Gcra.Charge(state, rate, now, 1);
            sent++;
        }
        Assert.InRange(sent, 1_399, 1_401);
    }

    [Theory]
    [InlineData(14, 1, 1)]
    [InlineData(100, 1, 5)]
    [InlineData(1_000, 86_400, 50)]
    [InlineData(1, 3_600, 1)]
    public void The_burst_is_a_twentieth_of_the_count_and_at_least_one(int count, int seconds, int burst) =>
        Assert.Equal(burst, new Rate(count, TimeSpan.FromSeconds(seconds)).Burst);

    [Fact]
    public void Reservations_that_were_given_back_cost_nothing()
    {
        var rate = new Rate(10, Second, 2);
        Assert.True(Gcra.Earliest(default, rate, TimeSpan.Zero, reserved: 1) <= TimeSpan.Zero);
        Assert.True(Gcra.Earliest(default, rate, TimeSpan.Zero, reserved: 2) > TimeSpan.Zero);
        Assert.True(Gcra.Earliest(default, rate, TimeSpan.Zero, reserved: 0) <= TimeSpan.Zero);
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(0, 1)]               // never a hot loop
    [InlineData(-7, 1)]              // an HTTP date that is past
    [InlineData(3_600, 3_600)]
    [InlineData(86_400 * 365, 3_600)] // absurd
    public void What_the_provider_asks_for_is_obeyed_within_a_second_and_an_hour(int asked, int expected)
    {
        var state = Gcra.Throttle(default, Second, TimeSpan.FromSeconds(asked));
        Assert.Equal(Second + TimeSpan.FromSeconds(expected), Gcra.Earliest(state, null, Second, 0));
    }

    [Fact]
    public void A_shorter_wait_does_not_undo_a_longer_one()
    {
        var state = Gcra.Throttle(default, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        state = Gcra.Throttle(state, Second, TimeSpan.FromSeconds(2));
        Assert.Equal(TimeSpan.FromSeconds(60), state.NotBefore);
    }

    [Fact]
    public void Without_a_time_the_wait_doubles_once_per_round_up_to_a_minute_and_starts_over_after_an_acceptance()
    {
        var state = default(GcraState);
        var now = TimeSpan.Zero;
        var waits = new List<double>();
        for (var round = 0; round < 9; round++)
        {
            for (var inFlight = 0; inFlight < 20; inFlight++)
                state = Gcra.Throttle(state, now, null);
            waits.Add((state.NotBefore - now).TotalSeconds);
            now = state.NotBefore;
        }
        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60, 60], waits);
        state = Gcra.Throttle(Gcra.Answered(state), now, null);
        Assert.Equal(now + Second, state.NotBefore);
    }
}
