namespace Postrider.Delivery;

/// <summary>When a key has its turn: the one with the lowest <paramref name="Pass"/>, among equals the one that came first.</summary>
readonly record struct TurnAt(long Pass, long Order);

/// <summary>Whose turn it is among tenants that want the same permits: stride scheduling (Waldspurger and Weihl, 1995). Each permit moves
/// a key on by a step that is the shorter the greater its weight, and the key that is behind all others has the next turn.</summary>
/// <remarks>
/// A key that had no work gets no credit for that time, else who was quiet for an hour would have the line to itself. What it loses while
/// a lease of it is under way it may catch up, up to <see cref="MostBehind"/>, else who has few permits at a time would never get its
/// share. Not thread-safe: guarded by the lock of the book.
/// </remarks>
sealed class Rotation
{
    /// <summary>The step of weight 1. Divided by weights up to 1,000 it stays exact to a thousandth.</summary>
    internal const long Step = 1 << 20;

    /// <summary>Permits of weight 1 that a key may be behind the others and catch up.</summary>
    const long MostBehind = 16 * Step;

    readonly SortedSet<DueKeyState> _ready = new(Comparer<DueKeyState>.Create(static (a, b) =>
        (a.Turn.Pass, a.Turn.Order).CompareTo((b.Turn.Pass, b.Turn.Order))));

    long _pass;    // of the last turn: where the rotation has come to
    long _order;   // counts those that were put in

    public bool Any => _ready.Count > 0;

    /// <summary>Puts a key in that has work.</summary>
    /// <param name="wasIdle">It had none before: it comes in where the others are.</param>
    public void Add(DueKeyState state, bool wasIdle) => Put(state, Math.Max(state.Turn.Pass, wasIdle ? _pass : _pass - MostBehind));

    /// <summary>Takes the key whose turn it is; null: none waits.</summary>
    public DueKeyState? Take()
    {
        if (_ready.Min is not { } next)
            return null;
        Remove(next);
        _pass = Math.Max(_pass, next.Turn.Pass);
        return next;
    }

    /// <summary>Gives a key that comes from another rotation its place in this one, where the others are: the turns of both have nothing
    /// to do with each other. It is put in with <see cref="PutBack"/>.</summary>
    public void Join(DueKeyState state) => state.Turn = new TurnAt(_pass, ++_order);

    /// <summary>It has had a permit.</summary>
    public void Pass(DueKeyState state, int weight) => Put(state, state.Turn.Pass + Step / Math.Max(1, weight));

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

    void Put(DueKeyState state, long pass)
    {
        state.Turn = new TurnAt(pass, ++_order);
        state.IsReady = true;
        _ready.Add(state);
    }
}
