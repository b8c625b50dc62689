using System.Globalization;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Submission;

/// <summary>Takes messages in: checks them, stores them, and only then says so. Every entrance calls it.</summary>
/// <remarks>
/// Ids are made before the commit, so that one whose answer was lost can be looked up. Once a submission is checked it is no longer
/// cancelled with its caller: a commit that nobody waits for would leave a permit without an owner.
/// </remarks>
public sealed class Submitter(IQueueStore store, IMessageReader reader, IHandOver handOver, MessageIds ids, TimeProvider clock, SubmissionOptions options)
{
    readonly SubmissionCheck _check = new(options);
    readonly AllowedRecipients _allowed = AllowedRecipients.Parse(options.AllowRecipients, out _);
    readonly Acceptor _acceptor = new(store, reader, handOver, clock, options);
    volatile bool _draining;

    public required RouteChooser Routes { get; init; }

    /// <summary>Null where nobody looks at held mail.</summary>
    public HeldCopy? KeepHeld { get; init; }

    /// <summary>Null: every tenant may send from any address.</summary>
    public SenderCheck? MaySendFrom { get; init; }

    /// <summary>From now on everything is refused with <c>draining</c>; what is being stored already goes on.</summary>
    public void StopAccepting() => _draining = true;

    /// <summary>One message, to all its recipients.</summary>
    public async Task<SubmissionResult> SubmitAsync(SubmissionRequest request, SubmissionContext context, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (Refuse(context) is { } refusal)
            return new SubmissionResult.Refused(refusal);
        var now = clock.GetUtcNow();
        var (entry, problem) = Prepare(request, context, now);
        if (entry is null)
            return new SubmissionResult.Refused(problem!);
        var message = NewMessage(entry, ids.Next(), entry.Content, entry.Recipients);
        var receipt = new SubmissionReceipt(Batch: null, [Item(message)]);
        var result = await _acceptor.AcceptOneAsync(message, entry.Content, context, receipt);
        if (result is SubmissionResult.Accepted)
            KeepCopy(context.Tenant, message, entry.Content);
        return result;
    }

    /// <summary>Many messages in one transaction. Faulty ones are left out, each with its problem; or, with <paramref name="allOrNothing"/>, all are refused.</summary>
    public async Task<SubmissionResult> SubmitManyAsync(
        IReadOnlyList<SubmissionEntry> entries, SubmissionContext context, bool allOrNothing, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (Refuse(context) is { } refusal)
            return new SubmissionResult.Refused(refusal);
        if (entries.Count == 0)
            return new SubmissionResult.Refused(SubmissionProblems.NoMessages);
        if (entries.Count > options.MaxMessagesPerCall)
            return new SubmissionResult.Refused(SubmissionProblems.TooMany("messages", options.MaxMessagesPerCall));
        var checkedEntries = PrepareAll(entries, context, out var problems, out var count, out var recipients);
        if (allOrNothing && count < entries.Count)
            return new SubmissionResult.Refused(Together(problems));
        if (recipients > options.MaxRecipientsPerCall)
            return new SubmissionResult.Refused(SubmissionProblems.TooMany("recipients", options.MaxRecipientsPerCall));
        if (count == 0 && Fault(problems) is { } ours)
            return new SubmissionResult.Refused(ours);
        if (count == 0)
            return new SubmissionResult.Accepted(new SubmissionReceipt(Batch: null, Items(problems)));

        var batch = new NewBatch { Id = ids.Reserve(count + 1), Count = count };
        var messages = new List<NewMessage>(count);
        var items = Items(problems);
        for (var i = 0; i < checkedEntries.Length; i++)
        {
            if (checkedEntries[i] is not { } entry)
                continue;
            messages.Add(NewMessage(entry, batch.Id.Plus(messages.Count + 1), entry.Content, entry.Recipients));
            items[i] = Item(messages[^1]);
        }
        return await AcceptManyAsync(batch, messages, new SubmissionReceipt(batch.Id, items), context);
    }

    /// <summary>One message per destination, all with the same content, stored once. Any fault refuses the call.</summary>
    public async Task<SubmissionResult> SubmitToDestinationsAsync(
        SubmissionRequest shared, IReadOnlyList<Destination> destinations, SubmissionContext context, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (Refuse(context) is { } refusal)
            return new SubmissionResult.Refused(refusal);
        if (destinations.Count > options.MaxDestinations)
            return new SubmissionResult.Refused(SubmissionProblems.TooMany("destinations", options.MaxDestinations));
        var faults = new Faults();
        var entry = _check.Shared(shared, clock.GetUtcNow(), faults);
        var recipients = Recipients(destinations, faults);
        if (faults.Any || entry is null)
            return new SubmissionResult.Refused(faults.ToProblem());
        if (Place(entry, context, recipients[0], out var placed) is { } problem)
            return new SubmissionResult.Refused(problem);

        var batch = new NewBatch { Id = ids.Reserve(destinations.Count + 1), Count = destinations.Count, Content = entry.Content };
        var messages = new List<NewMessage>(destinations.Count);
        var items = new SubmissionItem[destinations.Count];
        for (var i = 0; i < items.Length; i++)
        {
            messages.Add(NewMessage(placed, batch.Id.Plus(i + 1), content: null, recipients[i]));
            items[i] = Item(messages[i]);
        }
        return await AcceptManyAsync(batch, messages, new SubmissionReceipt(batch.Id, items), context);
    }

    async Task<SubmissionResult> AcceptManyAsync(NewBatch batch, List<NewMessage> messages, SubmissionReceipt receipt, SubmissionContext context)
    {
        var result = await _acceptor.AcceptManyAsync(batch, messages, context, receipt);
        if (result is SubmissionResult.Accepted)
        {
            foreach (var message in messages)
                KeepCopy(context.Tenant, message, message.Content ?? batch.Content!);
        }
        return result;
    }

    /// <summary>The refusals that need no look at the request.</summary>
    Problem? Refuse(SubmissionContext context)
    {
        if (_draining)
            return SubmissionProblems.Draining;
        // Printable ASCII as in HTTP headers; some clients put spaces into it.
        return context.IdempotencyKey is { } key && (key.Length is 0 or > 255 || key.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            ? SubmissionProblems.InvalidIdempotencyKey
            : null;
    }

    /// <summary>Exactly one of the two is null.</summary>
    (CheckedSubmission? Entry, Problem? Problem) Prepare(SubmissionRequest request, SubmissionContext context, DateTimeOffset now)
    {
        var faults = new Faults();
        var entry = _check.Message(request, now, faults);
        if (entry is null)
            return (null, faults.ToProblem());
        var problem = Place(entry, context, entry.Recipients, out var placed);
        return problem is null ? (placed, null) : (null, problem);
    }

    /// <summary>Asks whether the tenant may send this and by which route.</summary>
    Problem? Place(CheckedSubmission entry, SubmissionContext context, IReadOnlyList<MessageRecipient> recipients, out CheckedSubmission placed)
    {
        placed = entry;
        var from = entry.Content.From.Address;
        if (MaySendFrom is not null && !MaySendFrom(context.Tenant, from))
            return Faults.One("/from", "unverified-sender", $"The domain '{from.Domain}' is not verified for sending.");
        var choice = Routes(new RouteQuestion(context.Tenant, entry.Route, entry.Stream, from, recipients, entry.Tags));
        placed = entry.Route == choice.Route ? entry : entry with { Route = choice.Route };
        return choice.Standing switch
        {
            RouteStanding.Ready => null,
            RouteStanding.NoTransport => SubmissionProblems.NoTransport(choice.Route),
            RouteStanding.Unknown => Faults.One("/route", "invalid-field", $"There is no route '{choice.Route}'."),
        };
    }

    CheckedSubmission?[] PrepareAll(IReadOnlyList<SubmissionEntry> entries, SubmissionContext context, out Problem?[] problems, out int count, out int recipients)
    {
        var now = clock.GetUtcNow();
        var prepared = new CheckedSubmission?[entries.Count];
        problems = new Problem?[entries.Count];
        count = recipients = 0;
        for (var i = 0; i < entries.Count; i++)
        {
            (prepared[i], problems[i]) = entries[i].Request is { } request ? Prepare(request, context, now) : (null, entries[i].Problem);
            count += prepared[i] is null ? 0 : 1;
            recipients += prepared[i]?.Recipients.Count ?? 0;
        }
        return prepared;
    }

    MessageRecipient[][] Recipients(IReadOnlyList<Destination> destinations, Faults faults)
    {
        if (destinations.Count == 0)
            faults.Add("/destinations", "no-recipients", "Name at least one destination.");
        var recipients = new MessageRecipient[destinations.Count][];
        for (var i = 0; i < recipients.Length; i++)
        {
            if (AddressCheck.Read(destinations[i].Address, "/destinations", i, options.AddressRules, faults) is { } mailbox)
                recipients[i] = [new MessageRecipient(0, RecipientKind.To, mailbox)];
            if (destinations[i].Data is { ValueKind: not (System.Text.Json.JsonValueKind.Null or System.Text.Json.JsonValueKind.Undefined) })
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"/destinations/{i}/data"), "invalid-field", "Data needs a template to be merged into.");
        }
        return recipients;
    }

    NewMessage NewMessage(CheckedSubmission entry, MessageId id, MessageContent? content, IReadOnlyList<MessageRecipient> recipients) => new()
    {
        Id = id,
        Stream = entry.Stream,
        Route = entry.Route!,
        Recipients = recipients,
        Content = content,
        ExpiresAt = entry.ExpiresAt,
        SendAt = entry.SendAt,
        OnAmbiguous = entry.OnAmbiguous,
        OrderingKey = entry.OrderingKey,
        Tags = entry.Tags,
        Metadata = entry.Metadata,
        Stopped = _allowed.Everybody ? [] : Stopped(recipients),
    };

    List<StoppedRecipient> Stopped(IReadOnlyList<MessageRecipient> recipients)
    {
        var stopped = new List<StoppedRecipient>();
        foreach (var recipient in recipients)
        {
            if (!_allowed.Includes(recipient.Mailbox.Address))
                stopped.Add(new StoppedRecipient(recipient.N, RecipientState.Held, HeldReason.NotAllowed, "not in POSTRIDER_ALLOW_RECIPIENTS"));
        }
        return stopped;
    }

    void KeepCopy(TenantId tenant, NewMessage message, MessageContent content)
    {
        if (KeepHeld is null || message.Stopped.Count == 0)
            return;
        var held = new List<MessageRecipient>(message.Stopped.Count);
        foreach (var stopped in message.Stopped)
            held.Add(message.Recipients[stopped.N]);
        KeepHeld(tenant, message.Id, content, message.Recipients, held);
    }

    static SubmissionItem Item(NewMessage message)
    {
        var state = message.SendAt is null ? RecipientState.Queued : RecipientState.Scheduled;
        var recipients = new AcceptedRecipient[message.Recipients.Count];
        for (var i = 0; i < recipients.Length; i++)
            recipients[i] = new AcceptedRecipient(message.Recipients[i], state);
        foreach (var stopped in message.Stopped)
            recipients[stopped.N] = recipients[stopped.N] with { State = stopped.State };
        return new SubmissionItem(new AcceptedMessage(message.Id, recipients), Problem: null);
    }

    static SubmissionItem[] Items(Problem?[] problems)
    {
        var items = new SubmissionItem[problems.Length];
        for (var i = 0; i < items.Length; i++)
            items[i] = new SubmissionItem(Message: null, problems[i]);
        return items;
    }

    /// <summary>The faults of all elements as one problem.</summary>
    static Problem Together(Problem?[] problems)
    {
        if (Fault(problems) is { } ours)
            return ours;
        var faults = new Faults();
        for (var i = 0; i < problems.Length; i++)
        {
            if (problems[i] is { } problem)
                faults.AddAll(string.Create(CultureInfo.InvariantCulture, $"/{i}"), problem);
        }
        return faults.ToProblem();
    }

    /// <summary>The first problem that is not the caller's doing; null when there is none.</summary>
    static Problem? Fault(Problem?[] problems)
    {
        foreach (var problem in problems)
        {
            if (problem is { Status: >= 500 })
                return problem;
        }
        return null;
    }
}
