using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>A management call: who asked for what, when, and what came of it.</summary>
/// <param name="Id">Counts up; 0 before it is stored.</param>
/// <param name="Key">The id of the key, or of the one that the token was made for.</param>
/// <param name="Action">Method and route: <c>DELETE /keys/{id}</c>.</param>
/// <param name="Target">The path as it was called, without the query: never a body, never a secret.</param>
/// <param name="Status">The answer's; 403 is a call that was denied.</param>
/// <param name="Address">Where the call came from; null where that is not known.</param>
public sealed record AuditEntry(
    long Id, DateTimeOffset At, TenantId Tenant, string Key, string Action, string Target, int Status, string? Address);

/// <summary>Keeps what was asked for; nothing of it is ever changed.</summary>
public interface IAuditStore
{
    /// <summary>On disk when the task completes.</summary>
    Task AddAsync(AuditEntry entry);

    /// <summary>Newest first; only those before <paramref name="before"/>.</summary>
    Task<IReadOnlyList<AuditEntry>> ListAsync(TenantId tenant, long? before, int limit, CancellationToken ct);
}
