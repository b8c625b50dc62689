using Postrider.Messages;

namespace Postrider.Delivery;

/// <summary>One look at what is due of a stream: who wants the same has it by weight, who wants something else takes plain turns.</summary>
/// <remarks>A group that gets no permit is left out for the rest of the round: what it waits for keeps nobody else. Guarded by the book's
/// lock.</remarks>
sealed class DueRound(MailStream stream)
{
    readonly List<DueGroup> _groups = [];
    readonly Dictionary<Line, PriorityQueue<DueGroup, TurnAt>> _lines = [];
    readonly PriorityQueue<PriorityQueue<DueGroup, TurnAt>, (long ServedAt, int Place)> _next = new();

    public MailStream Stream => stream;

    /// <summary>All that began it.</summary>
    public IReadOnlyList<DueGroup> Groups => _groups;

    internal void Add(DueGroup group)
    {
        _groups.Add(group);
        Enqueue(group);
    }

    internal DueGroup? Next()
    {
        if (!_next.TryPeek(out var line, out _))
            return null;
        var group = line.Dequeue();
        if (line.Count == 0)
            _next.Dequeue();
        return group;
    }

    /// <param name="servedAt">Greater than any before: its line comes behind the others.</param>
    internal void Return(DueGroup group, long servedAt)
    {
        var line = group.Rotation.Line;
        line.ServedAt = servedAt;
        if (_lines.TryGetValue(line, out var waiting) && waiting.Count > 0)
        {
            _next.Remove(waiting, out _, out _);
            _next.Enqueue(waiting, (servedAt, _lines.Count));
        }
        Enqueue(group);
    }

    void Enqueue(DueGroup group)
    {
        if (group.Rotation.Next is not { } turn)
            return;
        var line = group.Rotation.Line;
        if (!_lines.TryGetValue(line, out var waiting))
            _lines[line] = waiting = new PriorityQueue<DueGroup, TurnAt>();
        if (waiting.Count == 0)
            _next.Enqueue(waiting, (line.ServedAt, _lines.Count));
        waiting.Enqueue(group, turn);
    }
}
