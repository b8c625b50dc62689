using System.Runtime.CompilerServices;

namespace Postrider.Routing;

/// <summary>When a circuit opens and for how long.</summary>
/// <param name="Failures">So many failures within <paramref name="Window"/>, no success among them, open it.</param>
/// <param name="Break">How long it stays open at first; doubled at each opening that follows soon,
/// up to <see cref="Circuit.LongestBreak"/>.</param>
public readonly record struct CircuitOptions(int Failures, TimeSpan Window, TimeSpan Break);

/// <summary>What a circuit lets through.</summary>
public enum CircuitPosition : byte
{
    /// <summary>Work flows.</summary>
    Closed = 0,
    /// <summary>No work until the break is over.</summary>
    Open = 1,
    /// <summary>One attempt, the probe, finds out whether work may flow again.</summary>
    HalfOpen = 2,
}

/// <summary>What a try says about the transport.</summary>
enum CircuitEvidence : byte
{
    /// <summary>Nothing (it could not carry the message).</summary>
    None = 0,
    /// <summary>It is there but overloaded: no failure, but enough to close after a break; the limiter does the waiting.</summary>
    Throttled = 1,
    /// <summary>It did its work, whatever it said about the recipient.</summary>
    Answered = 2,
    /// <summary>Unreachable, or no usable answer.</summary>
    Failure = 3,
    /// <summary>It refuses our account: every other message would fare the same.</summary>
    AccountRefused = 4,
}

/// <summary>Whether work may start.</summary>
enum CircuitEntry : byte { Refused = 0, Free = 1, Probe = 2 }

/// <summary>A circuit that moved from one position to another.</summary>
/// <param name="OpenFor">The break; zero unless it opened.</param>
public readonly record struct CircuitChange(CircuitPosition From, CircuitPosition To, TimeSpan OpenFor, string Reason);

/// <summary>Where a circuit stands.</summary>
readonly record struct CircuitState
{
    public CircuitPosition Position { get; init; }

    /// <summary>End of the break; meaningful while open.</summary>
    public TimeSpan Until { get; init; }

    /// <summary>The one probe of a half-open circuit is under way.</summary>
    public bool ProbeOut { get; init; }

    /// <summary>Openings that followed each other soon: each doubles the break.</summary>
    public int Openings { get; init; }

    /// <summary>When it last closed.</summary>
    public TimeSpan ClosedAt { get; init; }
    public CircuitWindow Window { get; init; }
}

/// <summary>A state and, if that is another position than before, the change.</summary>
readonly record struct CircuitStep(CircuitState State, CircuitChange? Change);

/// <summary>A circuit breaker as pure functions of the state and the time: closed, open, half-open with exactly one probe.</summary>
/// <remarks>
/// It opens on <see cref="CircuitOptions.Failures"/> failures in a row within the window (a dead transport), when at least half of twice as
/// many results in the window failed (a half-dead one), and at once when the account is refused. Failures scattered among successes do not
/// open it: at 1,000 a second ten failures in 30 s would be one in 3,000. Only the probe's result counts while half-open, none while open:
/// late answers say how it was before.
/// </remarks>
static class Circuit
{
    /// <summary>Longest break after failures, in breaks: 1 min for the default of 5 s,
    /// so a recovered transport waits no longer than that.</summary>
    const int LongestBreak = 12;

    /// <summary>First and longest break after the account was refused: 1 min and 10 min by default.
    /// Repeated wrong passwords get accounts locked.</summary>
    const int FirstAccountBreak = 12;
    const int LongestAccountBreak = 120;

    public static CircuitEntry TryEnter(in CircuitState state, TimeSpan now, out CircuitStep step)
    {
        step = new CircuitStep(state, null);
        switch (state.Position)
        {
            case CircuitPosition.Closed:
                return CircuitEntry.Free;
            case CircuitPosition.Open when now >= state.Until:
                var half = state with { Position = CircuitPosition.HalfOpen, ProbeOut = true };
                step = new CircuitStep(half,
                    new CircuitChange(CircuitPosition.Open, CircuitPosition.HalfOpen, TimeSpan.Zero, "the break is over: one probe"));
                return CircuitEntry.Probe;
            case CircuitPosition.HalfOpen when !state.ProbeOut:
                step = new CircuitStep(state with { ProbeOut = true }, null);
                return CircuitEntry.Probe;
            default:
                return CircuitEntry.Refused;
        }
    }

    /// <summary>The probe ended without a result: another may take its place.</summary>
    public static CircuitState ReturnProbe(in CircuitState state) => state with { ProbeOut = false };

    /// <param name="probe">The result is that of the probe.</param>
    public static CircuitStep Report(in CircuitState state, CircuitOptions options, TimeSpan now, CircuitEvidence evidence, bool probe) =>
        state.Position switch
        {
            CircuitPosition.Closed => ReportClosed(state, options, now, evidence),
            CircuitPosition.HalfOpen when probe => evidence switch
            {
                CircuitEvidence.None => new CircuitStep(ReturnProbe(state), null),
                CircuitEvidence.Throttled or CircuitEvidence.Answered => Close(state, now, "the probe was answered"),
                CircuitEvidence.Failure => Open(state, options, now, account: false, "the probe failed"),
                CircuitEvidence.AccountRefused => Open(state, options, now, account: true, "the account was refused"),
            },
            _ => new CircuitStep(state, null),
        };

    /// <summary>Opens it whatever the counts say: a stalled transport whose attempt failed at last.</summary>
    public static CircuitStep Trip(in CircuitState state, CircuitOptions options, TimeSpan now, string reason) =>
        state.Position == CircuitPosition.Open ? new CircuitStep(state, null) : Open(state, options, now, account: false, reason);

    /// <summary>Closes it, after a probe or by an operator.</summary>
    public static CircuitStep Close(in CircuitState state, TimeSpan now, string reason) => state.Position == CircuitPosition.Closed
        ? new CircuitStep(state, null)
        : new CircuitStep(
            new CircuitState { Openings = state.Openings, ClosedAt = now },
            new CircuitChange(state.Position, CircuitPosition.Closed, TimeSpan.Zero, reason));

    static CircuitStep ReportClosed(in CircuitState state, CircuitOptions options, TimeSpan now, CircuitEvidence evidence)
    {
        if (evidence is CircuitEvidence.None or CircuitEvidence.Throttled)
            return new CircuitStep(state, null);
        if (evidence == CircuitEvidence.AccountRefused)
            return Open(state, options, now, account: true, "the account was refused");
        var window = state.Window.Add(now, options.Window, failed: evidence == CircuitEvidence.Failure);
        var counted = state with { Window = window };
        if (window.InARow >= options.Failures)
            return Open(counted, options, now, account: false, $"{window.InARow} failures in a row");
        if (evidence == CircuitEvidence.Failure && window.Results >= 2 * options.Failures && window.Failures * 2 >= window.Results)
            return Open(counted, options, now, account: false, $"{window.Failures} of {window.Results} failed");
        return new CircuitStep(counted, null);
    }

    static CircuitStep Open(in CircuitState state, CircuitOptions options, TimeSpan now, bool account, string reason)
    {
        // Growth is forgotten once it stayed closed for a whole window.
        var again = state.Openings > 0 && (state.Position != CircuitPosition.Closed || now - state.ClosedAt < options.Window);
        var openings = again ? state.Openings + 1 : 1;
        var doubled = (account ? FirstAccountBreak : 1) * Math.Pow(2, Math.Min(openings - 1, 16));
        var span = options.Break * Math.Min(doubled, account ? LongestAccountBreak : LongestBreak);
        var open = new CircuitState { Position = CircuitPosition.Open, Until = now + span, Openings = openings, ClosedAt = state.ClosedAt };
        return new CircuitStep(open, new CircuitChange(state.Position, CircuitPosition.Open, span, reason));
    }
}

/// <summary>Results of the last window, in ten slices of time, so that the window slides by tenths.</summary>
readonly record struct CircuitWindow
{
    const int Slices = 10;

    readonly Counts _counts;
    readonly long _slice; // number of the newest slice since the origin

    CircuitWindow(Counts counts, long slice) => (_counts, _slice) = (counts, slice);

    public int Results => Sum(static slot => slot.Results);
    public int Failures => Sum(static slot => slot.Failures);

    /// <summary>Failures since the last success.</summary>
    public int InARow => Sum(static slot => slot.InARow);

    public CircuitWindow Add(TimeSpan now, TimeSpan window, bool failed)
    {
        var slice = now.Ticks / Math.Max(1, window.Ticks / Slices);
        var counts = _counts;
        // Slices that nothing was added to are stale; after a whole window all are.
        for (var passed = Math.Max(_slice + 1, slice - Slices + 1); passed <= slice; passed++)
            counts[(int)(passed % Slices)] = default;
        ref var slot = ref counts[(int)(Math.Max(slice, _slice) % Slices)];
        slot = new Slot(slot.Results + 1, slot.Failures + (failed ? 1 : 0), slot.InARow + 1);
        if (!failed)
            for (var i = 0; i < Slices; i++)
                counts[i] = counts[i] with { InARow = 0 };
        return new CircuitWindow(counts, Math.Max(slice, _slice));
    }

    int Sum(Func<Slot, int> part)
    {
        var sum = 0;
        for (var i = 0; i < Slices; i++)
            sum += part(_counts[i]);
        return sum;
    }

    /// <summary>What happened in one slice of the window.</summary>
    readonly record struct Slot(int Results, int Failures, int InARow);

    /// <summary>The slices, in place.</summary>
    [InlineArray(Slices)]
    struct Counts { Slot _first; }
}
