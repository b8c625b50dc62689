using Postrider.Messages;

namespace Postrider.Delivery;

/// <summary>When a key has its turn: the one with the lowest <paramref name="Pass"/>, among equals the one that came first.</summary>
readonly record struct TurnAt(long Pass, long Order) : IComparable<TurnAt>
{
    public int CompareTo(TurnAt other) => (Pass, Order).CompareTo((other.Pass, other.Order));
}

/// <summary>Tenants that want the same permits, and how far each has come: stride scheduling (Waldspurger and Weihl, 1995). Each permit
/// moves a tenant on by a step that is the shorter the greater its weight, and who is behind all others has the next turn.</summary>
/// <remarks>
/// A key that had no work gets no credit for that time, else who was quiet for an hour would have the line to itself. What it loses while
/// a lease of it is under way it may catch up, up to <see cref="MostBehind"/>, else who has few permits at a time would never get its
/// share. A tenant counts once, however many of its routes lead here. Not thread-safe: guarded by the lock of the book.
/// </remarks>
sealed class Line
{
    /// <summary>The step of weight 1. Divided by weights up to 1,000 it stays exact to a thousandth.</summary>
    internal const long Step = 1 << 20;

    /// <summary>Permits of weight 1 that a key may be behind the others and catch up.</summary>
    const long MostBehind = 16 * Step;

    readonly Dictionary<TenantId, long> _passes = [];

    long _pass;    // of the last turn: where the line has come to
    long _order;   // counts the places given

    /// <summary>When it was served last, counted by the book: lines whose tenants want different things take plain turns.</summary>
    public long ServedAt { get; set; }

    /// <summary>The next place of a key that has work.</summary>
    /// <param name="wasIdle">It had none before, or comes from another line: it comes in where the others are.</param>
    public TurnAt Enter(TenantId tenant, bool wasIdle)
    {
        var own = _passes.GetValueOrDefault(tenant, _pass);
        return At(tenant, Math.Max(own, wasIdle ? _pass : _pass - MostBehind));
    }

    /// <summary>The next place of a key that has had a permit.</summary>
    public TurnAt After(TenantId tenant, int weight)
    {
        var own = Math.Max(_passes.GetValueOrDefault(tenant, _pass), _pass - MostBehind);
        return At(tenant, own + Step / Math.Max(1, weight));
    }

    /// <summary>A key has its turn.</summary>
    public void Reach(TurnAt turn) => _pass = Math.Max(_pass, turn.Pass);

    TurnAt At(TenantId tenant, long pass)
    {
        _passes[tenant] = pass;
        return new TurnAt(pass, ++_order);
    }
}

/// <summary>The keys of one group that have work, by their places in the line that the group stands in. Not thread-safe: guarded by the
/// lock of the book.</summary>
sealed class Rotation
{
    readonly SortedSet<DueKeyState> _ready = new(Comparer<DueKeyState>.Create(static (a, b) => a.Turn.CompareTo(b.Turn)));

    /// <summary>Of its own until it is seen to want the same as others: <see cref="MoveTo"/>.</summary>
    public Line Line { get; private set; } = new();

    public bool Any => _ready.Count > 0;

    /// <summary>The turn of the key that is next; null: none waits.</summary>
    public TurnAt? Next => _ready.Min?.Turn;

    /// <summary>Puts a key in that has work.</summary>
    /// <param name="wasIdle">It had none before: it comes in where the others are.</param>
    public void Add(DueKeyState state, bool wasIdle) => Put(state, Line.Enter(state.Key.Tenant, wasIdle));

    /// <summary>Takes the key whose turn it is; null: none waits.</summary>
    public DueKeyState? Take()
    {
        if (_ready.Min is not { } next)
            return null;
        Remove(next);
        Line.Reach(next.Turn);
        return next;
    }

    /// <summary>Gives a key that comes from another rotation its place in this one, where the others are: the turns of both have nothing
    /// to do with each other. It is put in with <see cref="PutBack"/>.</summary>
    public void Join(DueKeyState state) => state.Turn = Line.Enter(state.Key.Tenant, wasIdle: true);

    /// <summary>It has had a permit.</summary>
    public void Pass(DueKeyState state, int weight) => Put(state, Line.After(state.Key.Tenant, weight));

    /// <summary>It could not have its turn, and is the next still.</summary>
    public void PutBack(DueKeyState state)
    {
        state.IsReady = true;
        _ready.Add(state);
    }

    public void Remove(DueKeyState state)
    {
        if (state.IsReady)
            _ready.Remove(state);
        state.IsReady = false;
    }

    /// <summary>All of it waits for what the others of that line want; its keys keep their order among themselves.</summary>
    public void MoveTo(Line line)
    {
        if (line == Line)
            return;
        Line = line;
        DueKeyState[] ready = [.. _ready];
        _ready.Clear();
        foreach (var state in ready)
            Put(state, line.Enter(state.Key.Tenant, wasIdle: false));
    }

    void Put(DueKeyState state, TurnAt turn)
    {
        state.Turn = turn;
        state.IsReady = true;
        _ready.Add(state);
    }
}
