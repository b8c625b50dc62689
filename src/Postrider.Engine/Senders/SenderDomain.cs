using Postrider.Messages;

namespace Postrider.Senders;

/// <summary>A domain that a tenant sends from, with the keys that sign for it. The names of others' domains may be written down too: what
/// counts is <see cref="VerifiedAt"/>.</summary>
public sealed record SenderDomain
{
    public required TenantId Tenant { get; init; }

    /// <summary>In A-labels, lower case.</summary>
    public required string Name { get; init; }

    /// <summary>Names below it are signed for and verified with it.</summary>
    public bool Subdomains { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Since when the DNS has shown that the tenant rules it: a key of ours, which nobody else could know, was found under it.
    /// Null: it has not, or no longer does.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>What the DNS said when last asked; null before that.</summary>
    public DomainChecks? Checks { get; init; }

    /// <summary>In the order they were made.</summary>
    public IReadOnlyList<SenderKey> Keys { get; init; } = [];

    /// <summary>The one that signs: of the active ones the newest. Null: mail is not signed.</summary>
    public SenderKey? Signing => Keys.Where(key => key.ActiveAt is not null).MaxBy(key => key.ActiveAt);
}

/// <summary>A DKIM key of a domain. The private half is only ever here as it was sealed.</summary>
public sealed record SenderKey
{
    public required string Selector { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Since when it may sign; null while its record has not been seen in the DNS.</summary>
    public DateTimeOffset? ActiveAt { get; init; }

    /// <summary>DER of SubjectPublicKeyInfo.</summary>
    public required ReadOnlyMemory<byte> PublicKey { get; init; }

    /// <summary>The PKCS #8 of the private key under the <see cref="Tenants.Sealer"/>.</summary>
    public required ReadOnlyMemory<byte> SealedPrivateKey { get; init; }
}

/// <summary>What is looked for in the DNS.</summary>
public enum DnsCheckKind : byte
{
    /// <summary>The record of one of our keys.</summary>
    Dkim,
    /// <summary>That there is one policy who may send (RFC 7208).</summary>
    Spf,
    /// <summary>That there is one policy what to do with forgeries, here or above (RFC 7489).</summary>
    Dmarc,
    /// <summary>That reports to our bounce domain reach somebody.</summary>
    BounceMx,
    /// <summary>That there is one policy who may send with return paths at our bounce domain.</summary>
    BounceSpf,
}

/// <summary>What was found.</summary>
public enum DnsCheckState : byte
{
    Ok,
    /// <summary>A definite no.</summary>
    Missing,
    /// <summary>There is something else.</summary>
    Wrong,
    /// <summary>Nobody could say; it proves nothing.</summary>
    Unknown,
}

/// <summary>One look at the DNS.</summary>
/// <param name="Name">Where it looked.</param>
/// <param name="Detail">What there is, or what is to be done, in words.</param>
public sealed record DnsCheck(DnsCheckKind Kind, string Name, DnsCheckState State, string Detail);

/// <summary>All looks of one moment.</summary>
public sealed record DomainChecks(DateTimeOffset At, IReadOnlyList<DnsCheck> Items);

/// <summary>Keeps sender domains. A domain with its keys is read and written as one.</summary>
/// <remarks>Each write is on disk when its task completes. Every call throws <see cref="StoreUnavailableException"/> when the storage
/// cannot be reached.</remarks>
public interface ISenderStore
{
    /// <summary>Those of all tenants.</summary>
    Task<IReadOnlyList<StoredSenderDomain>> LoadAsync(CancellationToken ct);

    /// <summary>As it is now; null when it is not there.</summary>
    Task<StoredSenderDomain?> FindAsync(TenantId tenant, string name, CancellationToken ct);

    /// <summary>False when the tenant has it already; nothing changes then.</summary>
    Task<bool> AddAsync(SenderDomain domain, CancellationToken ct);

    /// <summary>Replaces the domain and its keys, and counts its revision up. False when somebody else has changed or removed it
    /// since.</summary>
    /// <remarks>Nor is a domain verified for a tenant while it is for another.</remarks>
    Task<bool> ReplaceAsync(StoredSenderDomain domain, CancellationToken ct);

    /// <summary>With its keys. False when it is not there.</summary>
    Task<bool> RemoveAsync(TenantId tenant, string name, CancellationToken ct);
}

/// <summary>A domain as it is stored.</summary>
/// <param name="Revision">0 when it is added; of what was read, tested when it is replaced.</param>
public sealed record StoredSenderDomain(SenderDomain Domain, long Revision);
