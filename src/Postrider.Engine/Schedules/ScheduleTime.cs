using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>Reads the time of day that schedules go by: the database's where there are several nodes.</summary>
public delegate Task<DateTimeOffset> ScheduleClock(CancellationToken ct);

/// <summary>The time of day that schedules go by: the database's where there are several nodes, so that none runs ahead of the others.
/// While it moves against the monotonic clock by more than 5 minutes nothing is due, until two looks in a row agree.</summary>
public sealed class ScheduleTime(ScheduleClock wall, TimeProvider clock)
{
    SteadyTime? _steady;
    readonly Reading _reading = new(clock);

    /// <summary>Null: it is in doubt. Called about once a second, by one at a time.</summary>
    public async Task<DateTimeOffset?> ReadAsync(CancellationToken ct)
    {
        _reading.Take(await wall(ct));
        _steady ??= new SteadyTime(_reading);
        var wasDoubtful = _steady.IsDoubtful;
        _steady.Tick();
        return wasDoubtful || _steady.IsDoubtful ? null : _reading.GetUtcNow();
    }

    /// <summary>Both clocks as they were at the last look.</summary>
    sealed class Reading(TimeProvider clock) : TimeProvider
    {
        DateTimeOffset _wall;
        long _stamp;

        public override long TimestampFrequency => clock.TimestampFrequency;

        public void Take(DateTimeOffset wall) => (_wall, _stamp) = (wall, clock.GetTimestamp());

        public override DateTimeOffset GetUtcNow() => _wall;
        public override long GetTimestamp() => _stamp;
    }
}
