using System.Data.Common;
using Dapper;

namespace Postrider.Storage.Tables;

/// <summary>Deletes what schedules leave behind.</summary>
static class OldSchedules
{
    // State 2: archived. Uses schedules_archived (updated), and schedule_runs by its key.
    public const string Are = """
        s.state = 2 AND s.updated < @before
            AND NOT EXISTS (SELECT 1 FROM schedule_runs r WHERE r.schedule = s.id AND (r.ran_at >= @before OR r.told = 0))
        """;

    // Uses lists_own (updated) and schedules_source (source).
    public const string ListsAre = """
        l.name IS NULL AND l.removed IS NULL AND l.updated < @before
            AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.source = l.id AND s.state <> 2)
        """;

    /// <summary>Archived schedules, with the last of their runs: the others have gone by their age.</summary>
    public static int Remove(DbConnection connection, long before, int most)
    {
        var ids = connection.Query<long>($"SELECT s.id FROM schedules s WHERE {Are} ORDER BY s.updated LIMIT @most", new { before, most })
            .AsList();
        foreach (var id in ids)
        {
            connection.Execute("DELETE FROM schedule_runs WHERE schedule = @id", new { id });
            connection.Execute("DELETE FROM schedules WHERE id = @id AND state = 2", new { id });
        }
        return ids.Count;
    }

    /// <summary>Lists that a schedule had as its own before it was changed or archived, or for a change that broke off. Their rows are
    /// cleared away behind this, when no batch reads them.</summary>
    public static int RemoveLists(DbConnection connection, long before, long now, int most) => connection.Execute($"""
        UPDATE lists SET removed = next, gone = gone + count + 1, count = 0, updated = @now WHERE id IN (
            SELECT l.id FROM lists l WHERE {ListsAre} ORDER BY l.updated LIMIT @most)
        """, new { before, now, most });
}
