using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>Sends for one transport. What a peer does is an outcome; only bugs throw.</summary>
public interface IProvider : IAsyncDisposable
{
    ProviderCapabilities Capabilities { get; }

    /// <summary>One attempt. Returns one outcome per recipient of the envelope, in its order.
    /// A cancelled token ends the attempt with an outcome too: unreachable when nothing can have been accepted yet, else unknown.</summary>
    ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct);
}

/// <summary>Makes the providers of one kind; found by the scheme of a transport's DSN.</summary>
public interface IProviderFactory
{
    /// <summary>Lower-case DSN scheme: <c>smtp</c>, <c>ses</c>.</summary>
    string Scheme { get; }

    /// <summary>Faults of the settings in words that name the option, or an empty list. Called at start and by <c>config check</c>; touches no network.</summary>
    IReadOnlyList<string> Check(TransportSettings settings);

    IProvider Create(TransportSettings settings);
}

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
}

/// <summary>An envelope on its way to a provider.</summary>
public sealed record OutgoingEnvelope
{
    public required MessageId Message { get; init; }

    /// <summary>MAIL FROM; null is the empty reverse path.</summary>
    public required EmailAddress? ReversePath { get; init; }
    public required MessageContent Content { get; init; }

    /// <summary>Whom this attempt is for.</summary>
    public required IReadOnlyList<MessageRecipient> Recipients { get; init; }

    /// <summary>All recipients of the message: To and Cc are shown to every one of them, Bcc to nobody.</summary>
    public required IReadOnlyList<MessageRecipient> AllRecipients { get; init; }
    public required MailStream Stream { get; init; }

    /// <summary>Constant over tries, new only when an operator sends the message again.</summary>
    public required int Generation { get; init; }

    /// <summary>Policy <c>hold</c>: awaited before the last byte leaves; false means send nothing. Null under <c>retry</c>.</summary>
    public Func<CancellationToken, ValueTask<bool>>? CommitPoint { get; init; }

    /// <summary>The key given to vendors that recognise repetitions.</summary>
    public string IdempotencyValue(MessageRecipient recipient) => $"pr-{new RecipientId(Message, recipient.N)}-{Generation}";
}
