using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>How a submission skips the lease: permits reserved before the commit, the envelope goes to its lane from memory after
/// it.</summary>
/// <remarks>Implemented by the dispatcher of a node with the worker role, and by <see cref="NoHandOver"/> where there is none.</remarks>
public interface IHandOver
{
    /// <summary>Null: go through the queue (no permit now, or due work of the same key is ahead, or this node does not deliver).</summary>
    IHandOverPermit? TryReserve(QueueKey key, NewMessage message, MessageContent content);

    /// <summary>Says that a commit added due work to a key, so that the dispatcher need not poll.</summary>
    void Signal(QueueKey key, DateTimeOffset dueAt);
}

/// <summary>A permit of a transport, held from before the commit until the attempt is recorded.</summary>
public interface IHandOverPermit
{
    Incarnation Owner { get; }

    /// <summary>The commit is on disk: attempt it.</summary>
    void Start(Lease lease);

    /// <summary>The commit failed or was a replay: give the permit back.</summary>
    void Return();
}

/// <summary>Nothing is handed over: a node without the worker role.</summary>
public sealed class NoHandOver : IHandOver
{
    public IHandOverPermit? TryReserve(QueueKey key, NewMessage message, MessageContent content) => null;
    public void Signal(QueueKey key, DateTimeOffset dueAt) { }
}
