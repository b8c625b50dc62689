using Postrider.Messages;

namespace Postrider.Storage.Moving;

/// <summary>A run of events that were numbered without a gap on SQLite, and their numbers now.</summary>
readonly record struct EventRun(long FirstOld, long LastOld, long First, long Last);

/// <summary>Gives events that SQLite numbered by commit the time-ordered numbers that PostgreSQL has: the same order, a day is a range, and
/// none is before its message. The same rows get the same numbers whenever this is done.</summary>
sealed class EventNumbers(long last)
{
    /// <summary>Of which a cursor's place is found by counting back from the end.</summary>
    const int RunLength = 500;

    readonly List<EventRun> _runs = [];
    long _last = last;

    /// <summary>Runs that have come since this was last emptied.</summary>
    public List<EventRun> Runs => _runs;

    /// <param name="old">Above the one before.</param>
    /// <param name="at">When it happened, by a clock that may have been set back.</param>
    public long Next(long old, long at, long message)
    {
        var id = Math.Max(Math.Max(_last + MessageId.Stride, MessageId.Create(at, 0, 0).Value), message);
        _last = id;
        if (_runs is [.., var run] && run.LastOld + 1 == old && old - run.FirstOld < RunLength)
            _runs[^1] = run with { LastOld = old, Last = id };
        else
            _runs.Add(new EventRun(old, old, id, id));
        return id;
    }
}
