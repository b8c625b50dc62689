using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Templates;

namespace Postrider.Submission;

// What large batches need: the call is checked once, its messages are made later, piece by piece.
public sealed partial class Submitter
{
    /// <summary>Checks what all destinations share and pins its template; stores nothing. Exactly one of the two is null.</summary>
    public async Task<(SharedSubmission? Shared, Problem? Problem)> CheckSharedAsync(SubmissionRequest request, SubmissionContext context)
    {
        if (Refuse(context) is { } refusal)
            return (null, refusal);
        var (merge, unfit) = request.Template is null
            ? default
            : await new TemplateFiller(Templates, options).ForDestinationsAsync(request, context.Tenant);
        if (unfit is not null)
            return (null, unfit);
        var faults = new Faults();
        if (_check.Shared(merge?.Request ?? request, clock.GetUtcNow(), faults) is not { } entry)
            return (null, faults.ToProblem());
        if (MayNotSend(entry, context) is { } problem)
            return (null, problem);
        if (Choose(context.Tenant, entry, [], out var nowhere) is null)
            return (null, nowhere);
        var bytes = BornLeased.ApproximateBytes(entry.Content) + (merge?.SharedData.Length ?? 0);
        if (await _limits.RefuseStorageAsync(context.Tenant, bytes) is { } tooMuch)
            return (null, tooMuch);
        return (Share(WithTracking(entry, context.Tenant), merge), null);
    }

    SharedSubmission Share(CheckedSubmission entry, DestinationMerge? merge) => new(
        entry.Content with { Merge = merge?.Form, MergeData = merge?.SharedData ?? default },
        new SharedTerms(entry.Stream, entry.Route, entry.ExpiresAt - (entry.SendAt ?? clock.GetUtcNow()), entry.OnAmbiguous,
            entry.OrderingKey, entry.Tags, entry.Metadata),
        entry.SendAt);

    /// <summary>Makes the messages of one batch.</summary>
    public DestinationMessages ForDestinations(TenantId tenant, MessageContent content, SharedTerms terms) =>
        // By steps alone: a process that stands still for a while must not cost a destination its mail.
        new(this, options, tenant, (Templates?.Rules ?? new FillRules { MaxLength = 0 }) with { Clock = null }, content, terms);

    /// <summary>How many of so many messages of a batch the tenant may have now: as many more may wait and be stored, and are left of its
    /// quotas, against which they are counted.</summary>
    public ValueTask<int> RoomAsync(TenantId tenant, int wanted) => _limits.RoomAsync(tenant, wanted);

    /// <summary>Null: the tenant may have so much of destinations stored for lists, or for batches to come.</summary>
    public ValueTask<Problem?> RefuseDestinationsAsync(TenantId tenant, long bytes) => _limits.RefuseStorageAsync(tenant, bytes);

    /// <summary>What keeps the rest of a batch from becoming mail, in words; null: nothing that is the tenant's.</summary>
    public async ValueTask<string?> WhyNoRoomAsync(TenantId tenant, SharedTerms terms, CancellationToken ct) =>
        WhyNoWay(tenant, terms) ?? await _limits.WhyNoRoomAsync(tenant, ct);

    /// <summary>Why no destination of a batch has a way out now, in words; null: they have, unless rules choose another.</summary>
    public string? WhyNoWay(TenantId tenant, SharedTerms terms)
    {
        var table = Router.Of(tenant);
        if (terms.Route is { } route ? table.Find(route) is not null : table.Transports.Count > 0)
            return null;
        return table.Transports.Count == 0 ? "a transport: there is none" : $"the route '{terms.Route}', which is not there";
    }

    /// <summary>So many of them did not become messages.</summary>
    public ValueTask ReturnAsync(TenantId tenant, int count) => _limits.ReturnAsync(tenant, count);

    /// <summary>Reads a destination's address as it is to be kept; null with the fault where it is none.</summary>
    public Mailbox? ReadDestination(AddressText address, string pointer, out Problem? problem)
    {
        var faults = new Faults();
        var mailbox = AddressCheck.Read(address, pointer, options.AddressRules, faults);
        problem = mailbox is null ? faults.ToProblem() : null;
        return mailbox;
    }

    internal NewMessage? MessageFor(
        TenantId tenant, MessageContent content, SharedTerms terms, MessageId id, Mailbox mailbox, DateTimeOffset now, out Problem? nowhere)
    {
        var entry = new CheckedSubmission
        {
            Content = content,
            Recipients = [new MessageRecipient(0, RecipientKind.To, mailbox)],
            Stream = terms.Stream,
            Route = terms.Route,
            SendAt = null,
            ExpiresAt = now + terms.Patience,
            OnAmbiguous = terms.OnAmbiguous,
            OrderingKey = terms.OrderingKey,
            Tags = terms.Tags,
            Metadata = terms.Metadata,
        };
        return Choose(tenant, entry, entry.Recipients, out nowhere) is { } route
            ? NewMessage(tenant, entry, route, id, content: null, entry.Recipients)
            : null;
    }
}
