using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage;

/// <summary>Adds up opens and clicks of batches from the events of their messages.</summary>
static class TrackingSums
{
    /// <summary>Recipients whose events are looked through within the 5 s that a read has.</summary>
    const long MostLookedThrough = 100_000;

    /// <summary>The ids that a batch's messages have, made or not; null: none yet.</summary>
    /// <param name="Total">How many there are.</param>
    public readonly record struct Range(long First, long Total);

    /// <summary>Null: there are more messages than are looked through.</summary>
    public static TrackingCounts? Of(DbConnection connection, IReadOnlyList<Range> batches) =>
        batches.Sum(batch => batch.Total) > MostLookedThrough ? null
            : TrackingCounts.Of(batches.SelectMany(batch => Hits(connection, batch)));

    /// <summary>Null as above, and where there is no such batch.</summary>
    public static TrackingCounts? OfBatch(DbConnection connection, MessageId batch)
    {
        var large = connection.QuerySingleOrDefault<Expansion>(
            "SELECT first, total FROM expansions WHERE batch = @batch", new { batch = batch.Value });
        // Those of a small one follow it.
        Range? all = large is null
            ? connection.ExecuteScalar<long?>("SELECT count FROM batches WHERE id = @batch", new { batch = batch.Value }) is { } count
                ? new Range(batch.Plus(1).Value, count) : null
            : large.First is { } first ? new Range(first, large.Total) : new Range(0, 0);
        return all is { } range ? Of(connection, [range]) : null;
    }

    // Uses events_message. Ids of other nodes lie between those of a batch: what tells them apart is the lowest bits.
    static IEnumerable<(long Who, bool IsClick, bool IsMachine)> Hits(DbConnection connection, Range batch) => batch.Total == 0 ? []
        : connection.Query<(long Message, int Type, byte[] Details)>("""
            SELECT message, CAST(type AS integer) AS type, details FROM events
            WHERE message >= @first AND message <= @last AND type IN (@opened, @clicked) AND (message - @first) % @stride = 0
            """, new
        {
            first = batch.First,
            last = new MessageId(batch.First).Plus(batch.Total - 1).Value,
            opened = (int)MailEventType.Opened,
            clicked = (int)MailEventType.Clicked,
            stride = MessageId.Stride,
        }, buffered: false).Select(e => (
            e.Message, e.Type == (int)MailEventType.Clicked, EventCodec.Read(e.Details).Feedback is { IsMachine: true }));

    sealed class Expansion
    {
        public long? First { get; init; }
        public long Total { get; init; }
    }
}
