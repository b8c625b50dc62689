using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Templates;
using Postrider.Tenants;

namespace Postrider.Submission;

/// <summary>Takes messages in: checks them, stores them, and only then says so. Every entrance calls it.</summary>
/// <remarks>
/// Ids are made before the commit, so that one whose answer was lost can be looked up. Once a submission is checked it is no longer
/// cancelled with its caller: a commit that nobody waits for would leave a permit without an owner.
/// </remarks>
public sealed partial class Submitter(IQueueStore store, IMessageReader reader, IHandOver handOver, MessageIds ids, TimeProvider clock,
    SubmissionOptions options)
{
    readonly SubmissionCheck _check = new(options);
    readonly AllowedRecipients _allowed = AllowedRecipients.Parse(options.AllowRecipients, out _);
    readonly TenantLimits _limits = new(reader, clock, options);
    readonly Acceptor _acceptor = new(store, reader.ExistsAsync, handOver, clock, options);
    volatile bool _draining;

    public required Router Router { get; init; }

    /// <summary>Null where nobody looks at held mail.</summary>
    public HeldCopy? KeepHeld { get; init; }

    /// <summary>Null: no request may name a template.</summary>
    public TemplateLibrary? Templates { get; init; }

    /// <summary>Null: no tenant has limits of its own.</summary>
    public TenantDirectory? Tenants
    {
        get;
        init => _limits.Tenants = field = value;
    }

    /// <summary>Null: nothing is counted.</summary>
    public SubmissionMetrics? Metrics { init => _acceptor.Metrics = value; }

    /// <summary>Null: quotas of tenants are not counted.</summary>
    public TenantQuotas? Quotas { init => _limits.Quotas = value; }

    /// <summary>Takes calls with more than <see cref="MostAtOnce"/> destinations; null: they are taken in one transaction too.</summary>
    public LargeSend? SendLarge { get; init; }

    /// <summary>Destinations that are messages when the call is answered.</summary>
    public const int MostAtOnce = 1_000;

    /// <summary>Null: every tenant may send from any address.</summary>
    public SenderCheck? MaySendFrom { get; init; }

    /// <summary>From now on everything is refused with <c>draining</c> but what is in hand; what is being stored already goes on.</summary>
    public void StopAccepting() => _draining = true;

    /// <summary>One message, to all its recipients.</summary>
    public async Task<SubmissionResult> SubmitAsync(SubmissionRequest request, SubmissionContext context, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (Refuse(context) is { } refusal)
            return new SubmissionResult.Refused(refusal);
        if (request.Template is not null)
        {
            var filled = await new TemplateFiller(Templates, options).FillAsync(new SubmissionEntry(request), context.Tenant);
            if (filled.Request is not { } own)
                return new SubmissionResult.Refused(filled.Problem!);
            request = own;
        }
        var (prepared, problem) = Prepare(request, context, clock.GetUtcNow());
        if (prepared is not { } ready)
            return new SubmissionResult.Refused(problem!);
        if (await _limits.RefuseAsync(context.Tenant, ready.Entry.Recipients.Count, BytesOf(request, ready)) is { } tooMuch)
            return new SubmissionResult.Refused(tooMuch);
        var id = ids.Next();
        var content = ready.Entry.ContentFor(id);
        var message = NewMessage(context.Tenant, ready.Entry, ready.Route, id, content, ready.Entry.Recipients);
        var receipt = new SubmissionReceipt(Batch: null, [Item(message)]);
        var result = await _acceptor.AcceptOneAsync(message, content, context, receipt);
        if (result is SubmissionResult.Accepted)
            KeepCopy(context.Tenant, message, content);
        else
            await _limits.ReturnAsync(context.Tenant, ready.Entry.Recipients.Count);
        return result;
    }

    /// <summary>Many messages in one transaction. Faulty ones are left out, each with its problem; or, with
    /// <paramref name="allOrNothing"/>, all are refused.</summary>
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
        var filled = await new TemplateFiller(Templates, options).FillAllAsync(entries, context.Tenant);
        if (filled is null || PrepareAll(filled, context, out var problems, out var count, out var recipients,
            out var bytes) is not { } checkedEntries)
            return new SubmissionResult.Refused(SubmissionProblems.TooLargeTogether(options.MaxBytesPerCall));
        if (allOrNothing && count < entries.Count)
            return new SubmissionResult.Refused(Together(problems));
        if (recipients > options.MaxRecipientsPerCall)
            return new SubmissionResult.Refused(SubmissionProblems.TooMany("recipients", options.MaxRecipientsPerCall));
        if (count == 0 && Fault(problems) is { } ours)
            return new SubmissionResult.Refused(ours);
        if (count == 0)
            return new SubmissionResult.Accepted(new SubmissionReceipt(Batch: null, Items(problems)));
        if (await _limits.RefuseAsync(context.Tenant, recipients, bytes) is { } tooMuch)
            return new SubmissionResult.Refused(tooMuch);

        var batch = new NewBatch { Id = ids.Reserve(count + 1), Count = count };
        var messages = new List<NewMessage>(count);
        var items = Items(problems);
        for (var i = 0; i < checkedEntries.Length; i++)
        {
            if (checkedEntries[i] is not { } entry)
                continue;
            var id = batch.Id.Plus(messages.Count + 1);
            messages.Add(NewMessage(context.Tenant, entry.Entry, entry.Route, id, entry.Entry.ContentFor(id), entry.Entry.Recipients));
            items[i] = Item(messages[^1]);
        }
        return await AcceptManyAsync(batch, messages, new SubmissionReceipt(batch.Id, items), context);
    }

    /// <summary>Checks as <see cref="SubmitAsync"/> does, and stores nothing: for each its problem, or null where it would have been
    /// accepted.</summary>
    public async Task<IReadOnlyList<Problem?>> CheckAsync(IReadOnlyList<SubmissionEntry> entries, SubmissionContext context)
    {
        var problems = new Problem?[entries.Count];
        if (Refuse(context) is { } refusal)
            Array.Fill(problems, refusal);
        else if (entries.Count > options.MaxMessagesPerCall)
            Array.Fill(problems, SubmissionProblems.TooMany("messages", options.MaxMessagesPerCall));
        else if (await new TemplateFiller(Templates, options).FillAllAsync(entries, context.Tenant) is not { } filled
            || PrepareAll(filled, context, out problems, out _, out _, out _) is null)
            Array.Fill(problems, SubmissionProblems.TooLargeTogether(options.MaxBytesPerCall));
        return problems;
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
        var (merge, unfit) = shared.Template is null
            ? default
            : await new TemplateFiller(Templates, options).ForDestinationsAsync(shared, context.Tenant);
        if (unfit is not null)
            return new SubmissionResult.Refused(unfit);
        var faults = new Faults();
        var entry = _check.Shared(merge?.Request ?? shared, clock.GetUtcNow(), faults);
        entry = entry is null ? null : WithTracking(entry, context.Tenant);
        var recipients = Recipients(destinations, merge is not null, faults);
        var merged = merge is null ? null : destinations.Select((one, i) => merge.Fill(one, i, faults)).ToList();
        if (merge?.TooMuch is { } tooLarge)
            return new SubmissionResult.Refused(tooLarge);
        if (faults.Any || entry is null)
            return new SubmissionResult.Refused(faults.ToProblem());
        if (MayNotSend(entry, context) is { } problem)
            return new SubmissionResult.Refused(problem);
        var bytes = BornLeased.ApproximateBytes(entry.Content) + (merged?.Sum(static own => (long)(own?.Data.Length ?? 0)) ?? 0);
        var isLarge = destinations.Count > MostAtOnce && SendLarge is not null;
        if (isLarge)
            bytes += recipients.Sum(static one => (long)one[0].Mailbox.ToString().Length);
        if (await _limits.RefuseAsync(context.Tenant, destinations.Count, bytes, countsQuota: !isLarge) is { } tooMuch)
            return new SubmissionResult.Refused(tooMuch);

        if (isLarge && SendLarge is not null)
            return await SendLarge(Share(entry, merge),
                [.. recipients.Select((r, i) => new LargeDestination(r[0].Mailbox, destinations[i].Data))], context);
        var batch = new NewBatch
        {
            Id = ids.Reserve(destinations.Count + 1),
            Count = destinations.Count,
            Content = entry.Content with { Merge = merge?.Form },
        };
        var messages = new List<NewMessage>(destinations.Count);
        var items = new SubmissionItem[destinations.Count];
        for (var i = 0; i < items.Length; i++)
        {
            if (Choose(context.Tenant, entry, recipients[i], out var nowhere) is not { } route)
            {
                await _limits.ReturnAsync(context.Tenant, destinations.Count);
                return new SubmissionResult.Refused(nowhere!);
            }
            var message = NewMessage(context.Tenant, entry, route, batch.Id.Plus(i + 1), content: null, recipients[i]);
            messages.Add(merged?[i] is { } own ? message with { MergeData = own.Data, MergedSubject = own.Subject } : message);
            items[i] = Item(messages[i]);
        }
        return await AcceptManyAsync(batch, messages, new SubmissionReceipt(batch.Id, items), context);
    }

    async Task<SubmissionResult> AcceptManyAsync(NewBatch batch, List<NewMessage> messages, SubmissionReceipt receipt,
        SubmissionContext context)
    {
        var result = await _acceptor.AcceptManyAsync(batch, messages, context, receipt);
        if (result is SubmissionResult.Accepted)
        {
            foreach (var message in messages)
                KeepCopy(context.Tenant, message, message.Content ?? batch.Content! with { MergeData = message.MergeData ?? default });
        }
        else
        {
            await _limits.ReturnAsync(context.Tenant, messages.Sum(static message => message.Recipients.Count));
        }
        return result;
    }

    /// <summary>The refusals that need no look at the request.</summary>
    Problem? Refuse(SubmissionContext context)
    {
        if (_draining && !context.IsInHand)
            return SubmissionProblems.Draining;
        return context.IdempotencyKey is { } key && !SubmissionContext.IsKey(key) ? SubmissionProblems.InvalidIdempotencyKey : null;
    }

    /// <summary>Exactly one of the two is null.</summary>
    (Prepared? Ready, Problem? Problem) Prepare(SubmissionRequest request, SubmissionContext context, DateTimeOffset now)
    {
        var faults = new Faults();
        if (_check.Message(request, now, faults) is not { } entry)
            return (null, faults.ToProblem());
        if (MayNotSend(entry, context) is { } problem)
            return (null, problem);
        entry = WithTracking(entry, context.Tenant);
        return Choose(context.Tenant, entry, entry.Recipients, out var nowhere) is { } route
            ? (new Prepared(entry, route), null) : (null, nowhere);
    }

    /// <summary>Settled when it is accepted: each try of it is the same bytes. What came whole is sent as it came. The trace of the call
    /// goes with it.</summary>
    CheckedSubmission WithTracking(CheckedSubmission entry, TenantId tenant)
    {
        if (MailTrace.Current is var trace && trace != default)
            entry = entry with { Content = entry.Content with { Trace = trace } };
        var track = (entry.Track ?? default).Over(Tenants?.SettingsOf(tenant).Tracking?.Of(entry.Stream) ?? default);
        return track.Any && entry.Raw is null ? entry with { Content = entry.Content with { Track = track } } : entry;
    }

    /// <summary>The senders whom people see, and the one to whom reports go.</summary>
    Problem? MayNotSend(CheckedSubmission entry, SubmissionContext context) =>
        MayNotSend(entry.Content.From.Address, context) ?? MayNotSend(entry.Content.MailFrom, context)
        ?? entry.Senders.Select(sender => MayNotSend(sender, context)).FirstOrDefault(problem => problem is not null);

    Problem? MayNotSend(EmailAddress? from, SubmissionContext context) =>
        from is null || MaySendFrom is null || MaySendFrom(context.Tenant, from)
            ? null
            : Faults.One("/from", "unverified-sender", $"The domain '{from.Domain}' is not verified for sending.");

    /// <summary>Null, with the reason, where there is no way out.</summary>
    RouteSettings? Choose(
        TenantId tenant, CheckedSubmission entry, IReadOnlyList<MessageRecipient> recipients, out Problem? problem)
    {
        problem = null;
        var table = Router.Of(tenant);
        var request = new RouteRequest(entry.Route, entry.Stream, entry.Tags, entry.Content.From.Address.AsciiDomain, Domains(recipients));
        if (table.Choose(request) is { } route)
            return route.Settings;
        var name = entry.Route ?? RouteSettings.DefaultName;
        problem = SubmissionProblems.NoRoute(name, table);
        return null;
    }

    /// <summary>Null when all together are too large; the rest of them is not looked at then.</summary>
    Prepared?[]? PrepareAll(IReadOnlyList<SubmissionEntry> entries, SubmissionContext context, out Problem?[] problems, out int count,
        out int recipients, out long bytes)
    {
        var now = clock.GetUtcNow();
        var prepared = new Prepared?[entries.Count];
        problems = new Problem?[entries.Count];
        count = recipients = 0;
        bytes = 0L;
        for (var i = 0; i < entries.Count; i++)
        {
            (prepared[i], problems[i]) = entries[i].Request is { } request ? Prepare(request, context, now) : (null, entries[i].Problem);
            count += prepared[i] is null ? 0 : 1;
            recipients += prepared[i]?.Entry.Recipients.Count ?? 0;
            bytes += prepared[i] is { } one ? BytesOf(entries[i].Request!, one) : 0;
            if (bytes > options.MaxBytesPerCall)
                return null;
        }
        return prepared;
    }

    static long BytesOf(SubmissionRequest request, in Prepared ready) =>
        request.Mime?.Length ?? BornLeased.ApproximateBytes(ready.Entry.Content);

    /// <summary>Only read where a rule asks for it.</summary>
    static IEnumerable<string> Domains(IReadOnlyList<MessageRecipient> recipients)
    {
        foreach (var recipient in recipients)
            yield return recipient.Mailbox.Address.AsciiDomain;
    }

    MessageRecipient[][] Recipients(IReadOnlyList<Destination> destinations, bool takesData, Faults faults)
    {
        if (destinations.Count == 0)
            faults.Add("/destinations", "no-recipients", "Name at least one destination.");
        var recipients = new MessageRecipient[destinations.Count][];
        for (var i = 0; i < recipients.Length; i++)
        {
            if (AddressCheck.Read(destinations[i].Address, "/destinations", i, options.AddressRules, faults) is { } mailbox)
                recipients[i] = [new MessageRecipient(0, RecipientKind.To, mailbox)];
            if (!takesData && destinations[i].Data is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) })
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"/destinations/{i}/data"), "invalid-field",
                    "Data needs a template to be merged into.");
            else if (destinations[i].Data is { } data && Destination.DataFault(JsonMarshal.GetRawUtf8Value(data).Length) is { } fault)
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"/destinations/{i}/data"), "invalid-field", fault);
        }
        return recipients;
    }

    NewMessage NewMessage(TenantId tenant, CheckedSubmission entry, RouteSettings route, MessageId id, MessageContent? content,
        IReadOnlyList<MessageRecipient> recipients) => new()
        {
            Id = id,
            Stream = entry.Stream,
            Route = route.Name,
            Recipients = recipients,
            Content = content,
            ExpiresAt = entry.ExpiresAt,
            SendAt = entry.SendAt,
            OnAmbiguous = entry.OnAmbiguous ?? route.OnAmbiguous ?? Tenants?.SettingsOf(tenant).OnAmbiguous ?? options.OnAmbiguous,
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
                stopped.Add(new StoppedRecipient(recipient.N, RecipientState.Held, HeldReason.NotAllowed,
                    "not in POSTRIDER_ALLOW_RECIPIENTS"));
        }
        return stopped;
    }

    internal void KeepCopy(TenantId tenant, NewMessage message, MessageContent content)
    {
        if (KeepHeld is null || message.Stopped.Count == 0)
            return;
        var held = new List<MessageRecipient>(message.Stopped.Count);
        foreach (var stopped in message.Stopped)
            held.Add(message.Recipients[stopped.N]);
        if (MergedContent.Of(content, out _) is { } filled)
            KeepHeld(tenant, message.Id, filled, message.Recipients, held);
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

    /// <summary>A message without fault and with a way out.</summary>
    readonly record struct Prepared(CheckedSubmission Entry, RouteSettings Route);
}

/// <summary>Keeps a copy of a message for recipients that staging does not allow, where people can look at it (the inbox). Called after the
/// commit; must not wait.</summary>
public delegate void HeldCopy(TenantId tenant, MessageId message, MessageContent content, IReadOnlyList<MessageRecipient> all,
    IReadOnlyList<MessageRecipient> held);

/// <summary>Whether a tenant may send from this address; asked only where one is given. Must be fast and must not wait.</summary>
public delegate bool SenderCheck(TenantId tenant, EmailAddress from);
