using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Memory;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>The store in memory as the database of several nodes, which remembers what was written lately.</summary>
sealed class ModelTables : MemoryTables
{
    public SortedDictionary<int, ModelMember> Members { get; } = [];

    /// <summary>By several nodes, which must be members; else by one process at a time, which needs not.</summary>
    public required bool IsShared { get; init; }

    /// <summary>Messages that something of was written since the set was emptied.</summary>
    public HashSet<long> Changed { get; } = [];

    public override void Note(long message) => Changed.Add(message);

    public bool IsAlive(Incarnation node) =>
        Members.TryGetValue(node.Node, out var member) && member.Alive && member.Incarnation == node.Number;

    public override bool IsMember(Incarnation node) => !IsShared || IsAlive(node);

    public override bool IsOrphan(Incarnation of, Incarnation owner) => IsShared ? !IsAlive(of) : base.IsOrphan(of, owner);

    /// <summary>A message in a few words, for people who read a history.</summary>
    public string Describe(long id)
    {
        var recipients = Messages[id].Recipients.Values.Select(r => $"{r.N}:{r.State}{(r.Generation > 0 ? $" again {r.Generation}" : "")}");
        var rows = OfMessage(id).Select(r => $"[{r.N} {r.State} {r.Gate} claim {r.Claim} of {r.Owner?.Node}.{r.Owner?.Number} x{r.Recipients}"
            + $"{(r.Cancelled ? " cancelled" : "")}{(r.PastCommitPoint ? " past commit point" : "")} suspect {r.Suspect}]");
        return $"{new MessageId(id).ToString()[..18]} {string.Join(' ', recipients)} {string.Join(' ', rows)};";
    }
}

/// <summary>A node as the others see it.</summary>
sealed record ModelMember(long Incarnation, long Beat, bool Alive);
