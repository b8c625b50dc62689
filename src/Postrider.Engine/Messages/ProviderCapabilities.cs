namespace Postrider.Messages;

/// <summary>What a kind of service can carry; an envelope that needs more is not offered to it.</summary>
public sealed record ProviderCapabilities
{
    /// <summary>Largest message in bytes; null when there is no stated limit.</summary>
    public long? MaxMessageBytes { get; init; }

    /// <summary>Most recipients in one call.</summary>
    public int MaxRecipients { get; init; } = 100;

    /// <summary>Local parts outside ASCII (RFC 6531). An SMTP server may still refuse it at the attempt.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>It recognises a repetition by a key of ours, so an unknown outcome may be retried there at once.</summary>
    public bool Idempotent { get; init; }

    /// <summary>How long an outcome that may have been an acceptance waits for evidence here; null: as the stream asks. HTTP providers: 120 s, their longest timeout.</summary>
    public TimeSpan? Settle { get; init; }
}
