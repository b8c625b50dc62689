using Postrider.Schedules;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class SchedulePlanTests
{
    static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    static readonly ScheduleOptions Options = new();
    static readonly ScheduleCalendar Hourly = Calendar("0 * * * *");

    [Theory]
    // hours since the first that was not dealt with, policy → run (hour), missed (hour × count), next (hour)
    [InlineData(0, MissedPolicy.Latest, 0, null, 0, 1)]
    [InlineData(0, MissedPolicy.Skip, 0, null, 0, 1)]
    [InlineData(0, MissedPolicy.All, 0, null, 0, 1)]
    [InlineData(3, MissedPolicy.Latest, 3, 0, 3, 4)]
    [InlineData(3, MissedPolicy.Skip, 3, 0, 3, 4)]
    [InlineData(3, MissedPolicy.All, 0, null, 0, 1)]
    [InlineData(99, MissedPolicy.All, 0, null, 0, 1)]
    [InlineData(150, MissedPolicy.All, 51, 0, 51, 52)]
    [InlineData(1000, MissedPolicy.Latest, 1000, 0, 1000, 1001)]
    public void What_is_due_is_run_or_missed(
        int hours, MissedPolicy policy, int run, int? firstMissed, int missed, int next)
    {
        var plan = Plan(Hourly, policy, Noon.AddHours(hours).AddSeconds(1))!;
        Assert.Equal(Noon.AddHours(run), plan.Run?.At);
        Assert.Equal(firstMissed is null ? null : (Noon.AddHours(firstMissed.Value), missed),
            plan.Missed is { } m ? (m.First.At, m.Count) : ((DateTimeOffset, int)?)null);
        Assert.Equal(Noon.AddHours(next), plan.Next?.At);
    }

    [Fact]
    public void Nothing_is_to_be_done_before_the_time_has_come()
    {
        Assert.Null(Plan(Hourly, MissedPolicy.Latest, Noon.AddTicks(-1)));
        Assert.NotNull(Plan(Hourly, MissedPolicy.Latest, Noon));
    }

    [Fact]
    public void Skip_lets_nothing_come_late()
    {
        Assert.Equal(Noon, Plan(Hourly, MissedPolicy.Skip, Noon + Options.OnTimeWithin)!.Run?.At);
        var late = Plan(Hourly, MissedPolicy.Skip, Noon + Options.OnTimeWithin + TimeSpan.FromSeconds(1))!;
        Assert.Null(late.Run);
        Assert.Equal((Noon, 1), (late.Missed!.Value.First.At, late.Missed.Value.Count));
        Assert.Equal(Noon.AddHours(1), late.Next?.At);
    }

    [Theory]
    // seconds since the first of two times 10 s apart → run, next (seconds), and how many were missed
    [InlineData(MissedPolicy.Latest, 0, 0, 10, 0)]
    [InlineData(MissedPolicy.Latest, 11, 0, 10, 0)]
    [InlineData(MissedPolicy.Skip, 11, 0, 10, 0)]
    [InlineData(MissedPolicy.Latest, 300, 0, 10, 0)]
    [InlineData(MissedPolicy.Skip, 300, 0, 10, 0)]
    [InlineData(MissedPolicy.Latest, 305, 10, null, 1)]
    [InlineData(MissedPolicy.Skip, 305, 10, null, 1)]
    [InlineData(MissedPolicy.Latest, 311, 10, null, 1)]   // late: the latest of them comes
    [InlineData(MissedPolicy.Skip, 311, null, null, 2)]
    public void A_time_that_is_hardly_late_is_on_time(MissedPolicy policy, int seconds, int? run, int? next, int missed)
    {
        var twice = ScheduleCalendar.Of(
            [new WallClock(Noon.DateTime, 0), new WallClock(Noon.DateTime.AddSeconds(10), 0)], TimeZoneRules.Utc);
        var plan = SchedulePlan.Of(twice, new Occurrence(Noon.DateTime, 0, Noon), policy, Noon.AddSeconds(seconds), Options)!;
        Assert.Equal(run is { } r ? Noon.AddSeconds(r) : null, plan.Run?.At);
        Assert.Equal(next is { } n ? Noon.AddSeconds(n) : null, plan.Next?.At);
        Assert.Equal(missed, plan.Missed?.Count ?? 0);
    }

    [Theory]
    [InlineData(MissedPolicy.Latest)]
    [InlineData(MissedPolicy.Skip)]
    public void After_a_short_stop_each_minute_comes_and_after_a_longer_one_the_last_five(MissedPolicy policy)
    {
        var minutely = Calendar("* * * * *");
        var soon = Plan(minutely, policy, Noon.AddMinutes(3))!;
        Assert.Equal((Noon, null), (soon.Run?.At, soon.Missed));
        var late = Plan(minutely, policy, Noon.AddMinutes(20))!;
        Assert.Equal((Noon.AddMinutes(15), Noon.AddMinutes(16), 15), (late.Run!.Value.At, late.Next!.Value.At, late.Missed!.Value.Count));
    }

    [Fact]
    public void The_latest_is_not_made_up_for_after_a_day()
    {
        var daily = Calendar("0 12 * * *");
        Assert.Equal(Noon, Plan(daily, MissedPolicy.Latest, Noon.AddHours(23))!.Run?.At);
        var weekly = Calendar("0 12 * * 0");
        var late = Plan(weekly, MissedPolicy.Latest, Noon.AddHours(25))!;
        Assert.Null(late.Run);
        Assert.Equal(1, late.Missed?.Count);
        Assert.Equal(Noon.AddDays(7), late.Next?.At);
    }

    [Fact]
    public void After_the_last_time_there_is_none()
    {
        var once = ScheduleCalendar.Of([new WallClock(Noon.DateTime, 0)], TimeZoneRules.Utc);
        var plan = SchedulePlan.Of(once, new Occurrence(Noon.DateTime, 0, Noon), MissedPolicy.Latest, Noon, Options)!;
        Assert.Equal((Noon, null), (plan.Run!.Value.At, plan.Next));
    }

    [Fact]
    public void Years_of_minutes_are_counted_no_further_than_anybody_needs()
    {
        var plan = Plan(Calendar("* * * * *"), MissedPolicy.Latest, Noon.AddYears(2))!;
        Assert.Equal(SchedulePlan.MostCounted, plan.Missed?.Count);
        Assert.Equal(Noon.AddYears(2) - Options.OnTimeWithin, plan.Run?.At);
    }

    static SchedulePlan? Plan(ScheduleCalendar calendar, MissedPolicy policy, DateTimeOffset now) =>
        SchedulePlan.Of(calendar, new Occurrence(Noon.DateTime, 0, Noon), policy, now, Options);

    static ScheduleCalendar Calendar(string cron) => ScheduleCalendar.Of(CronExpressionTests.Read(cron), TimeZoneRules.Utc);
}
