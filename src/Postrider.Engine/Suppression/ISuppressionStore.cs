using Postrider.Messages;

namespace Postrider.Suppression;

/// <summary>The suppression list as people and programs keep it. Mail is tested against it where it is accepted, leased and, under
/// <c>hold</c>, committed, each time in the same transaction.</summary>
public interface ISuppressionStore
{
    /// <summary>Puts addresses on the list, at most some hundred at once. One that is there for as long, or longer, stays as it
    /// is.</summary>
    /// <param name="addresses">Each with its address.</param>
    /// <returns>How many were added or made to last longer.</returns>
    Task<int> AddAsync(TenantId tenant, IReadOnlyList<SuppressedAddress> addresses);

    /// <summary>Takes an address off the list.</summary>
    /// <param name="stream">Only what holds for this stream alone; null: all that the list has of the address.</param>
    /// <returns>How many rows went.</returns>
    Task<int> RemoveAsync(TenantId tenant, string email, MailStream? stream);

    /// <summary>What the list has of one address, what is over included.</summary>
    Task<IReadOnlyList<SuppressedAddress>> FindAsync(TenantId tenant, string email, CancellationToken ct);

    /// <summary>Newest first.</summary>
    Task<SuppressionPage> ListAsync(
        TenantId tenant, SuppressionCause? cause, SuppressionPlace? after, int limit, CancellationToken ct);
}
