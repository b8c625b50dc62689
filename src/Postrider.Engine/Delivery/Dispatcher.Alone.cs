using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <content>Suspects: envelopes that were in hand at three crashes. Each is attempted with nothing else in this process's hands, so that
/// the next crash names it.</content>
public sealed partial class Dispatcher
{
    /// <summary>How long new work waits for what is under way to end; after that the suspect waits. Twice as long each time that it was
    /// in vain, so that a relay which takes its time does not keep a suspect for ever.</summary>
    static readonly TimeSpan QuietPatience = TimeSpan.FromSeconds(2);
    static readonly TimeSpan LongestQuietPatience = TimeSpan.FromMinutes(1);

    /// <summary>How long other work waits for a suspect. A process that dies of a message does so sooner.</summary>
    static readonly TimeSpan AlonePatience = TimeSpan.FromSeconds(30);

    /// <summary>Other work between two suspects, and after one that could not have quiet.</summary>
    static readonly TimeSpan BetweenSuspects = TimeSpan.FromSeconds(1);
    static readonly TimeSpan AfterUnrest = TimeSpan.FromSeconds(30);

    volatile bool _quiet;                            // nothing else starts, hand-overs neither; set by the loop

    // The loop's alone:
    TimeSpan _quietPatience = QuietPatience;
    QueueKey _suspectKey;
    bool _aloneStarted;
    DateTimeOffset _quietUntil;
    DateTimeOffset _nextSuspectAt = DateTimeOffset.MinValue;

    /// <summary>Takes a suspect one step further, if there is one. True: nothing else may start.</summary>
    bool HoldStill(DateTimeOffset now)
    {
        if (!_quiet)
        {
            if (now < _nextSuspectAt || _due.TakeSuspect(CouldStart) is not { } key)
                return false;
            (_suspectKey, _quiet, _aloneStarted, _quietUntil) = (key, true, false, now + _quietPatience);
        }
        if (InFlight > 0 && now >= _quietUntil)
        {
            if (!_aloneStarted)
                _quietPatience = _quietPatience * 2 < LongestQuietPatience ? _quietPatience * 2 : LongestQuietPatience;
            EndQuiet(now + AfterUnrest);
        }
        else if (InFlight == 0 && (_aloneStarted || !TryStartAlone(now)))
        {
            _quietPatience = QuietPatience;
            EndQuiet(now + BetweenSuspects);
        }
        WakeAt(_quiet ? _quietUntil : _nextSuspectAt);
        return _quiet;
    }

    bool CouldStart(QueueKey key) => _waits.WaitingFor(key) is null;

    bool TryStartAlone(DateTimeOffset now)
    {
        if (_router.Of(_suspectKey.Tenant).For(_suspectKey.Route) is not { } route || route.Take(_suspectKey.Stream, 1) is not [var permit])
            return false;
        _aloneStarted = true;
        _quietUntil = now + AlonePatience;
        Interlocked.Increment(ref _inFlight);
        _ = Guarded(() => LeaseAloneAsync(_suspectKey, permit, route));
        return true;
    }

    async Task LeaseAloneAsync(QueueKey key, Permit permit, Route route)
    {
        List<Permit> hand = [permit];
        try
        {
            var leases = await _store.LeaseAsync(key, 1, _node.Incarnation, _time.Earliest, alone: true, CancellationToken.None);
            foreach (var lease in leases)
                LogSuspect(lease.Envelope.Id, lease.Envelope.Suspect);
            await StartAsync(leases, hand, route, _due.Get(key));
            if (leases.Count > 0)
                PollSoon(); // perhaps it was not the only one
        }
        finally
        {
            foreach (var unused in hand)
                unused.Dispose();
            Leave();
        }
    }

    void EndQuiet(DateTimeOffset next)
    {
        _quiet = false;
        _nextSuspectAt = next;
    }

    [LoggerMessage(LogLevel.Warning, "{Envelope} was under way at {Crashes} crashes: it is attempted alone")]
    partial void LogSuspect(EnvelopeId envelope, int crashes);
}
