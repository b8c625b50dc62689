using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Templates;

namespace Postrider.Submission;

/// <summary>What all messages of a large batch share beside their content, as it is kept until they are made.</summary>
/// <param name="Route">Null: the rules choose, for each recipient.</param>
/// <param name="Patience">How long each may wait, from when it is made.</param>
/// <param name="OnAmbiguous">Null: the route's, else the tenant's, else the installation's.</param>
public sealed record SharedTerms(
    MailStream Stream, string? Route, TimeSpan Patience, AmbiguityPolicy? OnAmbiguous, string? OrderingKey,
    IReadOnlyList<string> Tags, IReadOnlyList<MetadataEntry> Metadata);

/// <summary>A request for many destinations that has no fault: its content, with the data that all share where it is a template.</summary>
/// <param name="SendAt">Null: now.</param>
public sealed record SharedSubmission(MessageContent Content, SharedTerms Terms, DateTimeOffset? SendAt);

/// <summary>A destination that was checked.</summary>
public readonly record struct LargeDestination(Mailbox Mailbox, JsonElement? Data);

/// <summary>Stores what all destinations share and the destinations, to become messages later; all or none.</summary>
public delegate Task<SubmissionResult> LargeSend(
    SharedSubmission shared, IReadOnlyList<LargeDestination> destinations, SubmissionContext context);

/// <summary>Why no message was made of a destination.</summary>
/// <param name="MayPass">Nothing is wrong with the destination: it has no way out at this moment.</param>
public sealed record Unmade(Problem Problem, bool MayPass = false);

/// <summary>Makes the messages of one batch, one for each destination, and says why where it cannot.</summary>
public sealed class DestinationMessages
{
    readonly Submitter _submitter;
    readonly SubmissionOptions _options;
    readonly TenantId _tenant;
    readonly MessageContent _content;
    readonly SharedTerms _terms;
    readonly ReadyTemplate? _template;
    readonly FillRules _rules;
    readonly JsonElement _data;
    readonly TemplateData? _shared;
    readonly string? _sharedSubject;

    internal DestinationMessages(
        Submitter submitter, SubmissionOptions options, TenantId tenant, FillRules rules, MessageContent content, SharedTerms terms)
    {
        (_submitter, _options, _tenant, _content, _terms, _rules) = (submitter, options, tenant, content, terms, rules);
        if (content.Merge is not { } merge)
            return;
        _template = MergedContent.TemplateOf(content, out var unreadable);
        Unreadable = unreadable;
        _data = content.MergeData.IsEmpty ? default : JsonElement.Parse(content.MergeData.Span);
        _shared = TemplateData.Of(_data);
        // Most templates are not filled in alike for all; where they are, once is enough.
        if (_template?.Fill(_shared, rules, merge.IsStrict, withText: false, out _) is { } filled)
            _sharedSubject = SubjectOf(filled, out _);
    }

    /// <summary>Why no message can be made of any destination, now or later; null: some can.</summary>
    public Problem? Unreadable { get; }

    /// <summary>Null with the fault, where no message can be made of this destination, or none now.</summary>
    /// <param name="email">An address that was read before.</param>
    /// <param name="data">A JSON object, over the data that all share; null: nothing of its own.</param>
    public NewMessage? Make(MessageId id, string email, string? name, string? data, DateTimeOffset now, out Unmade? fault)
    {
        fault = Unreadable is null ? null : new Unmade(Unreadable);
        if (fault is not null)
            return null;
        var faults = new Faults();
        if (AddressCheck.Read(new AddressText(email, name, IsAddressOnly: true), "", _options.AddressRules, faults) is not { } mailbox)
        {
            fault = new Unmade(faults.ToProblem());
            return null;
        }
        if (_submitter.MessageFor(_tenant, _content, _terms, id, mailbox, now, out var nowhere) is not { } message)
        {
            fault = new Unmade(nowhere!, MayPass: true);
            return null;
        }
        if (_template is null)
            return message;
        var merged = Merge(message, data, out var unfit);
        fault = merged is null ? new Unmade(unfit!) : null;
        return merged;
    }

    /// <summary>Keeps copies of what staging does not let out. After the commit.</summary>
    public void KeepCopy(TenantId tenant, NewMessage message) => _submitter.KeepCopy(
        tenant, message, message.MergeData is { } data ? _content with { MergeData = data } : _content);

    NewMessage? Merge(NewMessage message, string? data, out Problem? fault)
    {
        fault = null;
        if (data is null && _sharedSubject is not null)
            return message with { MergedSubject = _sharedSubject };
        var own = data is null ? default : JsonElement.Parse(data);
        if (_template!.Fill(data is null ? _shared! : _shared!.With(own), _rules, _content.Merge!.IsStrict, withText: false, out fault)
                is not { } filled
            || SubjectOf(filled, out fault) is not { } subject)
            return null;
        return message with
        {
            MergeData = data is null ? null : DestinationMerge.Bytes(_data, own),
            MergedSubject = subject,
        };
    }

    string? SubjectOf(FilledTemplate filled, out Problem? fault)
    {
        var faults = new Faults();
        var subject = ContentCheck.Subject(filled.Subject, _options, faults);
        fault = faults.Any ? faults.ToProblem() : null;
        return faults.Any ? null : subject;
    }
}
