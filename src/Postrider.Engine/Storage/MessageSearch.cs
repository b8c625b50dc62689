using System.Data.Common;
using System.Text;
using System.Text.RegularExpressions;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage;

/// <summary>Lists messages by a filter: the most telling part of it yields candidates in the order of ids, the rest is tested on
/// them.</summary>
/// <remarks>A filter that finds little is cut after <see cref="Budget"/>, with the place where the search goes on.</remarks>
sealed partial class MessageSearch(
    DbConnection connection, TenantId tenant, MessageFilter filter, ReadDialect dialect, TimeProvider clock)
{
    static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(120);

    /// <summary>Most rows looked at between two looks at the clock: 10 ms on a slow machine, and 50 ms where most of them are candidates,
    /// whose recipients and events have to be read.</summary>
    const int LargestStep = 2000;
    const int LargestStepOfCandidates = 250;

    readonly long _now = clock.GetUtcNow().ToUnixTimeMilliseconds();
    readonly bool _ascending = filter is { After: not null, Before: null };

    // The ids that may still come: both ends exclusive.
    long _above = Lower(filter);
    long _below = Upper(filter);

    public MessagePage Run()
    {
        var limit = Math.Clamp(filter.Limit, 1, 100);
        var started = clock.GetTimestamp();
        if (filter.Batch is { } batch)
            KeepWithin(batch);
        var found = new List<MessageView>();
        var exhausted = false;
        // As many as the page needs; where the filter throws most away, more each time.
        var step = limit + 1;
        while (found.Count <= limit && !exhausted && clock.GetElapsedTime(started) < Budget)
        {
            var rows = NextRows(step);
            exhausted = rows.Count < step;
            List<long> candidates = [.. rows.Where(r => r.Fits).Select(r => r.Id).Distinct()];
            foreach (var view in Matching(candidates))
                found.Add(view);
            if (rows.Count > 0)
                MoveOn(rows[^1].Id);
            step = Math.Min(4 * step, candidates.Count > rows.Count / 8 ? LargestStepOfCandidates : LargestStep);
        }
        var more = found.Count > limit;
        if (more)
            found.RemoveRange(limit, found.Count - limit);
        if (_ascending)
            found.Reverse();
        return new MessagePage(found, ContinueBefore(found, more, exhausted));
    }

    MessageId? ContinueBefore(List<MessageView> found, bool more, bool exhausted)
    {
        // Towards newer ones: the page ends at its oldest, and behind that is at least the one it was asked from.
        if (_ascending)
            return found.Count > 0 ? found[^1].Id : filter.After!.Value.Plus(1);
        if (more)
            return found[^1].Id;
        return exhausted ? null : new MessageId(_below);
    }

    /// <summary>Its messages follow each other: those of a large one from where its first is.</summary>
    void KeepWithin(MessageId batch)
    {
        var (count, first, total) = connection.QueryFirstOrDefault<(int? Count, long? First, int? Total)>("""
            SELECT b.count, x.first, x.total FROM batches b LEFT JOIN expansions x ON x.batch = b.id
            WHERE b.id = @id AND b.tenant = @tenant
            """, new { id = batch.Value, tenant = tenant.Value });
        var (above, below) = first is { } start
            ? (start - 1, new MessageId(start).Plus(total ?? 0).Value)
            : (batch.Value, batch.Plus((count ?? 0) + 1).Value);
        (_above, _below) = (Math.Max(_above, above), Math.Min(_below, below));
    }

    void MoveOn(long last)
    {
        if (_ascending)
            _above = last;
        else
            _below = last;
    }

    /// <summary>A row that was looked at, and whether its message is a candidate.</summary>
    readonly record struct Row(long Id, bool Fits);

    /// <summary>The next rows in the order of the search; fewer than <paramref name="count"/> are the last.</summary>
    List<Row> NextRows(int count)
    {
        if (_above >= _below)
            return [];
        if (filter.Address is { } address)
            return StoredAddress.TryParse(address, out var parsed) ? ByHash(StoredAddress.SearchHash(tenant, parsed), count) : [];
        if (filter.Tag is { } tag)
            return ByHash(StoredAddress.SearchHash(tenant, tag), count);
        return filter.State switch
        {
            RecipientState.Scheduled or RecipientState.Queued =>
                ByRange("queue", "message", "tenant = @tenant AND state = 1", "TRUE", count),
            RecipientState.Leased => ByRange("queue", "message", "tenant = @tenant", "state = 2", count),
            RecipientState.Unknown => ByRange("queue", "message", "tenant = @tenant", "state = 3", count),
            RecipientState.Sent or RecipientState.Delivered or null => ByRange("messages", "id", FitsHead(), "TRUE", count),
            { } rare => ByRange(dialect.EndedTable, "message", "TRUE", Rare(rare), count),
        };
    }

    /// <summary>A state that few recipients are in. SQLite takes a partial index only where the index's own condition stands as
    /// well.</summary>
    internal static string Rare(RecipientState state) => $"state = {(int)state} AND state IN (4, 12, 13, 14, 15, 16)";

    const string WholeSubject = "coalesce(subject, (SELECT b.subject FROM batches b WHERE b.id = messages.batch))";

    /// <summary>What the row itself can tell, so that the rest is not read; it may say yes too often, but never no.</summary>
    string FitsHead()
    {
        var fits = "tenant = @tenant";
        if (filter.Subject is { } subject && Ascii.IsValid(subject))
            fits += $" AND {WholeSubject} {dialect.Like} @subject ESCAPE '!'";
        if (filter.Metadata is { } entry && Ascii.IsValid(LabelText.Pair(entry)))
            fits += $" AND metadata {dialect.Like} @metadata ESCAPE '!'";
        return $"coalesce({fits}, FALSE)";
    }

    static string? Pattern(string? text) => text is null ? null : $"%{Special().Replace(text, "!$0")}%";

    [GeneratedRegex("[!%_]")]
    private static partial Regex Special();

    /// <param name="fits">Tested on each row that is looked at.</param>
    /// <param name="indexed">What an index answers; in numbers, not parameters, so that a partial one is seen to fit.</param>
    List<Row> ByRange(string table, string id, string fits, string indexed, int count) =>
        connection.Query<Row>(Select(table, id, fits, indexed, _ascending), new
        {
            tenant = tenant.Value,
            subject = Pattern(filter.Subject),
            metadata = Pattern(filter.Metadata is { } entry ? LabelText.Pair(entry) : null),
            above = _above,
            below = _below,
            count,
        }).AsList();

    internal static string Select(string table, string id, string fits, string indexed, bool ascending) => $"""
        SELECT {id} AS Id, {fits} AS Fits FROM {table}
        WHERE {indexed} AND {id} > @above AND {id} < @below ORDER BY {id} {(ascending ? "ASC" : "DESC")} LIMIT @count
        """;

    List<Row> ByHash(long hash, int count) =>
        dialect.FindByHash(connection, hash, _above, _below, _ascending, count).ConvertAll(id => new Row(id, true));

    List<MessageView> Matching(List<long> candidates)
    {
        if (candidates.Count == 0)
            return [];
        var heads = MessageQueries.FindHeads(connection, dialect, candidates).FindAll(MatchesHead);
        var views = MessageQueries.Views(connection, dialect, heads, _now, withEvents: false).FindAll(MatchesRecipients);
        if (_ascending)
            views.Reverse();
        return views;
    }

    bool MatchesHead(MessageHead head) =>
        head.Tenant == tenant.Value
        && (filter.Batch is not { } batch || head.Batch == batch.Value)
        && (filter.Subject is not { } subject || (head.Subject ?? "").Contains(subject, StringComparison.OrdinalIgnoreCase))
        && (filter.Tag is not { } tag || (head.Tags?.Contains(LabelText.Quote(tag), StringComparison.Ordinal) ?? false))
        && (filter.Metadata is not { } entry || (head.Metadata?.Contains(LabelText.Pair(entry), StringComparison.Ordinal) ?? false));

    bool MatchesRecipients(MessageView view) =>
        (filter.State is not { } state || view.Recipients.Any(r => r.State == state))
        && (filter.Address is not { } address || view.Recipients.Any(r => IsSame(r, address)))
        && (filter.Transport is not { } transport || view.Recipients.Any(r => r.Transport == transport));

    static bool IsSame(RecipientView recipient, string address) =>
        StoredAddress.TryParse(address, out var parsed) && StoredAddress.Normal(recipient.Mailbox.Address) == StoredAddress.Normal(parsed);

    static long Lower(MessageFilter filter)
    {
        var lower = -1L;
        if (filter.From is { } from)
            lower = Math.Max(lower, MessageId.Create(from.ToUnixTimeMilliseconds(), 0, 0).Value - 1);
        if (filter.After is { } after)
            lower = Math.Max(lower, after.Value);
        return lower;
    }

    static long Upper(MessageFilter filter)
    {
        var upper = long.MaxValue;
        if (filter.Until is { } until)
            upper = Math.Min(upper, MessageId.Create(until.ToUnixTimeMilliseconds(), 0, 0).Value);
        if (filter.Before is { } before)
            upper = Math.Min(upper, before.Value);
        return upper;
    }
}
