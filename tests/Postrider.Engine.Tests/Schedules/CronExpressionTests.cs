using Postrider.Schedules;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class CronExpressionTests
{
    [Theory]
    [InlineData("0 9 * * 1-5", "2026-03-06 09:00", "2026-03-09 09:00")]             // Friday, then Monday
    [InlineData("0 9 * * mon-FRI", "2026-03-06 09:00", "2026-03-09 09:00")]
    [InlineData("*/15 * * * *", "2026-01-01 00:00", "2026-01-01 00:15")]
    [InlineData("59 23 31 12 *", "2026-01-01 00:00", "2026-12-31 23:59")]
    [InlineData("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00")]
    [InlineData("0 0 29 feb *", "2096-02-29 00:00", "2104-02-29 00:00")]            // 2100 is no leap year
    [InlineData("30 4 1,15 * 5", "2026-01-01 04:30", "2026-01-02 04:30")]           // either day: the Friday comes first
    [InlineData("0 0 * * 7", "2026-01-01 00:00", "2026-01-04 00:00")]               // 7 is Sunday
    [InlineData("0 0 * * 5-7", "2026-01-03 00:00", "2026-01-04 00:00")]
    [InlineData("0 0 */10 * 1", "2026-01-01 00:00", "2026-05-11 00:00")]            // a star: both have to match
    [InlineData("5/20 * * * *", "2026-01-01 00:05", "2026-01-01 00:25")]
    [InlineData("0-10/5,50 8 * * *", "2026-01-01 08:10", "2026-01-01 08:50")]
    [InlineData("  0\t9  * * * ", "2026-01-01 09:00", "2026-01-02 09:00")]
    [InlineData("@hourly", "2026-01-01 00:00", "2026-01-01 01:00")]
    [InlineData("@daily", "2026-01-01 00:00", "2026-01-02 00:00")]
    [InlineData("@Midnight", "2026-01-01 00:00", "2026-01-02 00:00")]
    [InlineData("@weekly", "2026-01-01 00:00", "2026-01-04 00:00")]
    [InlineData("@monthly", "2026-01-01 00:00", "2026-02-01 00:00")]
    [InlineData("@yearly", "2026-01-01 00:00", "2027-01-01 00:00")]
    [InlineData("@annually", "2026-01-01 00:01", "2027-01-01 00:00")]
    [InlineData("0 0 * * *", "2026-01-01 00:00:30", "2026-01-02 00:00")]
    public void The_next_minute_is_found(string text, string after, string next) =>
        Assert.Equal(Local(next), Read(text).After(Local(after)));

    [Theory]
    [InlineData("* * * * * *", "6 fields")]
    [InlineData("* * * *", "4 fields")]
    [InlineData("", "0 fields")]
    [InlineData("60 * * * *", "minute takes 0 to 59; '60'")]
    [InlineData("* 24 * * *", "hour takes 0 to 23; '24'")]
    [InlineData("* * 0 * *", "day of the month takes 1 to 31; '0'")]
    [InlineData("* * 32 * *", "'32'")]
    [InlineData("* * * 13 *", "month takes 1 to 12 or jan to dec; '13'")]
    [InlineData("* * * * 8", "day of the week takes 0 to 7 or sun to sat; '8'")]
    [InlineData("* * * * someday", "'someday'")]
    [InlineData("*/0 * * * *", "'*/0': a step is a whole number from 1")]
    [InlineData("*/60 * * * *", "'*/60': a step")]
    [InlineData("*/ * * * *", "'*/'")]
    [InlineData("1,,2 * * * *", "'' is not in it")]
    [InlineData("-1 * * * *", "'-1'")]
    [InlineData("+1 * * * *", "'+1'")]
    [InlineData("1-2-3 * * * *", "'1-2-3'")]
    [InlineData("0 22-2 * * *", "write two ranges, such as 22-23,0-2")]
    [InlineData("0 0 31 2 *", "never comes")]
    [InlineData("0 0 31 4,6,9,11 *", "never comes")]
    [InlineData("0 0 30 feb */2", "never comes")]
    [InlineData("@reboot", "There is no @reboot; there are @yearly")]
    [InlineData("0 0 L * *", "'L' is not in it")]
    [InlineData("? * * * *", "'?'")]
    [InlineData("٣ * * * *", "'٣'")]
    public void What_is_wrong_is_said(string text, string fault)
    {
        Assert.Null(CronExpression.Parse(text, out var said));
        Assert.Contains(fault, said, StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_kilobytes_are_refused_without_being_read() =>
        Assert.Null(CronExpression.Parse(string.Concat(Enumerable.Repeat("1,", 5_000)) + "1 * * * *", out _));

    [Theory]
    [InlineData("* * * * *", true)]
    [InlineData("*/10 2 * * *", true)]
    [InlineData("30 * * * *", true)]
    [InlineData("30 2 * * *", false)]
    [InlineData("0 1-3 * * *", false)]
    [InlineData("@daily", false)]
    [InlineData("@hourly", true)]
    public void A_star_in_minute_or_hour_means_every_so_often(string text, bool isInterval) =>
        Assert.Equal(isInterval, Read(text).IsInterval);

    /// <summary>Whatever comes, it is a line or a fault with words, never an exception.</summary>
    [Fact]
    public void Any_text_is_a_line_or_a_fault()
    {
        const string letters = "0123456789*/,-@ jafebsunmon\tL?#W\0é";
        var dice = new Random(20_260_301);
        for (var i = 0; i < 20_000; i++)
        {
            var text = new string([.. Enumerable.Range(0, dice.Next(24)).Select(_ => letters[dice.Next(letters.Length)])]);
            var cron = CronExpression.Parse(text, out var fault);
            Assert.Equal(cron is null, fault.Length > 0);
        }
    }

    internal static CronExpression Read(string text) =>
        CronExpression.Parse(text, out var fault) ?? throw new ArgumentException(fault, nameof(text));

    static DateTime Local(string text) => DateTime.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
