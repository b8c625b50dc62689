using System.Data.Common;
using System.Text.Json;
using Dapper;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Rows of the log in the order of commits, and how far the log was looked at.</summary>
/// <param name="Looked">How many were looked at, with those that are not wanted.</param>
/// <param name="HasMore">There are rows behind them.</param>
sealed record FeedRows(IReadOnlyList<FeedRow> Rows, EventCursor LookedAt, int Looked, bool HasMore);

/// <summary>A row of events with its place.</summary>
sealed class FeedRow
{
    public long Transaction { get; init; }
    public long Id { get; init; }
    public long Message { get; init; }
    public MailEventType Type { get; init; }
    public long At { get; init; }
    public int? Node { get; init; }
    public byte[] Details { get; init; } = [];
}

/// <summary>Turns rows of the log into the events that are told outside: one row tells of several messages, or of recipients that were
/// answered differently.</summary>
sealed class EventFeedReader(DbConnection connection, ReadDialect dialect, TenantId tenant, EventFilter filter, TimeProvider clock)
{
    /// <summary>Rows looked at for one page, wanted or not, and how long: a filter that finds little goes on with the next page, and a
    /// read of
    /// the store is cut after 5 s.</summary>
    const int MostLookedAt = 10_000;
    static readonly TimeSpan MostTime = TimeSpan.FromMilliseconds(250);

    /// <summary>Messages whose rows are asked for at once.</summary>
    const int MessagesAtOnce = 100;

    const int MostAddresses = 100;

    readonly Dictionary<long, MessageHead> _heads = [];
    readonly Dictionary<long, List<RecipientLine>> _recipients = [];

    /// <summary>One event that a row tells; of which message and recipients, and how it was answered.</summary>
    sealed record Part(FeedRow Row, int N, string Type, long Message)
    {
        public EventDetails? Details { get; init; }

        /// <summary>Those answered alike, where an attempt is told of.</summary>
        public IReadOnlyList<AttemptOutcome> Outcomes { get; init; } = [];

        public IReadOnlyList<int> Recipients => Outcomes.Count > 0 ? [.. Outcomes.Select(o => o.N)] : Details?.Recipients ?? [];
        public EventCursor Cursor => new(Row.Transaction, Row.Id, N);
    }

    public EventPage Read(EventCursor after, int limit)
    {
        after = dialect.Place(connection, after);
        var found = new List<PublicEvent>();
        var (looked, lookedAt, started) = (0, after, clock.GetTimestamp());
        DateTimeOffset? until = null;
        while (true)
        {
            var rows = dialect.ReadFeed(connection, tenant, lookedAt, filter.Message?.Value, Math.Min(limit + 1, 500));
            var parts = rows.Rows.SelectMany(row => Parts(row, lookedAt)).ToList();
            for (var at = 0; at < parts.Count; at += MessagesAtOnce)
            {
                var some = parts.GetRange(at, Math.Min(MessagesAtOnce, parts.Count - at));
                Load(some);
                foreach (var part in some.Where(Fits))
                {
                    if (found.Count == limit)
                        return new EventPage(found, found[^1].Cursor, HasMore: true) { LookedUntil = until };
                    found.Add(Tell(part));
                    until = DateTimeOffset.FromUnixTimeMilliseconds(part.Row.At);
                }
            }
            looked += rows.Looked;
            until = rows.Rows is [.., var last] ? DateTimeOffset.FromUnixTimeMilliseconds(last.At) : until;
            lookedAt = rows.LookedAt;
            if (!rows.HasMore || looked >= MostLookedAt || clock.GetElapsedTime(started) >= MostTime)
                return new EventPage(found, lookedAt, rows.HasMore) { LookedUntil = until };
        }
    }

    IEnumerable<Part> Parts(FeedRow row, EventCursor after)
    {
        var from = (row.Transaction, row.Id) == (after.Transaction, after.Id) ? after.Part : 0;
        return from == int.MaxValue ? [] : All(row).Where(part => part.N > from && filter.HasType(part.Type)
            && (part.Message != 0 || !filter.OnlyOfMessages) && (filter.Message is not { } only || part.Message == only.Value));
    }

    // Numbered from 1: part 0 is the place before a row.
    static IEnumerable<Part> All(FeedRow row)
    {
        if (row is { Message: 0, Type: MailEventType.Accepted })
            return EventCodec.ReadAccepted(row.Details).Select((message, i) => new Part(row, i + 1, EventNames.Accepted, message));
        var details = EventCodec.Read(row.Details);
        if (details.Attempt is not { } attempt)
            return [new Part(row, 1, EventNames.Of(row.Type), row.Message) { Details = details }];
        return attempt.Outcomes
            .GroupBy(o => (Type: EventNames.OfOutcome(o), o.Outcome.Kind, o.Outcome.Reply.Code, o.Outcome.Reply.Enhanced,
                o.Outcome.Reply.Text, o.Outcome.ProviderId))
            .Select((alike, i) => new Part(row, i + 1, alike.Key.Type, row.Message) { Details = details, Outcomes = [.. alike] });
    }

    void Load(List<Part> parts)
    {
        var ids = parts.Select(p => p.Message).Where(m => m != 0 && !_recipients.ContainsKey(m)).Distinct().ToList();
        if (ids.Count == 0)
            return;
        foreach (var head in MessageQueries.FindHeads(connection, dialect, ids))
            _heads[head.Id] = head;
        foreach (var id in ids)
            _recipients[id] = [];
        foreach (var line in connection.Query<RecipientLine>(
            $"SELECT message, n, address FROM recipients WHERE {dialect.In("message", "ids")} ORDER BY message, n", new { ids }))
            _recipients[line.Message].Add(line);
    }

    bool Fits(Part part)
    {
        if (filter.Batch is null && filter.Tag is null)
            return true;
        return _heads.TryGetValue(part.Message, out var head)
            && (filter.Batch is not { } batch || head.Batch == batch.Value)
            && (filter.Tag is not { } tag || (head.Tags?.Contains(LabelText.Quote(tag), StringComparison.Ordinal) ?? false));
    }

    PublicEvent Tell(Part part) => new()
    {
        Id = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"evt_{part.Row.Id:x}_{part.N}"),
        Type = part.Type,
        CreatedAt = PublicEvent.Instant(DateTimeOffset.FromUnixTimeMilliseconds(part.Row.At)),
        Data = part.Message == 0 ? OfTenant(part) : OfMessage(part),
        Cursor = part.Cursor,
    };

    static EventData OfTenant(Part part)
    {
        using var data = JsonDocument.Parse(part.Details?.Remark ?? "{}");
        return new EventData { Other = data.RootElement.EnumerateObject().ToDictionary(m => m.Name, m => m.Value.Clone()) };
    }

    EventData OfMessage(Part part)
    {
        var head = _heads.GetValueOrDefault(part.Message);
        var (attempt, feedback) = (part.Details?.Attempt, part.Details?.Feedback);
        var outcome = part.Outcomes is [var first, ..] ? first : default;
        var reply = outcome.Outcome?.Reply ?? feedback?.Reply;
        return new EventData
        {
            EmailId = new MessageId(part.Message).ToString(),
            BatchId = head?.Batch is { } batch ? new MessageId(batch).ToString() : null,
            From = head?.From.ToString(),
            To = To(part),
            Subject = head is null ? null : head.Subject ?? "",
            Stream = head?.Stream.ToString().ToLowerInvariant(),
            Tags = head is null ? null : LabelText.ReadTags(head.Tags),
            Metadata = head is null ? null
                : LabelText.ReadMetadata(head.Metadata).DistinctBy(m => m.Name).ToDictionary(m => m.Name, m => m.Value),
            Transport = attempt?.Transport,
            Outcome = outcome.Outcome is { } answered ? JsonNamingPolicy.SnakeCaseLower.ConvertName(answered.Kind.ToString()) : null,
            ProviderId = outcome.Outcome?.ProviderId,
            DurationMs = (long?)attempt?.Duration.TotalMilliseconds,
            Code = reply?.Code is > 0 and var code ? code : null,
            EnhancedCode = reply?.Enhanced,
            Text = reply?.Text,
            Reason = outcome.Verdict ?? part.Details?.Remark,
            Source = feedback?.Source,
            SourceType = feedback?.Type,
            Bounce = feedback?.Bounce,
            SuppressedBy = feedback?.Suppressed,
            Url = feedback?.Url,
            UserAgent = feedback?.UserAgent,
            Ip = feedback?.Ip,
            Machine = feedback?.IsMachine == true ? true : null,
            Worker = part.Row.Node is { } node ? dialect.NodeName(node) : null,
        };
    }

    List<string> To(Part part)
    {
        var all = _recipients.GetValueOrDefault(part.Message) ?? [];
        var of = part.Recipients;
        return [.. all.Where(r => of.Count == 0 || of.Contains(r.N)).Take(MostAddresses).Select(r => r.Address)];
    }
}
