using System.Data.Common;
using Dapper;
using Postrider.Messages;

namespace Postrider.Storage.Tables;

/// <summary>Times in the queue that a wrong wall clock has written.</summary>
static class QueueTimes
{
    /// <summary>They are due when they are written, or within seconds.</summary>
    const string WaitTheirTurn = "(0, 5, 8, 10, 11)";

    /// <summary>A time of its own that somebody gave it.</summary>
    const int Scheduled = (int)WaitReason.Scheduled;

    /// <param name="passing">How rows in others' hands are passed over, where there are others.</param>
    public static int Hasten(DbConnection connection, long now, long latest, string passing) =>
        connection.Execute($"""
            UPDATE queue SET due = @now WHERE (message, n) IN
                (SELECT message, n FROM queue WHERE state = 1 AND wait IN {WaitTheirTurn} AND due > @now {passing})
            """, new { now })
        + connection.Execute($"""
            UPDATE queue SET due = @latest WHERE (message, n) IN
                (SELECT message, n FROM queue WHERE state IN (1, 3) AND wait <> {Scheduled} AND due > @latest {passing})
            """, new { latest });

    /// <summary>The same of one row.</summary>
    public static long DueOf(WaitReason wait, long due, long now, long latest) => wait switch
    {
        WaitReason.Scheduled => due,
        WaitReason.None or WaitReason.NextTransport or WaitReason.Released or WaitReason.Suspect or WaitReason.SentAgain
            => Math.Min(due, now),
        WaitReason.Deferred or WaitReason.TransportThrottled or WaitReason.TransportsUnavailable or WaitReason.Paused
            or WaitReason.Settling or WaitReason.Ordering or WaitReason.TransportBusy => Math.Min(due, latest),
    };
}
