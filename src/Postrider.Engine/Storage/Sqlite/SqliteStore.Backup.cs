using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>Copies of the running database, and what a copy needs before mail may leave from it.</summary>
public sealed partial class SqliteStore
{
    /// <summary>Rows of one transaction: mail does not wait here, but memory does.</summary>
    const int RestoredAtOnce = 500;

    // No name that a person gives a copy of their own: those stay.
    const string CopyEnd = ".copying-";

    /// <summary>Makes a copy beside the database, in a file that the caller deletes. Everything that was acknowledged before the call is in
    /// it.</summary>
    /// <exception cref="IOException">There is no room for it.</exception>
    public async Task<(string Path, BackupMark Mark)> CopyAsync(string version, CancellationToken ct)
    {
        Health.ThrowIfFailed();
        var (size, free) = (new FileInfo(_path).Length, new DriveInfo(Path.GetDirectoryName(_path)!).AvailableFreeSpace);
        if (_disk.IsLow || free < size * 11 / 10)
            throw new IOException($"The copy takes {size >> 20} MB beside {_path}, and {free >> 20} MB of the disk are free.");
        var mark = new BackupMark(_clock.GetUtcNow().Ms, version);
        var to = $"{_path}{CopyEnd}{mark.At}";
        var name = Path.GetFileName(_path) + CopyEnd;
        foreach (var left in Directory.GetFiles(Path.GetDirectoryName(_path)!, name + "*"))
            if (Path.GetFileName(left)[name.Length..] is { Length: > 0 } number && number.All(char.IsAsciiDigit))
                File.Delete(left);   // of a process that ended over it; one that is being read stays readable
        await Task.Run(() =>
        {
            using var reader = OpenReader();
            Watched(() => Done(() => DatabaseCopy.Run(reader, to, mark, static (_, _) => { }, ct)));
        }, ct);
        await WriteAsync(mark.WriteDone);
        return (to, mark);
    }

    /// <summary>Settles what the copy cannot know: mail that waited when it was made may have left since.</summary>
    /// <param name="mayBeSent">False: no server ran since.</param>
    internal async Task<RestoredMail> SettleRestoredAsync(BackupMark mark, bool mayBeSent)
    {
        if (!mayBeSent)
        {
            await WriteAsync(BackupMark.Remove);
            return new RestoredMail(0, 0, 0, 0, 0);
        }
        var now = _clock.GetUtcNow().Ms;
        var (again, held) = (0, 0);
        for ((long, int)? after = (0, 0); after is { } place;)
        {
            var (more, some) = await _writer.RunAsync(session =>
            {
                var rows = Waiting(session, place, now);
                return (Restoring.Run(session, rows, mark, now), rows is [.., var last] ? (last.Message, last.N) : ((long, int)?)null);
            }, isBulk: true);
            (again, held, after) = (again + more.SentAgain, held + more.Held, some);
        }
        return await WriteAsync(connection =>
        {
            // What expands or comes by a schedule would come again, with nothing to tell it from the first time.
            var batches = Change(connection, "UPDATE expansions SET stop = 1 WHERE open = 1 AND stop = 0");
            var schedules = Change(connection, $"UPDATE schedules SET state = 1, due = NULL, change = change + 1 WHERE state = 0 AND due <= {now}");
            // Letters that the lost server had sent again already would go again without a mark: a person decides of them.
            var jobs = Change(connection, $"UPDATE dead_letter_jobs SET state = 2, ended = {now}, revision = revision + 1 WHERE state = 0");
            Change(connection, "UPDATE dead_letters SET transient = 0 WHERE state <> 0 AND transient = 1");
            Change(connection, "DELETE FROM sessions");
            // Places of the feed that were given out after the copy are not given again: as if 100 events had come each millisecond.
            Change(connection, $"UPDATE events SET id = id + {Math.Max(1, now - mark.At) * 100} WHERE id = (SELECT max(id) FROM events)");
            BackupMark.Remove(connection);
            return new RestoredMail(again, held, batches, schedules, jobs);
        });
    }

    static int Change(Microsoft.Data.Sqlite.SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    /// <summary>Rows that were leased, or due by now.</summary>
    static List<QueueRow> Waiting(WriteSession session, (long Message, int N) after, long now)
    {
        using var select = new Statement(session.Database, """
            SELECT message, n FROM queue WHERE (message, n) > (?1, ?2) AND (state = 2 OR (state = 1 AND due <= ?3))
            ORDER BY message, n LIMIT ?4
            """);
        select.With().Add(after.Message).Add(after.N).Add(now).Add(RestoredAtOnce);
        var found = new List<Messages.EnvelopeId>();
        while (select.Step())
            found.Add(new Messages.EnvelopeId(new Messages.MessageId(select.Long(0)), select.Int(1)));
        return [.. found.Select(session.Queue.Find).OfType<QueueRow>()];
    }
}
