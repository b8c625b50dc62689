using Postrider.Messages;

namespace Postrider.Batches;

/// <summary>A stored list of recipients.</summary>
/// <param name="Name">Null: it belongs to something else, a schedule for example, and is not listed.</param>
/// <param name="Count">Recipients now.</param>
public sealed record RecipientList(MessageId Id, TenantId Tenant, string? Name, int Count, DateTimeOffset UpdatedAt)
{
    public DateTimeOffset CreatedAt => Id.At;
}

/// <summary>Stored lists. A batch that reads a list goes on with the recipients that it had when the batch began.</summary>
public interface IListStore
{
    /// <summary>False: the tenant has one of this name.</summary>
    Task<bool> AddAsync(MessageId id, TenantId tenant, string? name, DateTimeOffset at);

    /// <summary>Null: absent, or another tenant's.</summary>
    Task<RecipientList?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct);

    /// <summary>Those with a name, newest first, before an id.</summary>
    Task<IReadOnlyList<RecipientList>> ListAsync(TenantId tenant, MessageId? before, int limit, CancellationToken ct);

    /// <summary>Null: absent, or another tenant's; false: the tenant has one of this name.</summary>
    Task<bool?> RenameAsync(TenantId tenant, MessageId id, string name, DateTimeOffset at);

    /// <summary>Adds recipients, a few hundred at most; one that is there already is replaced with what it has of its own. Null: absent, or
    /// another tenant's. Returns how many are new.</summary>
    Task<int?> PutAsync(TenantId tenant, MessageId list, IReadOnlyList<StoredDestination> recipients, DateTimeOffset at);

    /// <summary>Null: no such list; false: not in it.</summary>
    Task<bool?> RemoveAsync(TenantId tenant, MessageId list, string email, DateTimeOffset at);

    /// <summary>Takes out recipients with numbers between two, at most so many. Returns the number to go on behind; null: none was left, or
    /// there is no such list.</summary>
    Task<long?> RemoveBetweenAsync(TenantId tenant, MessageId list, long after, long before, int limit, DateTimeOffset at);

    /// <summary>The number that the next recipient gets; null: no such list.</summary>
    Task<long?> NextAsync(TenantId tenant, MessageId list, CancellationToken ct);

    /// <summary>Its recipients behind a number, fewer than the limit where their data is long, none at the end; null: no such
    /// list.</summary>
    Task<IReadOnlyList<StoredDestination>?> ReadAsync(TenantId tenant, MessageId list, long after, int limit, CancellationToken ct);

    /// <summary>False: absent, or another tenant's. Batches that read it go on.</summary>
    Task<bool> DeleteAsync(TenantId tenant, MessageId list, DateTimeOffset at);
}
