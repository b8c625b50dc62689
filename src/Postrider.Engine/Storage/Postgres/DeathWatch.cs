namespace Postrider.Storage.Postgres;

/// <summary>A node as another one sees it: nothing but its number of beats counts, no clock of its own or of the server.</summary>
readonly record struct SeenNode(int Id, long Incarnation, long Beat);

/// <summary>Decides which nodes are dead from beats that do not move, by this node's monotonic clock alone. Not thread-safe.</summary>
/// <remarks>Every node watches every other: a leader that froze would keep its place, and nobody would sweep. A verdict is a comparison in
/// the database, so that many watchers are no danger.</remarks>
sealed class DeathWatch(TimeProvider clock)
{
    public static readonly TimeSpan StillFor = TimeSpan.FromSeconds(20);

    /// <summary>Good looks of our own in that time: who could not look saw nothing stand still.</summary>
    public const int LooksNeeded = 5;

    /// <summary>Between two looks. A longer gap is our own sleep, and what went on meanwhile is not known.</summary>
    static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(10);

    sealed record Watched(SeenNode Node, long Since, int Looks);

    readonly Dictionary<int, Watched> _watched = [];
    long? _lastLook;

    /// <summary>Called with each good look at the nodes that are alive, this one left out. Returns those that are dead.</summary>
    public IReadOnlyList<SeenNode> Look(IReadOnlyList<SeenNode> alive)
    {
        var now = clock.GetTimestamp();
        if (_lastLook is { } last && clock.GetElapsedTime(last, now) > LongestGap)
            _watched.Clear();
        _lastLook = now;
        foreach (var gone in _watched.Keys.Except(alive.Select(n => n.Id)).ToList())
            _watched.Remove(gone);
        var dead = new List<SeenNode>();
        foreach (var node in alive)
        {
            var watched = _watched.TryGetValue(node.Id, out var earlier) && earlier.Node == node
                ? earlier with { Looks = earlier.Looks + 1 }
                : new Watched(node, now, 0);
            _watched[node.Id] = watched;
            if (watched.Looks >= LooksNeeded && clock.GetElapsedTime(watched.Since, now) >= StillFor)
                dead.Add(node);
        }
        return dead;
    }

    /// <summary>A look failed: what stood still while we could not see does not count.</summary>
    public void Missed() => _watched.Clear();
}
