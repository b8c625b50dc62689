using Postrider.Messages;

namespace Postrider.Providers.Capture;

/// <summary>Keeps captured mail so that people can look at it: <c>GET /inbox</c>, the dashboard.</summary>
public interface IInbox
{
    /// <summary>On disk when the task completes; returns the mail's id, ascending.
    /// Of all tenants together only the newest <paramref name="keep"/> stay.</summary>
    Task<long> AddAsync(NewCapturedMail mail, int keep, CancellationToken ct);

    /// <summary>Newest first, without the bytes.</summary>
    Task<IReadOnlyList<CapturedMail>> ListAsync(TenantId tenant, InboxFilter filter, CancellationToken ct);

    /// <summary>Null: absent, or another tenant's (the caller must not be able to tell).</summary>
    Task<CapturedMail?> GetAsync(TenantId tenant, long id, CancellationToken ct);

    /// <summary>Empties a tenant's inbox; returns how many there were.</summary>
    Task<int> ClearAsync(TenantId tenant, CancellationToken ct);
}

/// <summary>A mail that would have left.</summary>
public sealed record NewCapturedMail
{
    public required TenantId Tenant { get; init; }
    public required MessageId Message { get; init; }
    public required string Transport { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>MAIL FROM; null is the empty reverse path.</summary>
    public required string? ReversePath { get; init; }

    /// <summary>RCPT TO: whom this attempt was for, Bcc included.</summary>
    public required IReadOnlyList<string> Recipients { get; init; }

    /// <summary>As in the header, with the name.</summary>
    public required string From { get; init; }
    public required string Subject { get; init; }

    /// <summary>The whole mail as it would have gone over the wire. Lent until the mail is added: whoever keeps it copies it.</summary>
    public required ReadOnlyMemory<byte> Mime { get; init; }
}

/// <summary>A mail in the inbox.</summary>
/// <param name="Mime">Empty in lists.</param>
/// <param name="Bytes">Size of the mail, in lists too.</param>
public sealed record CapturedMail(
    long Id, TenantId Tenant, MessageId Message, string Transport, DateTimeOffset At, string? ReversePath, IReadOnlyList<string> Recipients,
    string From, string Subject, int Bytes, ReadOnlyMemory<byte> Mime);

/// <summary>What a list is asked for; absent members do not filter.</summary>
public sealed record InboxFilter
{
    public MessageId? Message { get; init; }

    /// <summary>A bare address among the envelope's recipients, without regard to case.</summary>
    public string? Recipient { get; init; }

    /// <summary>Only mail before (older than) this one: the cursor.</summary>
    public long? Before { get; init; }

    /// <summary>1 to 100.</summary>
    public int Limit { get; init; } = 20;
}
