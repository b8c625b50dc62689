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
    Task<IReadOnlyList<AuditEntry>> ListAsync(TenantId tenant, AuditFilter filter, long? before, int limit, CancellationToken ct);
}

/// <summary>Which calls; absent members do not filter.</summary>
public sealed record AuditFilter
{
    public string? Key { get; init; }

    /// <summary>Part of method and route, without regard to case.</summary>
    public string? Action { get; init; }

    /// <summary>Those alone that were denied or refused: answered with 400 or more.</summary>
    public bool IsDenied { get; init; }
    public DateTimeOffset? From { get; init; }
    public DateTimeOffset? Until { get; init; }
}
