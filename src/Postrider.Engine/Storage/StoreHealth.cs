using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Whether the storage can still be trusted: a latch that closes once, at the first I/O error or sign of corruption, and never
/// opens again.</summary>
/// <remarks>A failed fsync must not be repeated: the kernel may have dropped the pages and report success the second time. Only a new
/// start,
/// which reads back what really is on disk, can go on.</remarks>
public sealed class StoreHealth : IDisposable
{
    readonly CancellationTokenSource _failed = new();
    Exception? _fault;

    /// <summary>Null while all is well.</summary>
    public Exception? Fault => Volatile.Read(ref _fault);

    /// <summary>Fires once, on the thread pool: the host stops with an exit code other than 0.</summary>
    public CancellationToken Failed => _failed.Token;

    /// <summary>Throws when the store has stopped.</summary>
    public void ThrowIfFailed()
    {
        if (Fault is { } fault)
            throw Unavailable(fault, mayHaveCommitted: false);
    }

    internal static StoreUnavailableException Unavailable(Exception fault, bool mayHaveCommitted) =>
        new($"The storage has failed and the store has stopped ({fault.Message}). "
            + "Check the disk, then start again: the start reads back what is stored.", fault, mayHaveCommitted)
        { IsForGood = true };

    internal void Fail(Exception fault)
    {
        if (Interlocked.CompareExchange(ref _fault, fault, null) is null)
            ThreadPool.UnsafeQueueUserWorkItem(static failed => failed.Cancel(), _failed, preferLocal: false);
    }

    public void Dispose() => _failed.Dispose();
}
