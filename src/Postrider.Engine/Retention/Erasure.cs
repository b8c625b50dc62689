using Postrider.Messages;

namespace Postrider.Retention;

/// <summary>Where an erasure is. The numbers are stored.</summary>
public enum ErasureState : byte { Running = 0, Done = 1 }

/// <summary>An order to forget a person, known by an address, in all that a tenant has stored. Worked off a piece at a time by whichever
/// node comes first, until nothing is left of the address; then the order forgets it too.</summary>
public sealed record Erasure
{
    public long Id { get; init; }
    public required TenantId Tenant { get; init; }

    /// <summary>In the form in which two spellings meet; null once it is done.</summary>
    public required string? Address { get; init; }

    /// <summary>What stands in its place: an address that nobody has, made of a keyed hash.</summary>
    public required string Pseudonym { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The id of the key that ordered it.</summary>
    public required string CreatedBy { get; init; }
    public ErasureState State { get; init; }

    /// <summary>Messages that lost their body and the address.</summary>
    public long Messages { get; init; }

    /// <summary>Other rows that were changed or deleted: of lists, webhooks, the inbox, the audit and so on.</summary>
    public long Rows { get; init; }

    /// <summary>Messages to others too, and of the person's own, that are still open; they are erased when they have ended.</summary>
    public long Waiting { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Which turn it is: whoever has an older one may not write.</summary>
    public long Revision { get; init; }

    /// <summary>How far all but messages was looked through.</summary>
    public ErasureCursor Cursor { get; init; }
}

/// <summary>How far the tables outside messages were looked through for a person.</summary>
/// <param name="Place">The number of the table.</param>
/// <param name="After">The row in it; empty: its beginning.</param>
/// <param name="Open">Mail of the person's own that was passed on this look because it had not ended.</param>
public readonly record struct ErasureCursor(int Place, string After, long Open = 0)
{
    public static readonly ErasureCursor Start = new(0, "");
}

/// <summary>What a piece came to.</summary>
/// <param name="Messages">That the person sent, and that lost their body.</param>
/// <param name="Next">Where to go on; null: all tables were looked through.</param>
public readonly record struct ErasedPiece(long Rows, long Messages, ErasureCursor? Next);

/// <summary>What a turn came to.</summary>
public readonly record struct ErasureTurn(long Messages, long Rows, long Waiting, ErasureCursor Cursor);

/// <summary>What became of a message of a person's.</summary>
public enum ErasedMessage { Erased, Open, Absent }

/// <summary>Keeps orders to erase, and erases.</summary>
public interface IErasureStore
{
    /// <summary>Running orders of one tenant.</summary>
    const int MostRunning = 1_000;

    /// <summary>The order that runs for this address, if there is one. Null: the tenant has <see cref="MostRunning"/>.</summary>
    /// <param name="address">As <see cref="Erasure.Address"/>.</param>
    Task<Erasure?> AddAsync(TenantId tenant, string address, string createdBy, DateTimeOffset now);
    Task<Erasure?> FindAsync(TenantId tenant, long id, CancellationToken ct);

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<Erasure>> ListAsync(TenantId tenant, long? before, int limit, CancellationToken ct);

    /// <summary>Takes a running order that no node works on until <paramref name="until"/>; null: there is none.</summary>
    Task<Erasure?> TakeAsync(DateTimeOffset now, DateTimeOffset until);

    /// <summary>Notes what was done, unless the turn was lost. <paramref name="next"/>: when any node may go on; null: it is done.</summary>
    Task EndTurnAsync(Erasure erasure, ErasureTurn done, DateTimeOffset now, DateTimeOffset? next);

    /// <summary>Takes body and address out of a message that has ended, its timeline and its dead letters, in one transaction.</summary>
    Task<ErasedMessage> EraseMessageAsync(Erasure erasure, MessageId message);

    /// <summary>A piece of all else but what is kept.</summary>
    Task<ErasedPiece> EraseRestAsync(Erasure erasure, ErasureCursor at, CancellationToken ct);

    /// <summary>Takes the address out of suppressions, which stay. Returns how many rows.</summary>
    /// <param name="isLast">No message of the person is left: it need not be found any more.</param>
    Task<long> EraseKeptAsync(Erasure erasure, bool isLast, CancellationToken ct);
}
