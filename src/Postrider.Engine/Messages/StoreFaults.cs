namespace Postrider.Messages;

/// <summary>The store has stopped (I/O error, corruption) or cannot be reached. Nothing was stored,
/// unless <see cref="MayHaveCommitted"/>.</summary>
public sealed class StoreUnavailableException(string message, Exception? inner = null, bool mayHaveCommitted = false)
    : Exception(message, inner)
{
    public bool MayHaveCommitted { get; } = mayHaveCommitted;

    /// <summary>It does not come back while this process lives: what waits for it waits for nothing.</summary>
    public bool IsForGood { get; init; }
}

/// <summary>Too little free disk to accept: nothing was stored. Leasing stops too,
/// because an outcome that cannot be recorded is a duplicate.</summary>
public sealed class StorageLowException(string message) : Exception(message);
