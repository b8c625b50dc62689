using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

// Permits first, leases second. For each route and stream with due work the loop asks for the permits that can be had now, sharing them out
// over the
// tenants in turn, transactional before bulk; only then are exactly so many envelopes leased. A route that gives no permit is not asked for
// work:
// whatever waits for it costs no statement. What is due is known from signals (DueBook); the store is polled slowly, as a net below them.

/// <summary>Takes due work to the lanes of this node, as far as their transports give leave. One per node.</summary>
public sealed partial class Dispatcher : IHandOver, IDisposable
{
    /// <summary>The store is asked what is due at most this often, however many leases suggest it.</summary>
    static readonly TimeSpan BetweenPolls = TimeSpan.FromMilliseconds(100);

    /// <summary>After the store could not be had, or its disk was nearly full.</summary>
    static readonly TimeSpan StoreRest = TimeSpan.FromSeconds(1);

    /// <summary>Mail may be due in a year, and no timer takes more than 49.7 days: the loop looks again until it is.</summary>
    static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    readonly IQueueStore _store;
    readonly Router _router;
    readonly WaitBoard _waits;
    readonly Lanes _lanes;
    readonly Recorder _recorder;
    readonly DueBook _due;
    readonly SteadyTime _time;
    readonly TimeProvider _clock;
    readonly DeliveryOptions _options;
    readonly DeliveryMetrics _metrics;
    readonly Func<double> _jitter;
    readonly ILogger _logger;
    readonly ThisNode _node;
    readonly TaskScheduler _scheduler;

    // Set by anybody:
    readonly SemaphoreSlim _signal = new(0);
    readonly SemaphoreSlim _left = new(0);           // released while draining, whenever something ended
    int _awake;                                      // 1: the signal is given and the loop has not looked yet
    int _inFlight;                                   // permits reserved for a hand-over, leases asked for, attempted, being recorded
    int _inHand;                                     // permits with which leases are being asked for
    int _pollWanted = 1;
    long _restUntil;                                 // UTC ticks; the store is left alone before
    int _storeAway;                             // 1 from the first failure of an outage to the next lease
    volatile Exception? _fault;                      // a bug, or storage that is lost for good: ends the loop

    // The loop's:
    DateTimeOffset _polledAt = DateTimeOffset.MinValue;
    Task _poll = Task.CompletedTask;
    DateTimeOffset? _wakeAt;

    readonly CancellationTokenSource _draining = new();
    readonly CancellationTokenSource _now = new();
    readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    volatile bool _open;                             // permits may be taken: started, not stopping, not standing down
    volatile bool _running;

    internal Dispatcher(DispatcherParts parts)
    {
        (_store, _router, _waits, _lanes, _recorder) = (parts.Store, parts.Router, parts.Waits, parts.Lanes, parts.Recorder);
        (_due, _time, _clock) = (parts.Due, parts.Time, parts.Clock);
        (_options, _metrics, _logger, _node) = (parts.Options, parts.Metrics, parts.Logger, parts.Node);
        _scheduler = parts.Scheduler;
        _term = new Term(_draining.Token, _now.Token);
        _jitter = parts.Entropy.NextDouble;
        _due.Changed += Wake;
        _due.StoreWanted += PollSoon;
        _router.CapacityCame += Wake;
        _router.Pauses.Changed += _due.Unpark;
        _router.Replaced += Regroup;
        Regroup();
    }

    internal Incarnation Owner => _node.Incarnation;

    /// <summary>Ends when <see cref="DrainAsync"/> does: nothing is under way any more, and nothing will be.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Attempts and leases under way.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Attempts that may be begun beside those under way. Where it is bounded, <see cref="Leave"/> wakes the loop.</summary>
    int Room => _options.Concurrency == 0 ? int.MaxValue : _options.Concurrency - InFlight - Volatile.Read(ref _inHand);

    /// <summary>Runs until <see cref="DrainAsync"/>. Throws only for bugs.</summary>
    internal async Task RunAsync()
    {
        _running = true;
        _open = !_standsDown;
        await using var timer = _clock.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        while (!_draining.IsCancellationRequested)
        {
            Volatile.Write(ref _awake, 0);
            if (_fault is { } fault)
                throw new InvalidOperationException("Delivery cannot go on: " + fault.Message, fault);
            var now = _time.Now;
            _wakeAt = null;
            _due.Ripen(now);
            Poll(now);
            // A rest that is longer than any was begun by a clock that has been set back.
            if (TimeSpan.FromTicks(Volatile.Read(ref _restUntil) - now.UtcTicks) is var rest && rest > TimeSpan.Zero && rest <= StoreRest)
                WakeAt(now + rest);
            else if (!_node.MayAct)
                WakeAt(now + StoreRest); // no lease would be given, and nothing may be sent
            else if (_open && !HoldStill(now))
                Dispatch();
            if (_due.NextDueAt is { } next)
                WakeAt(next);
            timer.Change(_wakeAt is { } at ? Until(at) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            await _signal.WaitAsync();
        }
        await _poll; // the store may be closed after this
    }

    /// <summary>Rows were queued without a signal (settled, swept): the store is asked what is due.</summary>
    public void PollSoon()
    {
        Volatile.Write(ref _pollWanted, 1);
        Wake();
    }

    /// <summary>Takes nothing new, gives back what was leased and not begun, lets running attempts finish for <see
    /// cref="DeliveryOptions.DrainTimeout"/>,
    /// then cuts them, and ends when the last outcome is recorded.</summary>
    /// <param name="now">Patience is over at once: a second signal.</param>
    internal async Task DrainAsync(CancellationToken now)
    {
        _open = false;
        await _draining.CancelAsync();
        Wake();
        using var patience = new CancellationTokenSource(_options.DrainTimeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, now);
        await using var cut = either.Token.Register(_now.Cancel);
        if (_running)
            LogDraining(InFlight);
        while (InFlight > 0)
            await _left.WaitAsync(CancellationToken.None);
        _left.Release(); // for another who drains
        _drained.TrySetResult();
        if (_running)
            LogDrained();
    }

    public void Dispose()
    {
        _term.Dispose();
        _draining.Dispose();
        _now.Dispose();
        _signal.Dispose();
        _left.Dispose();
    }

    void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _signal.Release();
    }

    /// <summary>Tenants whose routes are not the installation's wait for other permits than the rest.</summary>
    void Regroup() => _due.Regroup(_router.HasOwn);

    void WakeAt(DateTimeOffset at) => _wakeAt = _wakeAt is { } earlier && earlier <= at ? earlier : at;

    // A timer rounds down to milliseconds: one that fires early would only go round again.
    TimeSpan Until(DateTimeOffset at)
    {
        var span = at - _time.Now;
        return span <= TimeSpan.Zero ? TimeSpan.Zero : span < LongestSleep ? span + TimeSpan.FromMilliseconds(1) : LongestSleep;
    }

    void Poll(DateTimeOffset now)
    {
        var since = now - _polledAt;
        var wait = (Volatile.Read(ref _pollWanted) == 1 ? BetweenPolls : _options.SafetyPoll) - since;
        if (wait > TimeSpan.Zero && since >= TimeSpan.Zero)
        {
            WakeAt(now + wait);
            return;
        }
        if (!_poll.IsCompleted)
            return;
        Volatile.Write(ref _pollWanted, 0);
        _polledAt = now;
        _poll = Guarded(async () =>
        {
            var found = await _store.DueKeysAsync(_draining.Token);
            _due.Merge(found, _time.Now);
            Wake();
        });
    }

    void Dispatch()
    {
        foreach (var round in _due.Rounds())
            Dispatch(round);
    }

    /// <summary>Shares the permits that can be had now over the tenants in turn, then leases as many for each. What a group cannot have
    /// keeps only that group: its route gives nothing, and the others go on.</summary>
    void Dispatch(DueRound round)
    {
        var served = new List<(DueKeyState State, Route Route)>();
        var room = Room;
        while (_open && room > 0 && _due.Next(round) is { } group)
        {
            var table = group.Tenant is { } tenant ? _router.Of(tenant) : _router.Table;
            if (table.For(group.Route) is not { } route || !TryServe(group, route, out var permit, out var state))
                continue;
            if (permit is not null)
            {
                if (state.Hand.Count == 0)
                    served.Add((state, route));
                state.Hand.Add(permit);
                room--;
                _due.PutBack(state, first: false);
            }
            _due.Served(round, group);
        }
        if (room <= 0)
            foreach (var group in round.Groups)
                _due.WaitFor(group, transport: null);
        foreach (var (state, route) in served)
        {
            var hand = state.Hand;
            state.Hand = [];
            var version = _due.BeginLease(state);
            Interlocked.Increment(ref _inFlight);
            Interlocked.Add(ref _inHand, hand.Count);
            _ = Guarded(() => LeaseAsync(state, version, hand, route));
        }
    }

    /// <summary>The next key of a group, with a permit if it needs one. False: the group has nothing more in this round.</summary>
    bool TryServe(DueGroup group, Route route, out Permit? permit, [NotNullWhen(true)] out DueKeyState? state)
    {
        permit = null;
        state = _due.Take(group);
        if (state is null)
            return false;
        if (!ReferenceEquals(_router.Of(state.Key.Tenant).For(group.Route), route))
        {
            // The routes were replaced this very moment: none of its mail goes by those it had.
            _due.PutBack(state, first: true);
            Wake();
            return false;
        }
        if (_router.Pauses.Covers(state.Key.Tenant, group.Stream, group.Route))
        {
            _due.Park(state);
            // It may have been resumed in between, and nobody would tell again.
            if (!_router.Pauses.Covers(state.Key.Tenant, group.Stream, group.Route))
                _due.Unpark();
            return true;
        }
        if (state.Hand.Count >= Math.Min(state.Want, _options.MaxLease))
            return true; // it has all it can use: out of the rotation until its lease ends
        if (route.Take(group.Stream, 1) is [var one])
        {
            permit = one;
            return true;
        }
        _due.PutBack(state, first: true);
        // What changes by time alone; what changes by an event raises it.
        var wait = route.WhyNot(group.Stream);
        if (wait.Cause == WaitCause.None)
            Wake(); // its time came between the two questions
        else if (wait.Remaining is { } remaining)
            WakeAt(_time.Now + remaining);
        if (route.Awaited(wait) is { } awaited)
            _due.WaitFor(group, awaited.Key);
        return false;
    }

    /// <summary>Work that the caller does not begin himself: attempts start beside each other.</summary>
    void StartApart(Func<Task> work) =>
        _ = Task.Factory.StartNew(() => Guarded(work), CancellationToken.None, TaskCreationOptions.DenyChildAttach, _scheduler);

    /// <summary>Work beside the loop: what is expected of the store is waited out, anything else ends the loop.</summary>
    async Task Guarded(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (OperationCanceledException) when (_draining.IsCancellationRequested)
        {
            // The node stops; what was to be asked is asked by the next one.
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException)
        {
            Volatile.Write(ref _restUntil, (_time.Now + StoreRest).UtcTicks);
            PollSoon();
            if (Interlocked.Exchange(ref _storeAway, 1) == 0)
                LogStoreAway(e.Message);
            if (e is StoreUnavailableException { IsForGood: true })
                await _now.CancelAsync();
        }
        catch (Exception e)
        {
            _fault ??= e;
            LogFault(e);
            Wake();
        }
    }

    [LoggerMessage(LogLevel.Information, "Draining: {Count} attempts under way")]
    partial void LogDraining(int count);

    [LoggerMessage(LogLevel.Information, "Drained")]
    partial void LogDrained();

    /// <summary>Work was leased: an outage, if there was one, is over.</summary>
    void StoreIsBack()
    {
        if (Volatile.Read(ref _storeAway) == 1 && Interlocked.Exchange(ref _storeAway, 0) == 1)
            LogStoreBack();
    }

    // Once for each outage: every lease that fails meanwhile says the same.
    [LoggerMessage(LogLevel.Warning, "No work is taken until the store answers again: {Reason}")]
    partial void LogStoreAway(string reason);

    [LoggerMessage(LogLevel.Warning, "The store answers again: work is taken")]
    partial void LogStoreBack();

    [LoggerMessage(LogLevel.Critical, "Delivery failed")]
    partial void LogFault(Exception e);
}

/// <summary>What the dispatcher works with.</summary>
sealed record DispatcherParts(
    IQueueStore Store, Router Router, WaitBoard Waits, Lanes Lanes, Recorder Recorder, DueBook Due, SteadyTime Time, TimeProvider Clock,
    DeliveryOptions Options, DeliveryMetrics Metrics, Entropy Entropy, ThisNode Node, ILogger<Dispatcher> Logger)
{
    /// <summary>Where attempts start: the pool's threads, or the one thread of a simulation.</summary>
    public TaskScheduler Scheduler { get; init; } = TaskScheduler.Default;
}
