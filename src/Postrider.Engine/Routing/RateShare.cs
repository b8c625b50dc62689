namespace Postrider.Routing;

/// <summary>What a node asks of the budget that all nodes share.</summary>
/// <param name="Key">Of the budget: the transport's name.</param>
/// <param name="Gap">From one recipient to the next, all nodes together.</param>
/// <param name="Late">How much of the past may be used: what was left over makes the burst.</param>
/// <param name="Count">Recipients asked for; fewer may be granted.</param>
/// <param name="KeepBack">How much of the burst must be left to others.</param>
public readonly record struct RateAsk(string Key, TimeSpan Gap, TimeSpan Late, int Count, int KeepBack);

/// <summary>The answer to a <see cref="RateAsk"/>.</summary>
/// <param name="Count">Recipients that may go, one each interval; 0: none for now.</param>
/// <param name="FirstIn">When the first may go, from the moment of the answer; negative: it might have gone already. Where none was
/// granted: when to ask again.</param>
public readonly record struct RateGrant(string Key, int Count, TimeSpan FirstIn);

/// <summary>The part of a shared rate that this node holds: instants at which one recipient each may go. Guarded by the transport's
/// lock.</summary>
/// <remarks>
/// The budget hands instants out one interval apart, each to one node, so what all nodes do together is what one limiter would allow.
/// An instant may be used late by the burst (<see cref="Grace"/>) and is lost after that: kept for later it would let a flood through.
/// A node asks for some 50 ms at a time, up to about 200 ms ahead and only while it has work: an idle node holds nothing back,
/// and one that dies takes no more than that with it. It begins with one, and doubles while it uses at least half of what it
/// got. An envelope of many recipients goes, and those after it pay.
/// </remarks>
/// <param name="lasting">How long an instant lasts from its grant at least; zero: <see cref="LeastGrace"/>.</param>
sealed class RateShare(string key, Rate rate, TimeSpan lasting = default)
{
    /// <summary>Work is taken so long before its instant: leasing it takes a while, and then it waits for the instant.</summary>
    public static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(100);

    static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan Horizon = TimeSpan.FromMilliseconds(150);
    static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(250);

    /// <summary>Instants that are further apart than this are given back when they are not used; of others so few are held that they are
    /// not worth a statement.</summary>
    static readonly TimeSpan WorthReturning = TimeSpan.FromMilliseconds(200);
    static readonly TimeSpan HeldAtMost = TimeSpan.FromSeconds(1);

    /// <summary>A loop on a busy machine is late by so much; less would lose instants of rates without a burst. Also how long an instant
    /// lasts from its grant at least: after a quiet time the budget hands out the oldest that count, and those would be over on
    /// arrival.</summary>
    static readonly TimeSpan LeastGrace = TimeSpan.FromMilliseconds(30);

    /// <summary>Where many go in a second, so much of the burst is left for what is late on its way, and for what lasts longer because it
    /// was just granted.</summary>
    static readonly TimeSpan LeftOfBurst = TimeSpan.FromMilliseconds(25);

    readonly LinkedList<RateSlice> _slices = new();   // in the order of their instants
    int _asksFor;
    int _granted;                                     // at the last answer
    TimeSpan _grantedAt;
    bool _isRunning;                                  // it was asked soon after the answer before
    int _used;                                        // since then
    int _debt;                                        // recipients that went without an instant
    bool _isAsking;
    bool _isWanted;
    int _keepBack;
    TimeSpan _notBefore;                              // asking is of no use before

    /// <summary>A hundredth slower than asked where many go in a second: what is late on its way to the provider must not make 106 of
    /// 100.</summary>
    readonly TimeSpan _gap = IsFast(rate) ? rate.Interval * 1.01 : rate.Interval;

    /// <summary>How late an instant may be used.</summary>
    public TimeSpan Grace { get; } = Burst(rate) + (IsFast(rate) ? TimeSpan.Zero : rate.Interval) is var late && late > LeastGrace
        ? late : LeastGrace;

    static bool IsFast(Rate rate) => rate.Interval < WorthReturning;

    static TimeSpan Burst(Rate rate) => (rate.Burst - 1) * rate.Interval is var burst && !IsFast(rate) ? burst
        : burst > LeftOfBurst ? burst - LeftOfBurst : TimeSpan.Zero;

    int Most => (int)Math.Clamp(Slice.Ticks / _gap.Ticks, 1, int.MaxValue);

    /// <summary>When work for the next instant may be taken. Null: none is held; asked for if somebody wants one.</summary>
    public TimeSpan? Earliest(TimeSpan now)
    {
        Expire(now);
        return _debt == 0 && _slices.First is { } first ? first.Value.At - Ahead : null;
    }

    /// <summary>The next instant that is held and not owed. Null: none.</summary>
    public TimeSpan? Next(TimeSpan now)
    {
        Expire(now);
        return _debt == 0 && _slices.First is { } first ? first.Value.At : null;
    }

    /// <summary>When there is no instant: until when none will be had. Null: as soon as the budget answers.</summary>
    public TimeSpan? NoneBefore(TimeSpan now) => _notBefore > now ? _notBefore : null;

    /// <summary>Somebody has work for it.</summary>
    /// <param name="isRefused">Nothing could be taken now. Where an instant is held that has not come, that one is waited for; only while there is
    /// much to do more is fetched ahead.</param>
    public void Want(int keepBack, bool isRefused, TimeSpan now)
    {
        if (_isAsking)
            return; // whoever wants it still asks again when the answer is there
        _isWanted |= (isRefused && _slices.Count == 0) || (_isRunning && IsBusy(now));
        _keepBack = keepBack;
    }

    bool IsBusy(TimeSpan now) => _granted > 0 && now - _grantedAt < Busy;

    /// <summary>The next instant, which is used until <see cref="Grace"/> after it or given back with <see cref="Return"/>. Null: none is
    /// held.</summary>
    public TimeSpan? Take(TimeSpan now)
    {
        Expire(now);
        if (_slices.First is not { } first)
            return null;
        var least = first.Value.LastsUntil - Grace < first.Value.HeldSince ? first.Value.LastsUntil - Grace : first.Value.HeldSince;
        var at = Drop(first, 1);
        return at > least ? at : least;
    }

    public string Key => key;

    /// <summary>Nothing is held, owed, asked for or to be waited for: it might as well be made anew.</summary>
    public bool IsIdle(TimeSpan now)
    {
        Expire(now);
        return _slices.Count == 0 && _debt == 0 && !_isAsking && !_isWanted && _notBefore <= now;
    }

    /// <summary>Recipients beyond the first of an envelope: they go, and those after them pay.</summary>
    public void Charge(int recipients, TimeSpan now)
    {
        _debt += recipients;
        Expire(now);
    }

    /// <summary>Recipients went that are not paid for: nobody may go, and who has an instant gives it up for them.</summary>
    public bool IsInDebt => _debt > 0;

    /// <summary>An instant that was taken pays for one of them.</summary>
    public void Pay() => _debt--;

    /// <summary>An instant that was taken and not used.</summary>
    public void Return(TimeSpan at, TimeSpan now)
    {
        _used--;
        if (at + Grace < now)
            return;
        var after = _slices.First;
        while (after is not null && after.Value.At < at)
            after = after.Next;
        var slice = new RateSlice(at, 1, now, at + Grace);
        if (after is null)
            _slices.AddLast(slice);
        else
            _slices.AddBefore(after, slice);
    }

    /// <summary>What to ask the budget for now; then <see cref="Granted"/> or <see cref="AskFailed"/> follows. Null: nothing.</summary>
    public RateAsk? NextAsk(TimeSpan now)
    {
        if (!WouldAsk(now))
            return null;
        _isRunning = IsBusy(now);
        _asksFor = !_isRunning ? 1 : 2 * _used >= _granted ? Math.Clamp(2 * _asksFor, 1, Most) : Math.Max(1, _asksFor / 2);
        (_isAsking, _isWanted) = (true, false);
        return Ask(_asksFor, _keepBack);
    }

    public bool WouldAsk(TimeSpan now) => !_isAsking && now >= _notBefore && (_isWanted || _debt > 0) && Last < now + Horizon;

    public void Granted(RateGrant grant, TimeSpan now)
    {
        _isAsking = false;
        var at = now + grant.FirstIn;
        if (grant.Count == 0)
        {
            _notBefore = at;
            return;
        }
        _slices.AddLast(new RateSlice(at, grant.Count, now, now + (lasting > LeastGrace ? lasting : LeastGrace)));
        (_granted, _used, _grantedAt) = (grant.Count, 0, now);
    }

    /// <summary>Who wanted it wants it still, and may not be there to say so again.</summary>
    public void AskFailed() => (_isAsking, _isWanted) = (false, true);

    /// <summary>Instants that nobody used and that others may use; they are gone from here. Null: none.</summary>
    /// <param name="all">However short they have been held: the node stops.</param>
    public RateAsk? TakeUnused(TimeSpan now, bool all = false)
    {
        Expire(now);
        var unused = 0;
        if (IsFast(rate))
            return null;
        for (var slice = _slices.First; slice is not null;)
        {
            var next = slice.Next;
            if (all || now - slice.Value.HeldSince > HeldAtMost)
            {
                unused += slice.Value.Count;
                _slices.Remove(slice);
            }
            slice = next;
        }
        return unused > 0 ? Ask(unused, 0) : null;
    }

    RateAsk Ask(int count, int keepBack) => new(key, _gap, Burst(rate), count, keepBack);

    TimeSpan Last => _slices.Last is { Value: var last } ? last.At + (last.Count - 1) * _gap : TimeSpan.MinValue;

    /// <summary>Instants that have come pay what is owed, and those that are too late are gone.</summary>
    void Expire(TimeSpan now)
    {
        while (_debt > 0 && _slices.First is { } first && first.Value.At <= now)
        {
            var come = CountUntil(first.Value, now);
            var paid = Math.Min(_debt, come);
            _debt -= paid;
            Drop(first, paid);
        }
        while (_slices.First is { } first && first.Value.At + Grace < now && first.Value.LastsUntil < now)
        {
            _used -= CountUntil(first.Value, now - Grace);
            Drop(first, CountUntil(first.Value, now - Grace));
        }
    }

    int CountUntil(RateSlice slice, TimeSpan now) => (int)Math.Min(slice.Count, (now - slice.At).Ticks / _gap.Ticks + 1);

    /// <summary>The first of a slice are gone from here. Returns the very first.</summary>
    TimeSpan Drop(LinkedListNode<RateSlice> first, int count)
    {
        _used += count;
        var at = first.Value.At;
        if (count == first.Value.Count)
            _slices.Remove(first);
        else
            first.Value = first.Value with { At = at + count * _gap, Count = first.Value.Count - count };
        return at;
    }

    /// <summary>Instants one interval apart.</summary>
    /// <param name="At">The first.</param>
    /// <param name="LastsUntil">None is too late before.</param>
    readonly record struct RateSlice(TimeSpan At, int Count, TimeSpan HeldSince, TimeSpan LastsUntil);
}
