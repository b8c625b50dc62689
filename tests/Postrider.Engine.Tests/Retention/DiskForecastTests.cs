using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Storage;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

/// <summary>How long the disk lasts.</summary>
public sealed class DiskForecastTests
{
    const long Megabyte = 1_000_000;
    static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

    static StoreSize[] Hours(int count, Func<int, long> megabytes) =>
        [.. Enumerable.Range(0, count).Select(hour => new StoreSize(Start.AddHours(hour), megabytes(hour) * Megabyte))];

    [Fact]
    public void What_grows_evenly_fills_the_room_at_that_rate()
    {
        var forecast = DiskForecast.Of(Hours(49, hour => 1_000 + hour), 240 * Megabyte);
        Assert.Equal(24.0 * Megabyte, forecast.BytesPerDay!.Value, 1.0);
        Assert.Equal(10.0, forecast.FullIn!.Value.TotalDays, 3);
        Assert.Equal(1_048 * Megabyte, forecast.Bytes);
    }

    // A rise by day, and a fall by night as retention takes its share: the days decide.
    [Fact]
    public void Rise_and_fall_of_a_day_is_no_growth_to_alarm_anybody()
    {
        var forecast = DiskForecast.Of(
            Hours(24 * 7, hour => 1_000 + (hour % 24 < 12 ? hour % 24 : 24 - hour % 24) + hour / 24), 700 * Megabyte);
        Assert.InRange(forecast.BytesPerDay!.Value, 0.5 * Megabyte, 1.5 * Megabyte);
        Assert.InRange(forecast.FullIn!.Value.TotalDays, 450, 1_400);
    }

    [Fact]
    public void Nothing_is_foretold_of_what_shrinks_stands_still_or_is_not_known()
    {
        Assert.Null(DiskForecast.Of(Hours(49, hour => 1_000 - hour), Megabyte).FullIn);
        Assert.Null(DiskForecast.Of(Hours(49, _ => 1_000), Megabyte).FullIn);
        Assert.Null(DiskForecast.Of(Hours(49, hour => hour), room: null).FullIn);
        Assert.Null(DiskForecast.Of(Hours(12, hour => hour), Megabyte).BytesPerDay);
        Assert.Equal(new DiskForecast(null, null, 5, null), DiskForecast.Of([], 5));
        Assert.Null(DiskForecast.Of(Hours(49, hour => 1_000 + hour), long.MaxValue / 2).FullIn);
    }

    [Fact]
    public void A_disk_that_is_full_is_full_now() =>
        Assert.Equal(TimeSpan.Zero, DiskForecast.Of(Hours(49, hour => hour), -3 * Megabyte).FullIn);
}

public sealed class SqliteStoreSizeTests() : StoreSizeContract(StoreEngine.Sqlite);

public sealed class PostgresStoreSizeTests() : StoreSizeContract(StoreEngine.Postgres);

/// <summary>The sizes of the database, on every store.</summary>
public abstract class StoreSizeContract(StoreEngine engine) : TableContract(engine)
{
    readonly ManualClock _clock = new();
    readonly bool _isSqlite = engine == StoreEngine.Sqlite;

    StoreSizeTable Sizes => new(Tables, _isSqlite);

    [Fact]
    public async Task It_is_noted_once_an_hour_for_eight_days_by_whichever_node()
    {
        for (var minutes = 0; minutes < 10 * 24 * 60; minutes += 30)
        {
            await Task.WhenAll(Sizes.NoteAsync(_clock.GetUtcNow()), Sizes.NoteAsync(_clock.GetUtcNow()));
            _clock.Advance(TimeSpan.FromMinutes(30));
        }
        var noted = await Sizes.ListAsync(default);
        Assert.InRange(noted.Count, 190, 193);
        Assert.All(noted.Zip(noted.Skip(1)), pair => Assert.Equal(TimeSpan.FromHours(1), pair.Second.At - pair.First.At));
        Assert.All(noted, size => Assert.True(size.Bytes > 10_000));
    }

    // The disk of a PostgreSQL server is not seen from here.
    [Fact]
    public async Task How_much_room_there_is_on_another_machine_only_its_operator_can_say()
    {
        await Sizes.NoteAsync(_clock.GetUtcNow());
        var bytes = Assert.Single(await Sizes.ListAsync(default)).Bytes;
        var room = (await Outlook(mostBytes: null).ForecastAsync(default)).RoomBytes;
        if (_isSqlite)
            Assert.InRange(room!.Value, Free - Kept, long.MaxValue);
        else
            Assert.Null(room);
        Assert.Equal(1_000, (await Outlook(bytes + 1_000).ForecastAsync(default)).RoomBytes);
    }

    const long Free = 5_000_000_000;
    const long Kept = 1_000_000_000;

    DiskOutlook Outlook(long? mostBytes) => new(Sizes, () => Free, Kept, mostBytes, _clock, NullLogger<DiskOutlook>.Instance);

    [Fact]
    public async Task A_clock_that_was_set_back_stops_nothing()
    {
        await Sizes.NoteAsync(_clock.GetUtcNow() + TimeSpan.FromDays(30));
        await Sizes.NoteAsync(_clock.GetUtcNow());
        Assert.Equal(_clock.GetUtcNow(), Assert.Single(await Sizes.ListAsync(default)).At);
        Assert.True(await Sizes.ReusableBytesAsync(default) >= 0);
    }
}
