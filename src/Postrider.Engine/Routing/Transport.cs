using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>One named transport on this node: gives permits as its circuit, limiter and slots allow,
/// and learns from what they report.</summary>
/// <remarks>
/// It reads its clock itself, as time elapsed: a wall clock that is set must neither empty the limiter nor keep a circuit open.
/// Instants that it tells are on the wall clock of that moment. It has no timers:
/// what changes with time alone (break over, limiter, stall) is told as
/// <see cref="WaitInfo.Until"/>; what changes by an event raises <see cref="CapacityCame"/>. Thread-safe.
/// </remarks>
public sealed partial class Transport
{
    readonly TimeProvider _clock;
    readonly long _origin;
    readonly int _bulkSlots;

    // All below is guarded by _lock.
    readonly Lock _lock = new();
    readonly List<TransportChange> _changes = [];       // told once the lock is left
    readonly Queue<TransportError> _errors = new();
    readonly long[] _outcomes = new long[Enum.GetValues<OutcomeKind>().Length];
    readonly DomainLimits? _domains;
    readonly Dictionary<string, TimeSpan> _refusedDomains = new(StringComparer.OrdinalIgnoreCase);
    GcraState _limiter;                                 // its rate only where _share is null
    RateShare? _share;
    CircuitState _circuit;
    Permit? _probe;
    int _taken;
    int _bulkTaken;
    int _uncharged;
    TimeSpan? _unansweredSince;                         // start of the first try since anything completed; null when there is none
    readonly RecentTimes _times = new();
    DateTimeOffset? _heardAt;                           // by the wall clock: for people
    bool _known;
    bool _stallTold;
    bool _paused;
    bool _retired;
    long _tries;
    volatile bool _more;                                // more of a shared budget is wanted
    volatile bool _untold;                              // _changes has some; a hint that spares the lock

    public Transport(TransportOptions options, ProviderCapabilities capabilities, TimeProvider clock)
    {
        Options = options;
        Capabilities = capabilities;
        _clock = clock;
        _origin = clock.GetTimestamp();
        _domains = options.Domains.Count > 0 ? new DomainLimits(options.Domains) : null;
        // A fifth of the slots, at least one, is kept for transactional mail, where there are two or more.
        _bulkSlots = options.Concurrency > 1 ? options.Concurrency - Math.Max(1, options.Concurrency / 5) : 1;
    }

    /// <summary>Its last result, whichever, was more than silence. Before the first one, and after one that leaves open what became of the
    /// mail, attempts go one at a time: a server that takes mail and never answers keeps one message, not one for each slot.</summary>
    internal bool IsKnown { get => _known; init => _known = value; }

    public string Name => Options.Name;

    /// <inheritdoc cref="TransportSettings.Key"/>
    public string Key => Options.Key;

    /// <summary>Its name where it is counted. Tenants' own count together: their names are the tenants', and there may be any
    /// number.</summary>
    public string Label => Options.Owner is null ? Name : TenantsLabel;

    /// <summary>No transport can have this name.</summary>
    public const string TenantsLabel = "(tenants)";
    public TransportOptions Options { get; }
    public ProviderCapabilities Capabilities { get; }

    /// <summary>Something happened that may let work start: a slot was freed, the circuit closed, a stall ended, it was resumed.
    /// Raised outside of the lock, often.</summary>
    public event Action<Transport>? CapacityCame;

    /// <summary>Raised outside of the lock, soon after.</summary>
    public event Action<TransportChange>? Changed;

    /// <summary>Neither paused nor stalled, and its circuit lets at least a probe through: worth waiting for when it is busy.</summary>
    public bool IsHealthy
    {
        get
        {
            lock (_lock)
                return UnhealthyCause_NeedsLock(Now) == WaitCause.None;
        }
    }

    /// <summary>A permit, or null; then <see cref="WhyNot(MailStream)"/> tells why.</summary>
    public Permit? TryTake(MailStream stream) => TryTake(stream, default, out _);

    internal Permit? TryTake(MailStream stream, in EnvelopeNeeds needs, out WaitInfo wait)
    {
        Permit? permit = null;
        lock (_lock)
        {
            var now = Now;
            wait = WhyNot_NeedsLock(stream, needs, now);
            if (wait.Cause == WaitCause.None)
            {
                permit = new Permit(this, stream) { Instant = _share?.Take(now) };
                var entry = Circuit.TryEnter(_circuit, now, out var step);
                Apply_NeedsLock(step);
                if (entry == CircuitEntry.Probe)
                {
                    permit.IsProbe = true;
                    _probe = permit;
                }
                _taken++;
                _uncharged++;
                if (stream == MailStream.Bulk)
                    _bulkTaken++;
            }
            WantQuota_NeedsLock(_uncharged + (permit is null ? 1 : 0));
            Want_NeedsLock(stream, isRefused: wait.Cause == WaitCause.RateLimited, now);
            if (wait.Cause == WaitCause.Probing)
                WantProbe_NeedsLock(now);
        }
        Tell(capacity: false);
        return permit;
    }

    /// <summary>Why a permit would not be given now, and when that may change.</summary>
    public WaitInfo WhyNot(MailStream stream) => WhyNot(stream, default);

    internal WaitInfo WhyNot(MailStream stream, in EnvelopeNeeds needs)
    {
        WaitInfo wait;
        lock (_lock)
            wait = WhyNot_NeedsLock(stream, needs, Now);
        Tell(capacity: false);
        return wait;
    }

    /// <summary>No new work; what is under way goes on.</summary>
    public void Pause() => SetPaused(true);

    public void Resume() => SetPaused(false);

    /// <summary>An operator says that it works again: circuit closed; stall,
    /// waits that the provider asked for and refused sender domains forgotten.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Apply_NeedsLock(Circuit.Close(_circuit, Now, "closed by an operator"));
            Share_NeedsLock(SharedChangeKind.Reset);
            _probe = null;
            _limiter = _limiter with { NotBefore = default, Backoff = default };
            _refusedDomains.Clear();
            _unansweredSince = null;
            _stallTold = false;
        }
        Tell(capacity: true);
    }

    /// <summary>From now on it gives no permit: it was removed, or another has its name. What is under way goes on.</summary>
    internal void Retire()
    {
        lock (_lock)
            _retired = true;
        Tell(capacity: true);
    }

    /// <summary>Retired, and no permit is out: nothing will ever use it again.</summary>
    internal bool IsDrained
    {
        get
        {
            lock (_lock)
                return _retired && _taken == 0;
        }
    }

    /// <summary>Goes on as the one that had its name until now: paused as that was, and with what it owes its limits. Where it leads to the
    /// same place, also with what is known of that; elsewhere its circuit begins closed.</summary>
    internal void Succeed(Transport before, bool leadsElsewhere)
    {
        // Nothing else takes both locks, and the one before never knows its successor.
        lock (before._lock)
            lock (_lock)
            {
                var now = Now;
                var shift = now - before.Now;
                _paused = before._paused;
                _limiter = Gcra.Shift(before._limiter, before.Options.Rate, Options.Rate, shift, now);
                if (leadsElsewhere)
                    return;
                _known = before._known;
                _heardAt = before._heardAt;
                foreach (var (domain, until) in before._refusedDomains)
                    _refusedDomains[domain] = until + shift;
                if (before._domains is { } domains)
                    _domains?.Succeed(domains, shift, now);
                if (Options.Circuit is not null && before._circuit.Position != CircuitPosition.Closed)
                    _circuit = _circuit with
                    {
                        Position = CircuitPosition.Open,
                        Until = before._circuit.Until + shift,
                        Openings = before._circuit.Openings,
                    };
            }
    }

    /// <summary>It is new: what all nodes know of an earlier one with its name is over.</summary>
    internal void Renew()
    {
        lock (_lock)
        {
            _paused = false;
            Share_NeedsLock(SharedChangeKind.Resume);
        }
        Reset();
    }

    /// <summary>Its provider reported what became of mail.</summary>
    public void HearBack()
    {
        lock (_lock)
            _heardAt = _clock.GetUtcNow();
    }

    /// <summary>Whether the provider takes mail of this sender's domain, as far as we have learned.</summary>
    public bool TakesSenderDomain(string domain)
    {
        lock (_lock)
            return !IsRefused_NeedsLock(domain, Now, out _);
    }

    /// <summary>Whether limits for the recipients' domains let an envelope start now.</summary>
    internal bool HasRoomFor(IReadOnlyList<string> recipientDomains)
    {
        if (_domains is null)
            return true;
        lock (_lock)
            return _domains.Earliest(recipientDomains, Now) is { } earliest && earliest <= Now;
    }

    internal TimeSpan? Charge(Permit permit, int recipients, string? senderDomain, IReadOnlyList<string>? recipientDomains)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(recipients, 1);
        var wait = ChargeOnce(permit, recipients, senderDomain, recipientDomains);
        Tell(capacity: false);
        return wait;
    }

    TimeSpan? ChargeOnce(Permit permit, int recipients, string? senderDomain, IReadOnlyList<string>? recipientDomains)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(permit.Disposed, permit);
            if (permit.Trying)
                throw new InvalidOperationException("A try is reported before the next one is charged.");
            var now = Now;
            var maySend = !_paused && !IsStalled_NeedsLock(now)
                && (_circuit.Position == CircuitPosition.Closed || ReferenceEquals(_probe, permit));
            if (!maySend || (senderDomain is not null && IsRefused_NeedsLock(senderDomain, now, out _)))
                return null;
            if (_domains is not null && recipientDomains is not null)
            {
                // First, and with nothing in hand: an instant of the transport's own rate would be over by then, and another, and another.
                if (EarliestOfDomains_NeedsLock(permit, recipientDomains, now) is not { } free)
                    return null;
                if (free > now)
                    return free - now;
            }
            var earliest = EarliestToSend_NeedsLock(permit, now);
            if (earliest > now)
                return earliest - now;
            if (TakeQuota_NeedsLock(permit, recipients, now) is var quota && quota != TimeSpan.Zero)
                return quota;
            _quotas.ForEach(own => own.Use(recipients));
            EndWait_NeedsLock(permit);
            _domains?.Enter(permit.RecipientDomains = recipientDomains ?? [], now);
            _more |= _domains?.WouldAsk == true;
            if (!permit.Charged)
                _uncharged--;
            permit.Charged = permit.Trying = true;
            permit.TriedAt = now;
            permit.SenderDomain = senderDomain;
            if (_share is null)
                _limiter = Gcra.Charge(_limiter, Options.Rate, now, recipients);
            else
                _share.Charge(recipients - 1, now);
            (permit.Instant, permit.LateSince) = (null, null);
            _unansweredSince ??= now;
            _tries++;
            return TimeSpan.Zero;
        }
    }

    internal void Return(Permit permit)
    {
        lock (_lock)
        {
            if (permit.Disposed)
                return;
            permit.Disposed = true;
            if (permit.Trying)
                Complete_NeedsLock(permit); // given up without a result: no evidence of anything
            EndWait_NeedsLock(permit);
            if (!permit.Charged)
                _uncharged--;
            if (permit.Instant is { } unused)
                _share?.Return(unused, Now);
            if (ReferenceEquals(_probe, permit))
            {
                _probe = null;
                if (_circuit.Position == CircuitPosition.HalfOpen)
                    _circuit = Circuit.ReturnProbe(_circuit);
                if (_mayProbe)
                    Share_NeedsLock(SharedChangeKind.ReturnProbe);
                _mayProbe = false;
            }
            _taken--;
            if (permit.Stream == MailStream.Bulk)
                _bulkTaken--;
        }
        Tell(capacity: true);
    }

    public TransportStatus GetStatus()
    {
        TransportStatus status;
        lock (_lock)
        {
            var now = Now;
            var breakOver = _circuit.Position == CircuitPosition.Open && now >= _circuit.Until;
            status = new TransportStatus
            {
                Name = Name,
                Scheme = Options.Scheme,
                Paused = _paused,
                Fault = Options.Fault,
                Stalled = IsStalled_NeedsLock(now),
                Circuit = breakOver ? CircuitPosition.HalfOpen : _circuit.Position,
                CircuitOpenUntil = _circuit.Position == CircuitPosition.Open && !breakOver ? Wall(_circuit.Until, now) : null,
                ThrottledUntil = _limiter.NotBefore > now ? Wall(_limiter.NotBefore, now) : null,
                InFlight = _taken,
                Concurrency = Options.Concurrency,
                Rate = Options.Rate,
                Tries = _tries,
                Outcomes = Enum.GetValues<OutcomeKind>().ToDictionary(kind => kind, kind => _outcomes[(int)kind]),
                LastErrors = [.. _errors.Reverse()],
                RefusedSenderDomains = _refusedDomains.Where(entry => entry.Value > now)
                    .ToDictionary(entry => entry.Key, entry => Wall(entry.Value, now)),
                Times = _times.Read(),
                HeardAt = _heardAt,
            };
        }
        Tell(capacity: false);
        return status;
    }

    TimeSpan Now => _clock.GetElapsedTime(_origin);

    DateTimeOffset Wall(TimeSpan steady, TimeSpan now) => _clock.GetUtcNow() + (steady - now);

    void SetPaused(bool paused)
    {
        lock (_lock)
            if (!SetPaused_NeedsLock(paused))
                return;
        Tell(capacity: !paused);
    }

    bool SetPaused_NeedsLock(bool paused)
    {
        if (_paused == paused)
            return false;
        _paused = paused;
        Note_NeedsLock(new TransportChange(
            Key, paused ? TransportChangeKind.Paused : TransportChangeKind.Resumed, _clock.GetUtcNow(), "by an operator"));
        Share_NeedsLock(paused ? SharedChangeKind.Pause : SharedChangeKind.Resume);
        return true;
    }

    WaitInfo WhyNot_NeedsLock(MailStream stream, in EnvelopeNeeds needs, TimeSpan now)
    {
        if (UnhealthyCause_NeedsLock(now) is not WaitCause.None and var cause)
            return Wait(cause, cause == WaitCause.CircuitOpen ? _circuit.Until
                : cause == WaitCause.Probing && NeedsLeaveToProbe_NeedsLock(now) ? (_probeAskedAt ?? now) + BetweenProbes : null, now);
        if (needs.SenderDomain is { } senderDomain && IsRefused_NeedsLock(senderDomain, now, out var until))
            return Wait(WaitCause.SenderDomainRefused, until, now);
        if (_limiter.NotBefore > now)
            return Wait(WaitCause.Throttled, _limiter.NotBefore, now);
        if (WhyQuota_NeedsLock(_uncharged + 1, now) is { } spent)
            return spent;
        if (WhyRateLimited_NeedsLock(stream, now) is { } limited)
            return limited;
        if (!_known && _taken > 0)
            return Wait(WaitCause.Unproven, _unansweredSince + Options.Stall, now);
        if (_taken >= Options.Concurrency || (stream == MailStream.Bulk && _bulkTaken >= _bulkSlots))
            return Wait(WaitCause.Busy, _unansweredSince + Options.Stall, now);
        if (_domains is not null && needs.RecipientDomains is { } domains && _domains.Earliest(domains, now) is var free && !(free <= now))
            return Wait(WaitCause.DomainLimited, free, now);
        return default;
    }

    WaitInfo Wait(WaitCause cause, TimeSpan? until, TimeSpan now) => new(cause, Name, until is { } at ? Wall(at, now) : null, until - now);

    WaitCause UnhealthyCause_NeedsLock(TimeSpan now)
    {
        if (Options.Fault is not null)
            return WaitCause.Unusable;
        if (_paused || _retired)
            return WaitCause.Paused;
        if (IsStalled_NeedsLock(now))
            return WaitCause.Stalled;
        if (NeedsLeaveToProbe_NeedsLock(now))
            return WaitCause.Probing;
        return _circuit.Position switch
        {
            CircuitPosition.Closed => WaitCause.None,
            CircuitPosition.Open => now >= _circuit.Until ? WaitCause.None : WaitCause.CircuitOpen,
            CircuitPosition.HalfOpen => _circuit.ProbeOut ? WaitCause.Probing : WaitCause.None,
        };
    }

    bool IsStalled_NeedsLock(TimeSpan now)
    {
        if (_unansweredSince + Options.Stall is not { } stalls || now < stalls)
            return false;
        if (!_stallTold)
        {
            _stallTold = true;
            Note_NeedsLock(new TransportChange(Key, TransportChangeKind.Stalled, _clock.GetUtcNow(),
                "an attempt is not answered and nothing completed since it began"));
        }
        return true;
    }

    bool IsRefused_NeedsLock(string domain, TimeSpan now, out TimeSpan until) =>
        _refusedDomains.TryGetValue(domain, out until) && until > now;

    void Complete_NeedsLock(Permit permit)
    {
        permit.Trying = false;
        if (permit.RecipientDomains is { } domains)
            _domains?.Leave(domains);
        // Tries that began before this completion no longer tell of a stall: the transport has answered since.
        _unansweredSince = null;
    }

    void Apply_NeedsLock(CircuitStep step)
    {
        _circuit = step.State;
        if (step.Change is not { } change)
            return;
        if (change.To != CircuitPosition.HalfOpen)
            _probe = null;
        ShareCircuit_NeedsLock(change);
        var at = _clock.GetUtcNow();
        Note_NeedsLock(change.To switch
        {
            CircuitPosition.Open => new TransportChange(Key, TransportChangeKind.CircuitOpened, at, change.Reason, at + change.OpenFor),
            CircuitPosition.HalfOpen => new TransportChange(Key, TransportChangeKind.CircuitHalfOpen, at, change.Reason),
            CircuitPosition.Closed => new TransportChange(Key, TransportChangeKind.CircuitClosed, at, change.Reason),
        });
    }

    void Note_NeedsLock(TransportChange change)
    {
        _changes.Add(change);
        _untold = true;
    }

    void Tell(bool capacity)
    {
        if (_more)
        {
            _more = false;
            AskedForMore?.Invoke();
        }
        if (_untold)
            foreach (var change in TakeChanges())
                Changed?.Invoke(change);
        if (capacity)
            CapacityCame?.Invoke(this);
    }

    TransportChange[] TakeChanges()
    {
        lock (_lock)
        {
            TransportChange[] changes = [.. _changes];
            _changes.Clear();
            _untold = false;
            return changes;
        }
    }
}
