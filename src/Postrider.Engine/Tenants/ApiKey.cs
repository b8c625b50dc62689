using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>What a credential may do. Each is given by itself: <see cref="Admin"/> does not include the others. The numbers are
/// stored.</summary>
[Flags]
public enum Scopes : byte
{
    None = 0,
    /// <summary>Hand over messages.</summary>
    Send = 1,
    /// <summary>Read messages, events, states.</summary>
    Read = 2,
    /// <summary>Retry, pause, templates, suppressions, the tenant's own transports and routes, and whatever else changes how its mail
    /// goes.</summary>
    Manage = 4,
    /// <summary>Keys, users, the audit, erasures; of the first tenant what all share: tenants, nodes, transports, routes.</summary>
    Admin = 8,
    All = Send | Read | Manage | Admin,
}

/// <summary>How a key is presented. The numbers are stored.</summary>
public enum KeyKind : byte
{
    /// <summary>Its secret is sent; only a hash of it is stored.</summary>
    Bearer = 0,
    /// <summary>Its secret signs requests (AWS Signature Version 4), so it is stored encrypted: a hash cannot check a signature.</summary>
    SigV4 = 1,
}

/// <summary>A key as people see it: everything but the secret.</summary>
public sealed record ApiKey
{
    /// <summary>The part of the key that is no secret: between <c>pr_</c> and the next underscore, or the access key id.</summary>
    public required string Id { get; init; }
    public required TenantId Tenant { get; init; }

    /// <summary>For people; need not be unique.</summary>
    public required string Name { get; init; }
    public required KeyKind Kind { get; init; }
    public required Scopes Scopes { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Null: not revoked.</summary>
    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>Late by up to half a minute; null when it was never used.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    public bool IsUsableAt(DateTimeOffset now) => RevokedAt is null && (ExpiresAt is not { } expires || now < expires);
}

/// <summary>A key just made.</summary>
/// <param name="Secret">The whole of what the caller presents (for SigV4: the secret access key). Shown once and not stored.</param>
public sealed record NewApiKey(ApiKey Key, string Secret);

/// <summary>A key as it is stored.</summary>
/// <param name="SecretHash">SHA-256 of the presented text; empty for SigV4.</param>
/// <param name="SealedSecret">The secret under <see cref="Sealer"/>; empty for bearer keys.</param>
public sealed record StoredKey(ApiKey Key, ReadOnlyMemory<byte> SecretHash, ReadOnlyMemory<byte> SealedSecret);

/// <summary>When a key was last used.</summary>
public readonly record struct KeyUse(string Id, DateTimeOffset At);

/// <summary>Keeps tenants' keys, and the proof that the master key is the right one. Each write is on disk when its task
/// completes.</summary>
/// <remarks>Every call throws <see cref="StoreUnavailableException"/> when the storage cannot be reached.</remarks>
public interface IKeyStore
{
    /// <summary>Null when there is none. Not filtered by tenant: this is where the tenant comes from.</summary>
    Task<StoredKey?> FindAsync(string id, CancellationToken ct);

    /// <summary>Newest first; the revoked and the expired too.</summary>
    Task<IReadOnlyList<ApiKey>> ListAsync(TenantId tenant, CancellationToken ct);

    /// <summary>False when the id is taken; nothing changes then.</summary>
    Task<bool> AddAsync(StoredKey key, CancellationToken ct);

    /// <summary>Puts another hash in place of a key's, so that the old secret is worth nothing; a revocation stays. False when there is no
    /// such key.</summary>
    Task<bool> ReplaceHashAsync(string id, ReadOnlyMemory<byte> secretHash, CancellationToken ct);

    /// <summary>False when the key is absent or another tenant's. A second revocation keeps the first instant.</summary>
    Task<bool> RevokeAsync(TenantId tenant, string id, DateTimeOffset at, CancellationToken ct);

    /// <summary>Only ever moves <see cref="ApiKey.LastUsedAt"/> forward.</summary>
    Task RecordUsesAsync(IReadOnlyList<KeyUse> uses, CancellationToken ct);

    /// <summary>Whether any key was ever made.</summary>
    Task<bool> AnyAsync(CancellationToken ct);

    /// <summary>Stores a text sealed under the master key unless there is one already; returns the one that is stored.</summary>
    Task<ReadOnlyMemory<byte>> GetOrAddCanaryAsync(ReadOnlyMemory<byte> canary, CancellationToken ct);
}
