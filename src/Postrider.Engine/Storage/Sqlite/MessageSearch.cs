using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Sqlite;

/// <summary>Lists messages by a filter: the most telling part of it yields candidates in the order of ids, the rest is tested on them.</summary>
/// <remarks>A filter that finds little is cut after <see cref="Budget"/>, with the place where the search goes on.</remarks>
sealed class MessageSearch(DbConnection connection, TenantId tenant, MessageFilter filter, SearchIndex index, string nodeName, TimeProvider clock)
{
    static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(400);

    /// <summary>Candidates fetched at a time.</summary>
    const int Step = 200;

    readonly long _now = clock.GetUtcNow().ToUnixTimeMilliseconds();
    readonly bool _ascending = filter is { After: not null, Before: null };

    // The ids that may still come: both ends exclusive.
    long _above = Lower(filter);
    long _below = Upper(filter);

    public MessagePage Run()
    {
        var limit = Math.Clamp(filter.Limit, 1, 100);
        var started = clock.GetTimestamp();
        var found = new List<MessageView>();
        var exhausted = false;
        while (found.Count <= limit && !exhausted && clock.GetElapsedTime(started) < Budget)
        {
            var candidates = NextCandidates(Math.Max(Step, limit + 1));
            exhausted = candidates.Count == 0;
            foreach (var view in Matching(candidates))
                found.Add(view);
            if (!exhausted)
                MoveOn(candidates[^1]);
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

    void MoveOn(long last)
    {
        if (_ascending)
            _above = last;
        else
            _below = last;
    }

    IReadOnlyList<long> NextCandidates(int count)
    {
        if (_above >= _below)
            return [];
        if (filter.Address is { } address)
            return StoredAddress.TryParse(address, out var parsed) ? ByHash(StoredAddress.SearchHash(tenant, parsed), count) : [];
        if (filter.Tag is { } tag)
            return ByHash(StoredAddress.SearchHash(tenant, tag), count);
        return filter.State switch
        {
            RecipientState.Scheduled or RecipientState.Queued or RecipientState.Leased or RecipientState.Unknown =>
                ByRange("queue", "message", "tenant = @tenant AND state = @state", count),
            RecipientState.Held or RecipientState.Bounced or RecipientState.Failed or RecipientState.Expired or RecipientState.Suppressed or RecipientState.Cancelled =>
                ByRange("recipients", "message", "state = @state", count),
            RecipientState.Sent or RecipientState.Delivered or null => ByRange("messages", "id", "tenant = @tenant", count),
        };
    }

    List<long> ByRange(string table, string id, string condition, int count)
    {
        var state = filter.State is RecipientState.Scheduled ? RecipientState.Queued : filter.State;
        // The state is text of ours, not a parameter, so that partial indexes are seen to fit.
        var where = condition.Replace("@state", ((int)(state ?? 0)).ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        return connection.Query<long>($"""
            SELECT DISTINCT {id} FROM {table} WHERE {where} AND {id} > @above AND {id} < @below ORDER BY {id} {(_ascending ? "ASC" : "DESC")} LIMIT @count
            """, new { tenant = tenant.Value, above = _above, below = _below, count }).AsList();
    }

    IReadOnlyList<long> ByHash(long hash, int count)
    {
        var (runs, waiting) = index.Look(hash);
        var found = new SortedSet<long>(waiting.Where(id => id > _above && id < _below));
        // From the near end: once enough are nearer than all that is left, the rest cannot matter.
        foreach (var run in _ascending ? runs.OrderBy(r => r.Low) : runs.OrderByDescending(r => r.High))
        {
            if (run.High <= _above || run.Low >= _below)
                continue;
            if (found.Count >= count && (_ascending ? run.Low > found.ElementAt(count - 1) : run.High < found.Reverse().ElementAt(count - 1)))
                break;
            found.UnionWith(connection.Query<long>($"""
                SELECT message FROM search WHERE bucket = @bucket AND hash = @hash AND message > @above AND message < @below
                ORDER BY message {(_ascending ? "ASC" : "DESC")} LIMIT @count
                """, new { bucket = run.Bucket, hash, above = _above, below = _below, count }));
        }
        return [.. (_ascending ? found : found.Reverse()).Take(count)];
    }

    List<MessageView> Matching(IReadOnlyList<long> candidates)
    {
        if (candidates.Count == 0)
            return [];
        var heads = MessageQueries.FindHeads(connection, candidates).FindAll(MatchesHead);
        var views = MessageQueries.Views(connection, heads, nodeName, _now, withEvents: false).FindAll(MatchesRecipients);
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
        && (filter.Address is not { } address || view.Recipients.Any(r => IsSame(r, address)));

    static bool IsSame(RecipientView recipient, string address) =>
        StoredAddress.TryParse(address, out var parsed) && StoredAddress.Normal(recipient.Mailbox.Address) == StoredAddress.Normal(parsed);

    static long Lower(MessageFilter filter)
    {
        var lower = -1L;
        if (filter.From is { } from)
            lower = Math.Max(lower, MessageId.Create(from.ToUnixTimeMilliseconds(), 0, 0).Value - 1);
        if (filter.After is { } after)
            lower = Math.Max(lower, after.Value);
        if (filter.Batch is { } batch)
            lower = Math.Max(lower, batch.Value);
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
