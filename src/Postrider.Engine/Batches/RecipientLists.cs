using Postrider.Messages;

namespace Postrider.Batches;

/// <summary>Stored lists, as the API and other entrances change them.</summary>
public sealed class RecipientLists(IListStore lists, MessageIds ids, TimeProvider clock)
{
    const int MaxNameLength = 100;
    const int RemoveAtOnce = 500;

    /// <summary>Exactly one of the two is null.</summary>
    public async Task<(RecipientList? List, Problem? Problem)> AddAsync(TenantId tenant, string name, CancellationToken ct)
    {
        if (Fault(name) is { } fault)
            return (null, fault);
        var id = ids.Next();
        return await lists.AddAsync(id, tenant, name, clock.GetUtcNow()) ? (await lists.FindAsync(tenant, id, ct), null) : (null, Exists);
    }

    public async Task<(RecipientList? List, Problem? Problem)> RenameAsync(
        TenantId tenant, MessageId list, string name, CancellationToken ct)
    {
        if (Fault(name) is { } fault)
            return (null, fault);
        return await lists.RenameAsync(tenant, list, name, clock.GetUtcNow()) switch
        {
            null => (null, LargeBatches.NoSuchList),
            false => (null, Exists),
            true => (await lists.FindAsync(tenant, list, ct), null),
        };
    }

    /// <summary>Null: no such list.</summary>
    public Task<int?> PutAsync(TenantId tenant, MessageId list, IReadOnlyList<StoredDestination> recipients) =>
        lists.PutAsync(tenant, list, recipients, clock.GetUtcNow());

    public Task<bool?> RemoveAsync(TenantId tenant, MessageId list, string email) =>
        lists.RemoveAsync(tenant, list, email, clock.GetUtcNow());

    public Task<bool> DeleteAsync(TenantId tenant, MessageId list) => lists.DeleteAsync(tenant, list, clock.GetUtcNow());

    /// <summary>Takes out all that was there before a number.</summary>
    public async Task RemoveBeforeAsync(TenantId tenant, MessageId list, long before)
    {
        for (long? after = 0; after is { } from;)
            after = await lists.RemoveBetweenAsync(tenant, list, from, before, RemoveAtOnce, clock.GetUtcNow());
    }

    static Problem? Fault(string name) => name.Length is > 0 and <= MaxNameLength && !name.Any(char.IsControl) && name == name.Trim()
        ? null
        : new Problem("invalid-field", 422, "Invalid field", $"A list's name has 1 to {MaxNameLength} characters, without spaces around it.")
        {
            Errors = [new ProblemError("/name", "invalid-field", $"A list's name has 1 to {MaxNameLength} characters.")],
        };

    static readonly Problem Exists = new("list-exists", 409, "List exists", "The tenant has a list of this name.");
}
