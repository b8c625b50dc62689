using System.Globalization;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>How a route chooses among its transports.</summary>
public enum RouteStrategy : byte
{
    /// <summary>The first healthy one.</summary>
    Priority = 0,
    /// <summary>The last that worked; when it fails the next, round and round.</summary>
    Sticky = 1,
    /// <summary>One after the other.</summary>
    RoundRobin = 2,
    /// <summary>By their weights, evenly mixed (smooth weighted round robin, as nginx).</summary>
    Weighted = 3,
}

/// <summary>How a route is set up.</summary>
public sealed record RouteSettings
{
    public const string DefaultName = "default";

    public required string Name { get; init; }
    public RouteStrategy Strategy { get; init; }

    /// <summary>Go on to the next transport when one is rate limited, or throttled by its provider, for longer than this. Null:
    /// wait for it however long. Default 1 s.</summary>
    public TimeSpan? SpillAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>After deferrals by the recipient's side.</summary>
    public DeferralSchedule Retry { get; init; } = DeferralSchedule.Default;

    /// <summary>For messages that do not say. Null: the installation's.</summary>
    public AmbiguityPolicy? OnAmbiguous { get; init; }
}

/// <summary>A choice of transports: gives the permits that they can give now, in the order of its strategy.</summary>
/// <remarks>
/// A healthy transport whose slots are all taken is waited for under priority and sticky, because a slot comes free soon; the balancing
/// strategies take another. A paused, stalled or broken one is passed over by all. Thread-safe.
/// </remarks>
public sealed class Route
{
    readonly Lock _lock = new();
    readonly int[] _credits;    // weighted: what each is owed; guarded by _lock
    int _start;                 // sticky: the one to stay with; round robin: the next; read and written as it is

    public Route(RouteSettings settings, IReadOnlyList<Transport> transports)
    {
        if (transports.Count == 0)
            throw new ArgumentException("A route has at least one transport.", nameof(transports));
        Settings = settings;
        Transports = transports;
        _credits = new int[transports.Count];
        HasDomainLimits = transports.Any(transport => transport.Options.Domains.Count > 0);
    }

    public string Name => Settings.Name;

    /// <summary>Any of its transports limits recipient domains, so <see cref="EnvelopeNeeds.RecipientDomains"/> matter.</summary>
    public bool HasDomainLimits { get; }

    bool Balances => Settings.Strategy is RouteStrategy.RoundRobin or RouteStrategy.Weighted;

    int FirstToAsk => Settings.Strategy is RouteStrategy.Sticky or RouteStrategy.RoundRobin ? Volatile.Read(ref _start) : 0;

    public RouteSettings Settings { get; }

    /// <summary>In order of preference.</summary>
    public IReadOnlyList<Transport> Transports { get; }

    /// <summary>Nothing can go out by it, and not because an operator wants it so: none of its transports takes mail, and one of them is
    /// down.</summary>
    public bool IsDown
    {
        get
        {
            var statuses = Transports.Select(transport => transport.GetStatus()).ToList();
            return !statuses.Exists(status => status.TakesMail) && statuses.Exists(status => status.Trouble is not null);
        }
    }

    /// <summary>As many permits as can be had now, at most <paramref name="want"/>; the caller disposes each. Empty:
    /// see <see cref="WhyNot(MailStream)"/>.</summary>
    public IReadOnlyList<Permit> Take(MailStream stream, int want)
    {
        if (want == 1)
            return TakeOne(null, stream) is { } single ? [single] : [];
        var permits = new List<Permit>();
        while (permits.Count < want && TakeOne(null, stream) is { } permit)
            permits.Add(permit);
        return permits;
    }

    /// <summary>A permit of a transport that may carry this envelope; null: see
    /// <see cref="WhyNot(in EnvelopeNeeds, MailStream)"/>.</summary>
    public Permit? TakeFor(in EnvelopeNeeds needs, MailStream stream) => TakeOne(needs, stream);

    /// <summary>Whether a permit that was taken before the envelope was known is good for it.</summary>
    public static bool Fits(Permit permit, in EnvelopeNeeds needs) =>
        needs.Allow(permit.Transport)
        && (needs.SenderDomain is not { } domain || permit.Transport.TakesSenderDomain(domain))
        && (needs.RecipientDomains is not { } domains || permit.Transport.HasRoomFor(domains));

    /// <summary>Whether any transport may ever be asked for this envelope: false means waiting is of no use.</summary>
    public bool HasAnyFor(in EnvelopeNeeds needs)
    {
        foreach (var transport in Transports)
            if (needs.Allow(transport))
                return true;
        return false;
    }

    /// <summary>Why <see cref="Take"/> gives nothing: of those that the strategy would ask, the one that is free the soonest.</summary>
    public WaitInfo WhyNot(MailStream stream) => WhyNot(default, stream);

    public WaitInfo WhyNot(in EnvelopeNeeds needs, MailStream stream)
    {
        var soonest = new WaitInfo(WaitCause.NotEligible, null, null, null);
        var (until, remaining) = (soonest.Until, soonest.Remaining);
        for (var i = 0; i < Transports.Count; i++)
        {
            var transport = Transports[(FirstToAsk + i) % Transports.Count];
            if (!needs.Allow(transport))
                continue;
            var wait = transport.WhyNot(stream, needs);
            if (wait.Cause == WaitCause.None)
                return wait;
            if (soonest.Transport is null || Expected(wait) < Expected(soonest))
                soonest = wait;
            if (wait.Remaining is { } span && !(span >= remaining))
                (until, remaining) = (wait.Until, span);
            if (!GoesOn(wait))
                break;
        }
        // The others' times count too: one whose slots are taken is waited for, and meanwhile the limit of the next may let it go.
        return soonest with { Until = until, Remaining = remaining };
    }

    /// <summary>The transport whose permits what gets none waits for: who waits for the same shares it. Null: none is known.</summary>
    /// <remarks>Where all are asked anyway it is the first of them that is healthy, which stays the same from one permit to the
    /// next.</remarks>
    internal Transport? Awaited(WaitInfo wait)
    {
        Transport? named = null;
        foreach (var transport in Transports)
        {
            if (Balances && transport.IsHealthy)
                return transport;
            if (transport.Name == wait.Transport)
                named = transport;
        }
        return named;
    }

    // A slot comes free soon, though nobody knows when; a remaining time says only when the transport will be given up as stalled.
    static TimeSpan Expected(WaitInfo wait) =>
        wait.Cause is WaitCause.Busy or WaitCause.Unproven ? TimeSpan.Zero : wait.Remaining ?? TimeSpan.MaxValue;

    // No lock is held while a transport is asked: it tells its changes to whoever listens.
    Permit? TakeOne(EnvelopeNeeds? needs, MailStream stream) =>
        Settings.Strategy == RouteStrategy.Weighted ? TakeWeighted(needs, stream) : TakeInTurn(needs, stream);

    Permit? TakeInTurn(EnvelopeNeeds? needs, MailStream stream)
    {
        var start = FirstToAsk;
        List<PassedOver>? passed = null;
        var moves = true; // sticky leaves a transport that is not healthy, not one that this envelope alone cannot use
        for (var i = 0; i < Transports.Count; i++)
        {
            var at = (start + i) % Transports.Count;
            if (needs?.WhyNever(Transports[at]) is { } never)
            {
                (passed ??= []).Add(new PassedOver(Transports[at].Name, never));
                moves = false;
                continue;
            }
            if (Transports[at].TryTake(stream, needs ?? default, out var wait) is { } permit)
            {
                permit.PassedOver = passed ?? permit.PassedOver;
                if (Settings.Strategy == RouteStrategy.RoundRobin)
                    Volatile.Write(ref _start, (at + 1) % Transports.Count);
                else if (moves)
                    Volatile.Write(ref _start, at);
                return permit;
            }
            moves &= wait.Cause is WaitCause.Paused or WaitCause.Unusable or WaitCause.Stalled or WaitCause.CircuitOpen
                or WaitCause.Probing;
            if (!GoesOn(wait))
                return null;
            (passed ??= []).Add(new PassedOver(Transports[at].Name, (PassReason)wait.Cause));
        }
        return null;
    }

    bool GoesOn(WaitInfo wait) => wait.Cause switch
    {
        WaitCause.RateLimited or WaitCause.Throttled => Balances || IsLong(wait),
        WaitCause.DomainLimited => Balances || IsLong(wait),
        WaitCause.Busy or WaitCause.Unproven => Balances,
        WaitCause.None or WaitCause.Paused or WaitCause.Unusable or WaitCause.Stalled or WaitCause.CircuitOpen or WaitCause.Probing
            or WaitCause.SenderDomainRefused or WaitCause.NotEligible or WaitCause.QuotaSpent => true,
    };

    bool IsLong(WaitInfo wait) => Settings.SpillAfter is { } spill && wait.Remaining > spill;

    Permit? TakeWeighted(EnvelopeNeeds? needs, MailStream stream)
    {
        var passed = Transports.Count <= 64 ? stackalloc bool[Transports.Count] : new bool[Transports.Count];
        List<PassedOver>? why = null;
        for (var i = 0; i < passed.Length; i++)
        {
            var never = needs?.WhyNever(Transports[i]);
            passed[i] = never is not null;
            if (never is { } reason)
                (why ??= []).Add(new PassedOver(Transports[i].Name, reason));
        }
        while (BestCredit(passed) is var best && best >= 0)
        {
            if (Transports[best].TryTake(stream, needs ?? default, out var wait) is { } permit)
            {
                Settle(best, passed);
                permit.PassedOver = why ?? permit.PassedOver;
                return permit;
            }
            passed[best] = true; // its credit stays as it is: coming back, it starts with its share and not with a flood
            (why ??= []).Add(new PassedOver(Transports[best].Name, (PassReason)wait.Cause));
        }
        return null;
    }

    /// <summary>Of those not passed over, the one that would have most with its weight added;
    /// the first of equals. -1: none is left.</summary>
    int BestCredit(ReadOnlySpan<bool> passed)
    {
        var best = -1;
        lock (_lock)
        {
            for (var i = 0; i < passed.Length; i++)
                if (!passed[i]
                    && (best < 0 || _credits[i] + Transports[i].Options.Weight > _credits[best] + Transports[best].Options.Weight))
                    best = i;
        }
        return best;
    }

    void Settle(int chosen, ReadOnlySpan<bool> passed)
    {
        lock (_lock)
        {
            for (var i = 0; i < passed.Length; i++)
            {
                if (passed[i])
                    continue;
                _credits[i] += Transports[i].Options.Weight;
                _credits[chosen] -= Transports[i].Options.Weight;
            }
        }
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Name} ({Settings.Strategy}: {string.Join(", ", Transports.Select(t => t.Name))})");
}
