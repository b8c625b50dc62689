using Postrider.Schedules;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class ScheduleCalendarTests
{
    /// <summary>What comes from noon (UTC) of the day before the clocks are changed, until noon two days later: the wall clock's time, and
    /// when that is. A second time is marked with an apostrophe.</summary>
    [Theory]
    // Europe/Berlin: 02:00 → 03:00 on 2026-03-29 at 01:00Z; 03:00 → 02:00 on 2026-10-25 at 01:00Z.
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-03-28", "29T02:30=29T01:00Z 30T02:30=30T00:30Z")]
    [InlineData("Europe/Berlin", "0 2 * * *", "2026-03-28", "29T02:00=29T01:00Z 30T02:00=30T00:00Z")]
    [InlineData("Europe/Berlin", "0,30 2 * * *", "2026-03-28", "29T02:00=29T01:00Z 30T02:00=30T00:00Z 30T02:30=30T00:30Z")]
    [InlineData("Europe/Berlin", "0 2,3 * * *", "2026-03-28", "29T02:00=29T01:00Z 30T02:00=30T00:00Z 30T03:00=30T01:00Z")]
    [InlineData("Europe/Berlin", "0 3 * * *", "2026-03-28", "29T03:00=29T01:00Z 30T03:00=30T01:00Z")]
    [InlineData("Europe/Berlin", "0 */6 * * *", "2026-03-28",
        "28T18:00=28T17:00Z 29T00:00=28T23:00Z 29T06:00=29T04:00Z 29T12:00=29T10:00Z 29T18:00=29T16:00Z 30T00:00=29T22:00Z 30T06:00=30T04:00Z 30T12:00=30T10:00Z")]
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-10-24", "25T02:30=25T00:30Z 26T02:30=26T01:30Z")]
    [InlineData("Europe/Berlin", "0 2 25 10 *", "2026-10-24", "25T02:00=25T00:00Z")]
    [InlineData("Europe/Berlin", "0 3 25 10 *", "2026-10-24", "25T03:00=25T02:00Z")]
    [InlineData("Europe/Berlin", "*/30 2 25 10 *", "2026-10-24",
        "25T02:00=25T00:00Z 25T02:30=25T00:30Z 25T02:00'=25T01:00Z 25T02:30'=25T01:30Z")]
    [InlineData("Europe/Berlin", "30 * 25 10 7", "2026-10-24", null)]
    // America/New_York: 02:00 → 03:00 on 2026-03-08 at 07:00Z; 02:00 → 01:00 on 2026-11-01 at 06:00Z.
    [InlineData("America/New_York", "15 2 * * *", "2026-03-07", "08T02:15=08T07:00Z 09T02:15=09T06:15Z")]
    [InlineData("America/New_York", "15 1 * * *", "2026-10-31", "01T01:15=01T05:15Z 02T01:15=02T06:15Z")]
    [InlineData("America/New_York", "0 1-3 1 11 *", "2026-10-31", "01T01:00=01T05:00Z 01T02:00=01T07:00Z 01T03:00=01T08:00Z")]
    [InlineData("EST5EDT", "15 2 * * *", "2026-03-07", "08T02:15=08T07:00Z 09T02:15=09T06:15Z")]
    // Australia/Lord_Howe: by half an hour. 02:00 → 01:30 on 2026-04-05 at 15:00Z of the 4th; 02:00 → 02:30 on 2026-10-04 at 15:30Z the
    // day before.
    [InlineData("Australia/Lord_Howe", "45 1 * * *", "2026-04-04", "05T01:45=04T14:45Z 06T01:45=05T15:15Z")]
    [InlineData("Australia/Lord_Howe", "*/15 1 5 4 *", "2026-04-04",
        "05T01:00=04T14:00Z 05T01:15=04T14:15Z 05T01:30=04T14:30Z 05T01:45=04T14:45Z 05T01:30'=04T15:00Z 05T01:45'=04T15:15Z")]
    [InlineData("Australia/Lord_Howe", "15 2 * * *", "2026-10-03", "04T02:15=03T15:30Z 05T02:15=04T15:15Z")]
    // Africa/Casablanca: an hour back for Ramadan, 03:00 → 02:00 on 2026-02-15 at 02:00Z, and forward on 2026-03-22 at 02:00Z.
    [InlineData("Africa/Casablanca", "30 2 * * *", "2026-02-14", "15T02:30=15T01:30Z 16T02:30=16T02:30Z")]
    [InlineData("Africa/Casablanca", "30 2 * * *", "2026-03-21", "22T02:30=22T02:00Z 23T02:30=23T01:30Z")]
    // Asia/Tehran: no changes since 2022; before, at midnight: 24:00 → 23:00 on 2021-09-21 at 19:30Z, 00:00 → 01:00 on 2022-03-22 (20:30Z).
    [InlineData("Asia/Tehran", "30 23 * * *", "2021-09-20", "20T23:30=20T19:00Z 21T23:30=21T19:00Z")]
    [InlineData("Asia/Tehran", "30 0 * * *", "2022-03-21", "22T00:30=21T20:30Z 23T00:30=22T20:00Z")]
    [InlineData("Asia/Tehran", "30 0 * * *", "2026-03-21", "22T00:30=21T21:00Z 23T00:30=22T21:00Z")]
    // Pacific/Apia left the 30th of December 2011 out.
    [InlineData("Pacific/Apia", "0 9 * * *", "2011-12-29", "29T09:00=29T19:00Z 30T09:00=30T10:00Z 31T09:00=30T19:00Z")]
    // America/Sao_Paulo changed at midnight: 00:00 → 01:00 on 2018-11-04 at 03:00Z.
    [InlineData("America/Sao_Paulo", "@daily", "2018-11-03", "04T00:00=04T03:00Z 05T00:00=05T02:00Z")]
    [InlineData("UTC", "0 12 * * *", "2026-03-28", "29T12:00=29T12:00Z 30T12:00=30T12:00Z")]
    public void It_comes_when_the_clocks_are_changed(string zone, string cron, string day, string? expected)
    {
        var from = DateTimeOffset.Parse($"{day}T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture);
        var calendar = ScheduleCalendar.Of(CronExpressionTests.Read(cron), Zone(zone));
        var came = calendar.AllAfter(from).TakeWhile(o => o.At <= from.AddDays(2)).Select(o =>
            $"{o.Local:dd'T'HH:mm}{(o.Fold == 1 ? "'" : "")}={o.At.UtcDateTime:dd'T'HH:mm}Z").ToList();
        if (expected is not null)
            Assert.Equal(expected, string.Join(' ', came));
        else
            Assert.Equal(["25T02:30=25T00:30Z", "25T02:30'=25T01:30Z", "25T03:30=25T02:30Z"],
                came.SkipWhile(c => !c.StartsWith("25T02", StringComparison.Ordinal)).Take(3));
    }

    public static TheoryData<string> Zones =>
    [
        "Europe/Berlin", "Europe/London", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "America/Caracas",
        "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Africa/Casablanca", "Africa/Cairo", "Africa/Juba", "Asia/Tehran",
        "Asia/Kolkata", "Asia/Gaza", "Asia/Pyongyang", "Europe/Volgograd", "Antarctica/Troll", "America/Nuuk",
    ];

    /// <summary>Around each change of the clocks of 32 years, with a crontab line of its own each.</summary>
    [Theory]
    [MemberData(nameof(Zones))]
    public void It_agrees_with_looking_at_every_minute_around_each_change(string name)
    {
        var (file, zone, dice) = (ZoneFile.Read(name), Zone(name), new Random(name.Sum(c => c)));
        var changes = file.Changes(Instant(2005), Instant(2037)).ToList();
        foreach (var change in changes)
            for (var i = 0; i < 8; i++)
                Agrees(file, zone, dice, change.AddHours(-dice.Next(60)).AddMinutes(-dice.Next(60)), TimeSpan.FromDays(4));
    }

    /// <summary>A whole year, whatever happens in it.</summary>
    [Theory]
    [MemberData(nameof(Zones))]
    public void It_agrees_with_looking_at_every_minute_of_a_year(string name)
    {
        var dice = new Random(name.Sum(c => c) + 1);
        Agrees(ZoneFile.Read(name), Zone(name), dice, Instant(2008 + dice.Next(28)), TimeSpan.FromDays(365));
    }

    [Fact]
    public void A_time_that_is_named_is_found_from_anywhere_before_it()
    {
        var (file, zone, dice) = (ZoneFile.Read("Europe/Berlin"), Zone("Europe/Berlin"), new Random(7));
        for (var i = 0; i < 200; i++)
        {
            var plain = MinuteByMinute.Any(dice);
            var change = file.Changes(Instant(2020), Instant(2030)).ElementAt(dice.Next(20));
            var from = change.AddMinutes(dice.Next(-300, 300)).AddSeconds(dice.Next(60));
            if (CronExpression.Parse(plain.Text, out _) is not { } cron)
                continue;
            var whole = plain.Between(file, Minute(from).AddHours(-30), from.AddHours(30));
            var first = whole.Where(o => o.At > from).Select(o => (Occurrence?)o).FirstOrDefault();
            if (first is not null)
                Assert.Equal((plain.Text, from, first), (plain.Text, from, ScheduleCalendar.Of(cron, zone).After(from)));
        }
    }

    [Fact]
    public void It_begins_and_ends_when_told()
    {
        var (start, end) = (Instant(2026), Instant(2026).AddDays(2));
        var calendar = ScheduleCalendar.Of(CronExpressionTests.Read("@daily"), TimeZoneRules.Utc, start, end);
        Assert.Equal([start, start.AddDays(1), end], calendar.AllAfter(Instant(2020)).Select(o => o.At));
        Assert.Null(calendar.After(end));
    }

    [Fact]
    public void Times_that_are_listed_come_in_order_each_once()
    {
        var zone = Zone("Europe/Berlin");
        DateTime[] times = [new(2026, 10, 25, 2, 30, 0), new(2026, 3, 29, 2, 30, 0), new(2026, 3, 29, 3, 0, 0), new(2030, 1, 1, 9, 0, 15)];
        var calendar = ScheduleCalendar.Of(
            [.. times.Select(t => new WallClock(t, 0)), new WallClock(times[0], 1), new WallClock(times[0], 0)], zone);
        Assert.Equal(
            [
                new Occurrence(times[1], 0, At("2026-03-29T01:00:00Z")), new Occurrence(times[0], 0, At("2026-10-25T00:30:00Z")),
                new Occurrence(times[0], 1, At("2026-10-25T01:30:00Z")), new Occurrence(times[3], 0, At("2030-01-01T08:00:15Z")),
            ], calendar.AllAfter(Instant(2026)));
    }

    [Theory]
    [InlineData("Mars/X", null)]
    [InlineData("EST5EDT", "EST5EDT")]
    [InlineData("UTC+25", null)]
    [InlineData("W. Europe Standard Time", "Europe/Berlin")]
    [InlineData("Eastern Standard Time", "America/New_York")]
    [InlineData("Europe/Berlin", "Europe/Berlin")]
    [InlineData("Etc/GMT+5", "Etc/GMT+5")]
    [InlineData("UTC", "UTC")]
    [InlineData("", null)]
    [InlineData("../../etc/passwd", null)]
    [InlineData("/etc/localtime", null)]
    [InlineData("localtime", null)]
    [InlineData("right/Europe/Berlin", null)]
    [InlineData("Europe", null)]
    [InlineData("Europe/Berlin\0", null)]
    [InlineData("tzdata.zi", null)]
    [InlineData("+02:00", null)]
    public void Zones_are_known_by_their_names(string name, string? id) => Assert.Equal(id, TimeZoneRules.Find(name)?.Id);

    [Fact]
    public void The_edition_of_the_zones_is_known() => Assert.Matches("^20[0-9]{2}[a-z]", TimeZoneRules.Edition);

    internal static TimeZoneRules Zone(string name) => TimeZoneRules.Find(name) ?? throw new ArgumentException(name, nameof(name));

    static void Agrees(ZoneFile file, TimeZoneRules zone, Random dice, DateTimeOffset from, TimeSpan span)
    {
        from = Minute(from);
        var plain = MinuteByMinute.Any(dice);
        var expected = plain.Between(file, from, from + span);
        var calendar = CronExpression.Parse(plain.Text, out _) is { } cron ? ScheduleCalendar.Of(cron, zone) : null;
        var actual = calendar?.AllAfter(from).TakeWhile(o => o.At <= from + span).ToList() ?? [];
        for (var i = 0; i < Math.Max(expected.Count, actual.Count); i++)
        {
            var (wanted, got) = (expected.ElementAtOrDefault(i), actual.ElementAtOrDefault(i));
            Assert.True(wanted == got, $"'{plain.Text}' in {zone.Id} from {from:O}: {wanted} expected, {got} found.");
        }
    }

    static DateTimeOffset Minute(DateTimeOffset instant) =>
        new(instant.UtcTicks - instant.UtcTicks % TimeSpan.TicksPerMinute, TimeSpan.Zero);

    static DateTimeOffset Instant(int year) => new(year, 1, 1, 0, 0, 0, TimeSpan.Zero);

    static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
