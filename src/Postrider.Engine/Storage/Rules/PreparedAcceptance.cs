using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>An acceptance turned into the bytes of its rows by the caller's thread, so that the writer only binds them.</summary>
sealed class PreparedAcceptance : IDisposable
{
    public PreparedAcceptance(Acceptance acceptance)
    {
        Tenant = acceptance.Tenant.Value;
        Idempotency = acceptance.Idempotency;
        Batch = acceptance.Batch is { } batch ? Prepare(batch) : null;
        Messages = new PreparedMessage[acceptance.Messages.Count];
        for (var i = 0; i < Messages.Length; i++)
            Messages[i] = Prepare(acceptance.Messages[i]);
        StoredBytes = (Batch?.Content?.Length ?? 0) + Messages.Sum(static message => (long)(message.Content?.Length ?? 0));
    }

    public FieldWriter Fields { get; } = new(4096);
    public int Tenant { get; }
    public PreparedBatch? Batch { get; }
    public PreparedMessage[] Messages { get; }
    public IdempotencyClaim? Idempotency { get; }

    /// <summary>Contents: nearly all that the rows take.</summary>
    public long StoredBytes { get; }

    public void Dispose() => Fields.Dispose();

    PreparedBatch Prepare(NewBatch batch) => batch.Content is { } content
        ? new PreparedBatch(batch.Id.Value, batch.Count, Fields.Raw(content.From.ToString()), Fields.Raw(content.Subject), Encode(content))
        : new PreparedBatch(batch.Id.Value, batch.Count, null, null, null) { IsStored = batch.IsStored };

    PreparedMessage Prepare(NewMessage message)
    {
        if (message.Content is null && Batch is not ({ Content: not null } or { IsStored: true }))
            throw new ArgumentException($"Message {message.Id} has no content, and neither has its batch.");
        if (message.BornLeasedBy is not null && !message.IsOneEnvelope)
            throw new ArgumentException($"Message {message.Id} is not one envelope and cannot be born leased.");
        var recipients = new PreparedRecipient[message.Recipients.Count];
        for (var i = 0; i < recipients.Length; i++)
            recipients[i] = Prepare(message.Recipients[i]);
        foreach (var stopped in message.Stopped)
        {
            var i = Array.FindIndex(recipients, r => r.N == stopped.N);
            recipients[i] = recipients[i] with { Stopped = stopped };
        }
        return new PreparedMessage
        {
            Id = message.Id.Value,
            Stream = message.Stream,
            Route = Fields.Raw(message.Route),
            RouteName = message.Route,
            SendAt = message.SendAt?.Ms,
            Expires = message.ExpiresAt.Ms,
            OnAmbiguous = message.OnAmbiguous,
            OrderingKey = message.OrderingKey is { } key ? Fields.Raw(key) : null,
            OrderingKeyText = message.OrderingKey,
            Sender = message.Content is { } content ? Fields.Raw(content.From.ToString()) : null,
            Subject = (message.Content?.Subject ?? message.MergedSubject) is { } subject ? Fields.Raw(subject) : null,
            Tags = message.Tags.Count == 0 ? null : Fields.Raw(LabelText.Tags(message.Tags)),
            Metadata = message.Metadata.Count == 0 ? null : Fields.Raw(LabelText.Metadata(message.Metadata)),
            Content = message.Content is { } whole ? Encode(whole) : message.MergeData is { } data ? EncodeData(data) : null,
            BornLeasedBy = message.BornLeasedBy,
            Recipients = recipients,
            SearchHashes = SearchHashes(message, recipients),
        };
    }

    PreparedRecipient Prepare(MessageRecipient recipient) => new(
        recipient.N, recipient.Kind, Fields.Raw(recipient.Mailbox.Address.ToString()),
        recipient.Mailbox.Name is { } name ? Fields.Raw(name) : null, recipient.Mailbox.Address,
        StoredAddress.SearchHash(new TenantId(Tenant), recipient.Mailbox.Address), null);

    Slice Encode(MessageContent content)
    {
        var start = Fields.Length;
        ContentCodec.Write(Fields, content);
        return Fields.Since(start);
    }

    Slice EncodeData(ReadOnlyMemory<byte> data)
    {
        var start = Fields.Length;
        ContentCodec.WriteData(Fields, data.Span);
        return Fields.Since(start);
    }

    long[] SearchHashes(NewMessage message, PreparedRecipient[] recipients)
    {
        var hashes = new long[recipients.Length + message.Tags.Count];
        for (var i = 0; i < recipients.Length; i++)
            hashes[i] = recipients[i].SearchHash;
        for (var i = 0; i < message.Tags.Count; i++)
            hashes[recipients.Length + i] = StoredAddress.SearchHash(new TenantId(Tenant), message.Tags[i]);
        return hashes;
    }
}

sealed record PreparedBatch(long Id, int Count, Slice? Sender, Slice? Subject, Slice? Content)
{
    public bool IsStored { get; init; }
}

/// <summary>A message's row and what follows from it; slices are of <see cref="PreparedAcceptance.Fields"/>.</summary>
sealed class PreparedMessage
{
    public required long Id { get; init; }
    public required MailStream Stream { get; init; }
    public required Slice Route { get; init; }
    public required string RouteName { get; init; }
    public required long? SendAt { get; init; }
    public required long Expires { get; init; }
    public required AmbiguityPolicy OnAmbiguous { get; init; }
    public required Slice? OrderingKey { get; init; }
    public required string? OrderingKeyText { get; init; }
    public required Slice? Sender { get; init; }
    public required Slice? Subject { get; init; }
    public required Slice? Tags { get; init; }
    public required Slice? Metadata { get; init; }
    public required Slice? Content { get; init; }
    public required Incarnation? BornLeasedBy { get; init; }
    public required PreparedRecipient[] Recipients { get; init; }

    /// <summary>Of the addresses, in the order of the recipients, then of the tags.</summary>
    public required long[] SearchHashes { get; init; }
}

readonly record struct PreparedRecipient(
    int N, RecipientKind Kind, Slice Address, Slice? Name, Mail.Addresses.EmailAddress Mailbox, long SearchHash, StoppedRecipient? Stopped);
