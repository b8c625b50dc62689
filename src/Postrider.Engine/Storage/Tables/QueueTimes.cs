using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>Times in the queue that a wrong wall clock has written.</summary>
static class QueueTimes
{
    /// <summary>When a row should be due at the latest. Those of the first kind are due when they are written, or within seconds.</summary>
    const string Latest = "CASE WHEN state = 1 AND wait IN (0, 5, 8, 10, 11) THEN @now ELSE @latest END";

    /// <summary>A time of its own that somebody gave it.</summary>
    const int Scheduled = (int)WaitReason.Scheduled;

    const string Stretch = "(message, n) > (@message, @n) AND (message, n) <= (@lastMessage, @lastN)";

    // By the primary key, as all below: no index knows all that is due later, and one for so rare a need would cost every mail.
    public const string SelectLast = """
        SELECT message, n FROM queue WHERE (message, n) > (@message, @n) ORDER BY message, n LIMIT 1 OFFSET @others
        """;

    /// <param name="passing">How rows in others' hands are passed over, where there are others.</param>
    public static string Update(string passing) => $"""
        UPDATE queue SET due = {Latest} WHERE {Stretch} AND (message, n) IN
            (SELECT message, n FROM queue WHERE {Stretch} AND state IN (1, 3) AND wait <> {Scheduled} AND due > {Latest} {passing})
        """;

    public static Hastened Hasten(DbConnection connection, long now, long latest, EnvelopeId? after, int limit, string passing)
    {
        var (message, n) = after is { } last ? (last.Message.Value, last.N) : (long.MinValue, 0);
        var end = connection.Query<(long Message, int N)>(SelectLast, new { message, n, others = limit - 1 }).AsList();
        var (lastMessage, lastN) = end is [var found] ? found : (long.MaxValue, int.MaxValue);
        var changed = connection.Execute(Update(passing), new { now, latest, message, n, lastMessage, lastN });
        return new Hastened(changed, end is [_] ? new EnvelopeId(new MessageId(lastMessage), lastN) : null);
    }

    /// <summary>The same of one row.</summary>
    public static long DueOf(WaitReason wait, long due, long now, long latest) => wait switch
    {
        WaitReason.Scheduled => due,
        WaitReason.None or WaitReason.NextTransport or WaitReason.Released or WaitReason.Suspect or WaitReason.SentAgain
            => Math.Min(due, now),
        WaitReason.Deferred or WaitReason.TransportThrottled or WaitReason.TransportsUnavailable or WaitReason.Paused
            or WaitReason.Settling or WaitReason.Ordering or WaitReason.TransportBusy or WaitReason.StorageLow => Math.Min(due, latest),
    };
}
