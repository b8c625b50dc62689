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

    /// <summary>Asks the provider whether it has what an attempt left in doubt. Empty: it knows nothing of it, which proves nothing. Null:
    /// it cannot be asked, or not now.</summary>
    ValueTask<IReadOnlyList<FeedbackEvent>?> FindAsync(DoubtfulMessage message, CancellationToken ct) =>
        ValueTask.FromResult<IReadOnlyList<FeedbackEvent>?>(null);

    /// <summary>Connects to where mail would go, as far as is possible without a mail. Null: there is nothing to connect to.</summary>
    ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => ValueTask.FromResult<ProviderLook?>(null);
}

/// <summary>What a provider showed that was connected to, without a mail.</summary>
/// <param name="Unreachable">Why it could not be connected to; null: it could.</param>
/// <param name="Refused">Why it does not let us in; null: it does, or that shows with a mail only.</param>
/// <param name="CertificateEnds">Of its certificate; null: it showed none.</param>
public sealed record ProviderLook(string? Unreachable = null, string? Refused = null, DateTimeOffset? CertificateEnds = null);

/// <summary>A message of which nobody knows whether its provider has it.</summary>
/// <param name="Recipients">Those in doubt, by number. Never empty.</param>
public sealed record DoubtfulMessage(MessageId Message, MailStream Stream, IReadOnlyList<int> Recipients);

/// <summary>What a search at a transport's provider found.</summary>
/// <param name="Vendor">The scheme of the transport.</param>
/// <param name="Transport">Its key.</param>
public sealed record FoundAtTransport(string Vendor, string Transport, IReadOnlyList<FeedbackEvent> Events);

/// <summary>Makes the providers of one kind; found by the scheme of a transport's DSN.</summary>
public interface IProviderFactory
{
    /// <summary>Lower-case DSN scheme: <c>smtp</c>, <c>ses</c>.</summary>
    string Scheme { get; }

    /// <summary>The options of its own that a DSN may carry, lower case, beside those common to all transports. Any other is refused before
    /// <see cref="Check"/> is asked.</summary>
    IReadOnlyCollection<string> OptionNames { get; }

    /// <summary>Faults of the settings in words that name the option, or an empty list. Called at start and by <c>config check</c>; touches
    /// no network.</summary>
    IReadOnlyList<string> Check(TransportSettings settings);

    IProvider Create(TransportSettings settings);
}

/// <summary>An envelope on its way to a provider.</summary>
public sealed record OutgoingEnvelope
{
    public required MessageId Message { get; init; }
    public required TenantId Tenant { get; init; }

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

    /// <summary>Asked just before the last byte leaves, where there is no commit point; false means send nothing. Never waits. Null: there
    /// is nothing to ask.</summary>
    public Func<bool>? MaySend { get; init; }

    /// <summary>Called whenever a piece of a content that goes in several has been handed over: an upload that takes its time is no server
    /// that does not answer. Never waits. Null: nobody listens.</summary>
    public Action? Moved { get; init; }

    /// <summary>The one of both that is asked, where asking costs nothing.</summary>
    public Func<CancellationToken, ValueTask<bool>>? LastLeave =>
        CommitPoint ?? (MaySend is { } may ? _ => ValueTask.FromResult(may()) : null);

    /// <summary>The key given to vendors that recognise repetitions.</summary>
    public string IdempotencyValue(MessageRecipient recipient) => $"pr-{new RecipientId(Message, recipient.N)}-{Generation}";
}
