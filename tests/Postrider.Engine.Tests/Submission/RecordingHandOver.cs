using System.Collections.Concurrent;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Submission;

/// <summary>The dispatcher's side of a hand-over: gives permits, and keeps what became of them.</summary>
sealed class RecordingHandOver : IHandOver
{
    public static readonly Incarnation Owner = new(1, 77);
    int _reserved;

    /// <summary>Permits left to give.</summary>
    public int Permits { get; set; }

    public ConcurrentQueue<Lease> Started { get; } = [];
    public ConcurrentQueue<(QueueKey Key, DateTimeOffset DueAt)> Signals { get; } = [];
    public int Returned;

    /// <summary>Permits that were neither started nor returned.</summary>
    public int Owed => _reserved - Started.Count - Returned;

    public IHandOverPermit? TryReserve(QueueKey key, NewMessage message, MessageContent content)
    {
        if (Permits == 0)
            return null;
        Permits--;
        _reserved++;
        return new Permit(this);
    }

    public void Signal(QueueKey key, DateTimeOffset dueAt) => Signals.Enqueue((key, dueAt));

    sealed class Permit(RecordingHandOver handOver) : IHandOverPermit
    {
        public Incarnation Owner => RecordingHandOver.Owner;
        public void Start(Lease lease) => handOver.Started.Enqueue(lease);
        public void Return() => Interlocked.Increment(ref handOver.Returned);
    }
}
