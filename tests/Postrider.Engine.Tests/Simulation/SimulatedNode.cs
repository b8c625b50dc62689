using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>A process that delivers, taken apart into steps between which it may die or freeze: the decisions of dispatcher, lane and
/// recorder, with nothing of their concurrency.</summary>
sealed class SimulatedNode
{
    /// <summary>Permits of all its transports together.</summary>
    const int Permits = 5;

    const int KeepLimit = 50;

    readonly Setting _setting;
    readonly SimulatedSink _sink;
    readonly Oracle _oracle;
    readonly Mutation _mutation;
    DeathWatch _watch;
    ThisNode _place = new(default);
    bool _isFenced;   // declared dead, and not yet joined anew

    public SimulatedNode(int number, NodeClock clock, Setting setting, SimulatedSink sink, Oracle oracle, Mutation mutation)
    {
        (Number, Clock, _setting, _sink, _oracle, _mutation) = (number, clock, setting, sink, oracle, mutation);
        (Time, _watch, Ids) = (new SteadyTime(clock), new DeathWatch(clock), new MessageIds(clock, (byte)number));
    }

    public int Number { get; }
    public NodeClock Clock { get; }
    public MessageIds Ids { get; }
    public SteadyTime Time { get; private set; }
    public Incarnation Incarnation => _place.Incarnation;

    /// <summary>Its way to the database; new with each start.</summary>
    public ISimulatedStore Store { get; private set; } = null!;
    public bool IsUp { get; private set; }
    public bool IsFrozen { get; set; }
    public List<UnderWay> Hand { get; } = [];

    public bool CanAct => IsUp && !IsFrozen;
    TimeSpan Uptime() => Clock.GetElapsedTime(0);

    bool HasSuspect => Hand.Exists(a => a.IsAlone);

    /// <summary>Joins as a new incarnation and returns what the last one had in hand. False: the database is away.</summary>
    public async Task<bool> TryStartAsync(ISimulatedStore store)
    {
        try
        {
            var began = BeatStart.Of(Clock, Uptime);
            var incarnation = store.Join(Number);
            _place = _setting.IsShared ? new ThisNode(incarnation, began, Clock, Uptime) : new ThisNode(incarnation);
            (Store, Time, _watch) = (store, new SteadyTime(Clock), new DeathWatch(Clock));
            (IsUp, IsFrozen, _isFenced) = (true, false, false);
            await SweepAsync();
            return true;
        }
        catch (StoreUnavailableException)
        {
            return IsUp;
        }
    }

    public void Crash()
    {
        IsUp = false;
        Hand.Clear();
    }

    /// <summary>Every three seconds: it beats, watches the others, sweeps, settles and expires.</summary>
    public async Task TickAsync()
    {
        if (!CanAct)
            return;
        try
        {
            if (_setting.IsShared)
                await BeatAsync();
            await KeepAsync();
        }
        catch (StoreUnavailableException)
        {
            _watch.Missed();
        }
    }

    async Task BeatAsync()
    {
        var began = _place.Begin();
        if (_isFenced || !Store.Beat(Incarnation))
        {
            // Declared dead: what it has in hand is no longer its own. What was asked already is evidence, and recorded first.
            _isFenced = true;
            Hand.RemoveAll(a => a.Stage < Stage.Answered);
            if (Hand.Count > 0)
                return;
            _place.Rejoined(Store.Join(Number), began);
            (_watch, _isFenced) = (new DeathWatch(Clock), false);
        }
        _place.Beaten(began);
        foreach (var dead in _watch.Look(Store.Others(Incarnation)))
            Store.DeclareDead(dead);
        await SweepAsync();
    }

    async Task SweepAsync()
    {
        var now = Time.Now;
        _oracle.Act.Sweeps = true;
        await Store.SweepAsync(Incarnation, now, now + TimeSpan.FromSeconds(60), default);
    }

    async Task KeepAsync()
    {
        var doubtful = Time.IsDoubtful;
        var jump = Time.Tick();
        var now = Time.Now;
        _oracle.Act.Settles = true;
        await Store.SettleAsync(now, KeepLimit, default);
        if (!doubtful && !Time.IsDoubtful)
            await Store.ExpireAsync(now, KeepLimit, default);
        EnvelopeId? hastened = null;
        do
            hastened = jump < TimeSpan.Zero ? (await Store.HastenAsync(now, now + TimeSpan.FromHours(6), hastened, KeepLimit)).Next : null;
        while (hastened is not null);
        await Store.PurgeIdempotencyAsync(now, KeepLimit, default);
        await Store.LookAtWaitingReportsAsync(now);
    }

    /// <summary>Leases for a key with due work as many as it has permits for; a suspect only with empty hands, and then nothing
    /// else.</summary>
    public async Task LeaseAsync(Dice dice)
    {
        if (HasSuspect || Hand.Count >= Permits || !_place.MayAct)
            return;
        try
        {
            var now = Time.Now;
            var keys = (await Store.DueKeysAsync(default)).Where(k => k.DueAt <= now && (!k.Alone || Hand.Count == 0)).ToList();
            if (keys.Count == 0)
                return;
            var key = keys[dice.Next(keys.Count)];
            var permits = key.Alone ? 1 : 1 + dice.Next(Permits - Hand.Count);
            var leases = await Store.LeaseAsync(key.Key, permits, Incarnation, now, key.Alone, default);
            _oracle.Leased(this, leases, now);
            Hand.AddRange(leases.Select(lease => new UnderWay(lease, _oracle.Act.Number) { IsAlone = key.Alone }));
        }
        catch (StoreUnavailableException)
        {
            // Asked again when it is back.
        }
    }

    /// <summary>What is decided before anything is sent: without an attempt, put off, or past the commit point.</summary>
    public async Task StartAsync(Dice dice)
    {
        if (Pick(Stage.Leased, dice) is not { } attempt)
            return;
        var lease = attempt.Lease;
        var now = Time.Now;
        attempt.StartedAt = now;
        var route = _setting.Patience(lease.Envelope.Key.Stream);
        if (!_place.MayActFor(lease))
            GiveBack(attempt, now, WaitReason.Released);
        else if (FailurePolicy.Stop(lease, route, now, Jitter(dice)) is { } stopped)
            Decide(attempt, stopped, transport: null);
        else if (TransportFor(lease) is { } transport)
            await PassCommitPointAsync(attempt, transport, now);
        else if (EndRound(lease, route, now, dice) is { } ended)
            Decide(attempt, ended, transport: null);
        else
            GiveBack(attempt, now + TimeSpan.FromSeconds(1 + dice.Next(10)), WaitReason.TransportBusy);
    }

    string? TransportFor(Lease lease) => _setting.Transports.Select(t => t.Name)
        .FirstOrDefault(name => !lease.Envelope.History.Excludes(name) && !_sink.Out.Contains(name));

    // As Dispatcher.EndRound, for transports that are known not to work.
    static Decision? EndRound(Lease lease, RoutePatience route, DateTimeOffset now, Dice dice)
    {
        var envelope = lease.Envelope;
        if (envelope.History.PinnedTo is { } pinned)
            return envelope.OnAmbiguous == AmbiguityPolicy.Retry ? FailurePolicy.EndPin(lease, pinned, route, now) : null;
        return envelope.History.FailedThisRound.Count > 0 ? FailurePolicy.EndRound(lease, now, Jitter(dice)) : null;
    }

    async Task PassCommitPointAsync(UnderWay attempt, string transport, DateTimeOffset now)
    {
        attempt.Transport = transport;
        if (attempt.Lease.Envelope.OnAmbiguous == AmbiguityPolicy.Hold && _mutation != Mutation.SkipCommitPoint)
        {
            var passed = false;
            try
            {
                passed = await Store.CommitPointAsync(attempt.Lease, transport, now, default);
            }
            catch (StoreUnavailableException)
            {
                // Not known to be on disk, so nothing is sent.
            }
            if (!passed)
            {
                attempt.IsKnownUnsent = true;
                GiveBack(attempt, now, WaitReason.NextTransport);
                return;
            }
            _oracle.PassedCommitPoint(attempt, now);
        }
        _oracle.Started(attempt);
        attempt.Stage = Stage.Started;
    }

    public void Send(Dice dice)
    {
        if (Pick(Stage.Started, dice) is not { } attempt)
            return;
        // As likely as not it was frozen after it had looked, and the last byte leaves.
        if (!_place.MayActFor(attempt.Lease) && dice.OneIn(2))
        {
            attempt.IsKnownUnsent = true;
            GiveBack(attempt, Time.Now, WaitReason.Released);
            return;
        }
        attempt.Outcomes = _sink.Ask(attempt, dice);
        attempt.Stage = Stage.Answered;
        _oracle.Sent(attempt);
    }

    /// <summary>Writes what became of an attempt, or gives a lease back: as often as it takes.</summary>
    public async Task RecordAsync(Dice dice)
    {
        if ((Pick(Stage.Answered, dice) ?? Pick(Stage.Decided, dice) ?? Pick(Stage.GivenBack, dice)) is not { } attempt)
            return;
        if (attempt.Stage == Stage.Answered)
            Decide(attempt, Judge(attempt, dice), attempt.Transport);
        var isHeld = _oracle.IsHeld(attempt.Lease);
        try
        {
            if (attempt.Record is { } record)
                _oracle.Recorded(attempt, isHeld, await Store.RecordAsync(record));
            else
                await Store.ReleaseAsync(attempt.GiveBack, attempt.GiveBackUntil, attempt.GiveBackReason, default);
            Hand.Remove(attempt);
        }
        catch (StoreUnavailableException away)
        {
            if (away.MayHaveCommitted && attempt.Record is not null)
                _oracle.Recorded(attempt, isHeld, isHeld ? RecordResult.Applied : RecordResult.Fenced);
            if (_mutation == Mutation.SendInsteadOfRecord && attempt is { Transport: not null, Record: not null })
                (attempt.Stage, attempt.Record) = (Stage.Started, null);
        }
    }

    Decision Judge(UnderWay attempt, Dice dice)
    {
        var transport = _setting.Transports.First(t => t.Name == attempt.Transport);
        var facts = new AttemptFacts(transport.Name, transport.Idempotent, _setting.Patience(attempt.Lease.Envelope.Key.Stream));
        var decision = FailurePolicy.Next(attempt.Lease, facts, attempt.Outcomes, Time.Now, Jitter(dice));
        if (_mutation != Mutation.FailOverUnknown)
            return decision;
        return decision with
        {
            Continues = [.. decision.Continues.Select(c => c.State == RecipientState.Unknown
                ? c with { State = RecipientState.Queued, DueAt = Time.Now, Reason = WaitReason.NextTransport } : c)],
        };
    }

    void Decide(UnderWay attempt, Decision decision, string? transport)
    {
        var now = Time.Now;
        attempt.Record = new AttemptRecord
        {
            Lease = attempt.Lease,
            Attempt = new Attempt
            {
                Transport = transport,
                StartedAt = attempt.StartedAt,
                Duration = now > attempt.StartedAt ? now - attempt.StartedAt : TimeSpan.Zero,
                Outcomes = transport is null ? [] : attempt.Outcomes,
            },
            Ends = decision.Ends,
            Continues = decision.Continues,
        };
        attempt.Stage = Stage.Decided;
    }

    /// <summary>Gives back something that was leased and not begun, as a node does that stops or has no permit that fits.</summary>
    public void GiveOneBack(Dice dice)
    {
        if (Pick(Stage.Leased, dice) is { } attempt)
            GiveBack(attempt, Time.Now + TimeSpan.FromSeconds(dice.Next(20)), WaitReason.Released);
    }

    public static void GiveBack(UnderWay attempt, DateTimeOffset until, WaitReason reason)
    {
        attempt.GiveBack = attempt.GiveBack.Count > 0 ? attempt.GiveBack : [attempt.Lease];
        (attempt.GiveBackUntil, attempt.GiveBackReason, attempt.Stage) = (until, reason, Stage.GivenBack);
    }

    UnderWay? Pick(Stage stage, Dice dice)
    {
        var there = Hand.FindAll(a => a.Stage == stage);
        return there.Count == 0 ? null : there[dice.Next(there.Count)];
    }

    static double Jitter(Dice dice) => dice.Next(1000) / 1000.0;
}

/// <summary>A node's clock: the wall of one may differ from the others' and jump, the monotonic one runs.</summary>
sealed class NodeClock(ManualClock clock) : TimeProvider
{
    /// <summary>Of the wall clock.</summary>
    public TimeSpan Offset { get; set; }

    public override long TimestampFrequency => clock.TimestampFrequency;
    public override long GetTimestamp() => clock.GetTimestamp();
    public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + Offset;
}
