using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Templates;

namespace Postrider.Storage;

/// <summary>Reads messages for people, in SQL that both engines speak. Key ranges only: nothing here depends on how much is
/// stored.</summary>
static class MessageQueries
{
    const string HeadColumns = """
        m.id, m.tenant, m.stream, m.batch, m.route, m.send_at AS SendAt, m.expires, m.tags, m.metadata,
        coalesce(m.sender, b.sender) AS Sender, coalesce(m.subject, b.subject) AS Subject,
        (SELECT schedule FROM schedule_runs WHERE schedule_runs.id = m.batch) AS Schedule
        """;

    const string Heads = $"SELECT {HeadColumns} FROM messages m LEFT JOIN batches b ON b.id = m.batch";

    /// <summary>The heads of some messages, newest first.</summary>
    public static List<MessageHead> FindHeads(DbConnection connection, ReadDialect dialect, IReadOnlyList<long> ids) =>
        connection.Query<MessageHead>($"{Heads} WHERE {dialect.In("m.id", "ids")} ORDER BY m.id DESC", new { ids }).AsList();

    /// <summary>The message with its timeline; null when absent or another tenant's.</summary>
    public static MessageView? Get(DbConnection connection, ReadDialect dialect, TenantId tenant, long id, long now)
    {
        var head = connection.QueryFirstOrDefault<MessageHead>(
            $"{Heads} WHERE m.id = @id AND m.tenant = @tenant", new { id, tenant = tenant.Value });
        return head is null ? null : Views(connection, dialect, [head], now, withEvents: true)[0];
    }

    /// <summary>The views of some messages, in the order of their heads.</summary>
    public static List<MessageView> Views(
        DbConnection connection, ReadDialect dialect, IReadOnlyList<MessageHead> heads, long now, bool withEvents)
    {
        var ids = heads.Select(h => h.Id).ToList();
        var of = dialect.In("message", "ids");
        var recipients = connection.Query<RecipientLine>($"""
            SELECT message, n, envelope, kind, address, name, state, held, tries, updated FROM recipients
            WHERE {of} ORDER BY message, n
            """, new { ids }).ToLookup(r => r.Message);
        var queue = connection.Query<QueueLine>($"""
            SELECT message, n, state, gate, wait, due, tries, node FROM queue WHERE {of}
            """, new { ids }).ToDictionary(q => (q.Message, q.N));
        var events = connection.Query<EventLine>(
            $"SELECT id, message, type, at, node, details FROM events WHERE {of} AND id >= @oldest ORDER BY id",
            new { ids, oldest = ids.Count == 0 ? 0 : dialect.OldestEvent(ids.Min()) })
            .ToLookup(e => e.Message, e => e.ToEvent(dialect));
        return [.. heads.Select(head => View(head, [.. recipients[head.Id]], queue, [.. events[head.Id]], dialect, now, withEvents))];
    }

    public static bool Exists(DbConnection connection, long id) =>
        connection.ExecuteScalar<long?>("SELECT 1 FROM messages WHERE id = @id", new { id }) is not null;

    /// <summary>Null where the message is not there, or its content is not any more.</summary>
    public static MessageContent? GetContent(DbConnection connection, TenantId tenant, long id)
    {
        var row = connection.QuerySingleOrDefault<ContentRow>("""
            SELECT m.content AS own, b.content AS batch FROM messages m LEFT JOIN batches b ON b.id = m.batch
            WHERE m.id = @id AND m.tenant = @tenant
            """, new { id, tenant = tenant.Value });
        if (row?.Own is { } own && !ContentCodec.IsData(own))
            return ContentCodec.IsGone(own) ? null : ContentCodec.Read(own);
        return row?.Batch is { } batch && !ContentCodec.IsGone(batch)
            ? MergedContent.Of(ContentCodec.OfBatch(ContentCodec.Read(batch), row.Own), out _)
            : null;
    }

    sealed class ContentRow
    {
        public byte[]? Own { get; init; }
        public byte[]? Batch { get; init; }
    }

    static MessageView View(MessageHead head, IReadOnlyList<RecipientLine> recipients, Dictionary<(long, int), QueueLine> queue,
        IReadOnlyList<MailEvent> events, ReadDialect dialect, long now, bool withEvents)
    {
        var last = LastAttempts(events);
        var views = new List<RecipientView>(recipients.Count);
        foreach (var recipient in recipients)
        {
            var row = recipient.State == RecipientState.Queued ? queue.GetValueOrDefault((head.Id, recipient.Envelope)) : null;
            views.Add(recipient.View(row, last.GetValueOrDefault(recipient.N), WhySuppressed(recipient, events), dialect, now));
        }
        return new MessageView
        {
            Id = new MessageId(head.Id),
            Tenant = new TenantId(head.Tenant),
            Batch = head.Batch is { } batch ? new MessageId(batch) : null,
            Schedule = head.Schedule is { } schedule ? new MessageId(schedule) : null,
            Stream = head.Stream,
            Route = head.Route,
            From = head.From,
            Subject = head.Subject ?? "",
            SendAt = head.SendAt is { } sendAt ? DateTimeOffset.FromUnixTimeMilliseconds(sendAt) : null,
            ExpiresAt = DateTimeOffset.FromUnixTimeMilliseconds(head.Expires),
            UpdatedAt = views.Count == 0 ? new MessageId(head.Id).At : views.Max(v => v.UpdatedAt),
            Tags = LabelText.ReadTags(head.Tags),
            Metadata = LabelText.ReadMetadata(head.Metadata),
            Recipients = views,
            Events = withEvents ? events : [],
        };
    }

    /// <summary>What the suppression list had of it; null where it is not that which ended it.</summary>
    static string? WhySuppressed(RecipientLine recipient, IReadOnlyList<MailEvent> events) => recipient.State != RecipientState.Suppressed
        ? null : events.LastOrDefault(e => e.Type == MailEventType.Suppressed && e.Recipients.Contains(recipient.N))?.Remark;

    /// <summary>By recipient: the newest attempt and what it came to.</summary>
    static Dictionary<int, LastAttempt> LastAttempts(IReadOnlyList<MailEvent> events)
    {
        var last = new Dictionary<int, LastAttempt>();
        foreach (var happened in events)
        {
            foreach (var (n, outcome, verdict, _) in happened.Attempt?.Outcomes ?? [])
                last[n] = new LastAttempt(happened, outcome, verdict);
            if (happened is { Feedback.Reply: { } reply, Recipients: [var concerned] } && last.TryGetValue(concerned, out var attempt)
                && Explains(happened.Type) is { } state && attempt.ReportedState != RecipientState.Bounced) // which nothing undoes
                last[concerned] = attempt with { Reported = reply, ReportedState = state };
        }
        return last;
    }

    /// <summary>The state that such a report is the reason for; null when for none.</summary>
    static RecipientState? Explains(MailEventType type) => type switch
    {
        MailEventType.Delivered => RecipientState.Delivered,
        MailEventType.Bounced => RecipientState.Bounced,
        MailEventType.Rejected => RecipientState.Failed,
        _ => null,
    };
}

/// <summary>A recipient's outcome and the event it is part of.</summary>
sealed record LastAttempt(MailEvent Event, Outcome Outcome, string? Verdict)
{
    /// <summary>What was reported afterwards; the recipient shows it while it is in <see cref="ReportedState"/>.</summary>
    public Reply? Reported { get; init; }
    public RecipientState ReportedState { get; init; }

    public Reply ReplyFor(RecipientState state) => Reported is { } reply && state == ReportedState ? reply : Outcome.Reply;
}

/// <summary>A message row without its content.</summary>
sealed class MessageHead
{
    public long Id { get; init; }
    public int Tenant { get; init; }
    public MailStream Stream { get; init; }
    public long? Batch { get; init; }
    public long? Schedule { get; init; }
    public string Route { get; init; } = "";
    public long? SendAt { get; init; }
    public long Expires { get; init; }
    public string? Tags { get; init; }
    public string? Metadata { get; init; }
    public string? Sender { get; init; }
    public string? Subject { get; init; }

    public Mailbox From => StoredAddress.ParseMailbox(
        Sender ?? throw new InvalidDataException($"Message {new MessageId(Id)} has no sender: the database is damaged."));
}

/// <summary>A row of recipients.</summary>
sealed class RecipientLine
{
    public long Message { get; init; }
    public int N { get; init; }
    public int Envelope { get; init; }
    public RecipientKind Kind { get; init; }
    public string Address { get; init; } = "";
    public string? Name { get; init; }
    public RecipientState State { get; init; }
    public HeldReason Held { get; init; }
    public int Tries { get; init; }
    public long Updated { get; init; }

    /// <param name="row">Its queue row; null when it has ended.</param>
    /// <param name="suppressed">What the suppression list had of it, where that ended it: no earlier reply did.</param>
    public RecipientView View(QueueLine? row, LastAttempt? last, string? suppressed, ReadDialect dialect, long now) => new()
    {
        N = N,
        Mailbox = StoredAddress.Mailbox(Name, Address),
        Kind = Kind,
        State = row?.Shown(now) ?? State,
        WaitReason = row?.ShownWait ?? WaitReason.None,
        HeldReason = Held,
        StatusCode = last?.ReplyFor(State).Code is > 0 and var code ? code : null,
        EnhancedCode = last?.ReplyFor(State).Enhanced,
        StatusReason = suppressed ?? (State == RecipientState.Failed ? last?.Verdict : null) ?? last?.ReplyFor(State).Text,
        Transport = last?.Event.Attempt?.Transport,
        ProviderId = last?.Outcome.ProviderId,
        Tries = row?.Tries ?? Tries,
        LastAttemptAt = last?.Event.At,
        NextAttemptAt = row is { State: RecipientState.Queued or RecipientState.Unknown }
            ? DateTimeOffset.FromUnixTimeMilliseconds(row.Due)
            : null,
        Worker = row?.Node is { } node ? dialect.NodeName(node) : last?.Event.Worker,
        UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Updated),
    };
}

/// <summary>What people see of a queue row.</summary>
sealed class QueueLine
{
    public long Message { get; init; }
    public int N { get; init; }
    public RecipientState State { get; init; }
    public int Gate { get; init; }
    public WaitReason Wait { get; init; }
    public long Due { get; init; }
    public int Tries { get; init; }
    public int? Node { get; init; }

    /// <summary>A row that waits for its time, never tried, is scheduled.</summary>
    public RecipientState Shown(long now) =>
        State == RecipientState.Queued && Wait == WaitReason.Scheduled && Tries == 0 && Due > now ? RecipientState.Scheduled : State;

    public WaitReason ShownWait => State == RecipientState.Queued && Gate == 2 ? WaitReason.Ordering : Wait;
}

/// <summary>A row of events.</summary>
sealed class EventLine
{
    public long Id { get; init; }
    public long Message { get; init; }
    public MailEventType Type { get; init; }
    public long At { get; init; }
    public int? Node { get; init; }
    public byte[] Details { get; init; } = [];

    public MailEvent ToEvent(ReadDialect dialect)
    {
        var details = EventCodec.Read(Details);
        return new MailEvent(Id, new MessageId(Message), Type, DateTimeOffset.FromUnixTimeMilliseconds(At), details.Recipients)
        {
            Remark = details.Remark,
            Worker = Node is { } node ? dialect.NodeName(node) : null,
            Attempt = details.Attempt,
            Feedback = details.Feedback,
        };
    }
}
