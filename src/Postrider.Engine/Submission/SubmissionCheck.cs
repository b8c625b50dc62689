using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>A request that has no fault, as the store wants it.</summary>
public sealed record CheckedSubmission
{
    /// <summary>Of a message that came whole without its bytes: see <see cref="ContentFor"/>.</summary>
    public required MessageContent Content { get; init; }

    /// <summary>Null for a message that is rendered.</summary>
    internal RawMessage? Raw { get; init; }

    /// <summary>Whom a message that came whole names as its senders, beside its author.</summary>
    internal IReadOnlyList<EmailAddress> Senders { get; init; } = [];

    /// <summary>Empty where each destination gets a message of its own.</summary>
    public required IReadOnlyList<MessageRecipient> Recipients { get; init; }
    public required MailStream Stream { get; init; }

    /// <summary>Null: the rules choose.</summary>
    public required string? Route { get; init; }
    public required DateTimeOffset? SendAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Null: the route's, else the installation's.</summary>
    public required AmbiguityPolicy? OnAmbiguous { get; init; }
    public required string? OrderingKey { get; init; }

    /// <summary>Null: as the tenant has it for the stream.</summary>
    public TrackRequest? Track { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required IReadOnlyList<MetadataEntry> Metadata { get; init; }

    /// <summary>What is stored for the message of this id.</summary>
    public MessageContent ContentFor(MessageId id) => Raw is null ? Content : Content with { Mime = Raw.For(id, Content.From) };
}

/// <summary>Checks a request, all of it, and turns it into what is stored. Touches nothing outside.</summary>
public sealed class SubmissionCheck(SubmissionOptions options)
{
    /// <summary>Null exactly when <paramref name="faults"/> has any.</summary>
    public CheckedSubmission? Message(SubmissionRequest request, DateTimeOffset now, Faults faults)
    {
        if (request.Mime is null)
            return Check(request, AddressCheck.Recipients(request, options, faults), MailStream.Transactional, now, faults);
        var raw = RawCheck.Read(request, options, faults);
        return Terms(request, raw?.Content, raw?.Recipients, MailStream.Transactional, now, faults) is { } submission
            ? submission with { Raw = raw!.Message, Senders = raw.Senders } : null;
    }

    /// <summary>As <see cref="Message"/>, for what all destinations of a batch share.</summary>
    public CheckedSubmission? Shared(SubmissionRequest request, DateTimeOffset now, Faults faults)
    {
        if (request.To.Count + request.Cc.Count + request.Bcc.Count > 0)
            faults.Add("/to", "invalid-field", "Each destination gets a message of its own: name recipients in 'destinations' only.");
        if (request.Mime is not null)
            faults.Add("/mime", "invalid-field", "A message that comes whole is for one submission: it names its recipients itself.");
        return Check(request, [], MailStream.Bulk, now, faults);
    }

    CheckedSubmission? Check(SubmissionRequest request, IReadOnlyList<MessageRecipient> recipients, MailStream stream, DateTimeOffset now,
        Faults faults)
    {
        var from = AddressCheck.Sender(request.From, options.AddressRules, faults);
        var replyTo = AddressCheck.ReplyTo(request.ReplyTo, options.AddressRules, faults);
        if (string.IsNullOrEmpty(request.Subject) && string.IsNullOrEmpty(request.Text) && string.IsNullOrEmpty(request.Html))
            faults.Add("", "no-content", "The message is empty: give it a 'subject', a 'text' or an 'html'.");
        var fits = ContentCheck.Fits(request, options, faults);
        var subject = ContentCheck.Subject(request.Subject, options, faults);
        var headers = ContentCheck.Headers(request.Headers, options, faults);
        var attachments = fits ? ContentCheck.Attachments(request.Attachments, options, faults) : [];
        var content = from is null ? null : new MessageContent
        {
            From = from,
            ReplyTo = replyTo,
            Subject = subject,
            // An empty part would be shown instead of the other one.
            Text = string.IsNullOrEmpty(request.Text) ? null : request.Text,
            Html = string.IsNullOrEmpty(request.Html) ? null : request.Html,
            Headers = headers,
            Attachments = attachments,
        };
        return Terms(request, content, recipients, stream, now, faults);
    }

    /// <summary>How the message is to be treated. Content and recipients are null only when there are faults.</summary>
    CheckedSubmission? Terms(SubmissionRequest request, MessageContent? content, IReadOnlyList<MessageRecipient>? recipients,
        MailStream stream, DateTimeOffset now, Faults faults)
    {
        var sendAt = TermsCheck.SendAt(request.SendAt, now, options, faults);
        var expiresIn = TermsCheck.ExpiresIn(request.ExpiresIn, options, faults);
        var route = TermsCheck.Route(request.Route, faults);
        stream = TermsCheck.Stream(request.Stream, stream, faults);
        var onAmbiguous = TermsCheck.OnAmbiguous(request.OnAmbiguous, faults);
        var orderingKey = TermsCheck.OrderingKey(request.OrderingKey, faults);
        TermsCheck.Tags(request.Tags, options, faults);
        TermsCheck.Metadata(request.Metadata, options, faults);
        if (faults.Any)
            return null;
        return new CheckedSubmission
        {
            Content = content!,
            Recipients = recipients!,
            Stream = stream,
            Route = route,
            SendAt = sendAt,
            ExpiresAt = (sendAt ?? now) + expiresIn,
            OnAmbiguous = onAmbiguous,
            OrderingKey = orderingKey,
            Track = request.Track,
            Tags = request.Tags,
            Metadata = request.Metadata,
        };
    }
}
