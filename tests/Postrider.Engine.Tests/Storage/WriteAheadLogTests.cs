using Microsoft.Data.Sqlite;
using Postrider.Storage.Sqlite;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>SQLite stops reading its log at the first frame that is not whole; we see what is behind it.</summary>
public sealed class WriteAheadLogTests : IDisposable
{
    const int Commits = 20;

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-wal-");
    readonly byte[] _log;

    public WriteAheadLogTests()
    {
        var path = Path.Combine(_folder.FullName, "test.db");
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        Run(connection, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t (x)");
        for (var i = 1; i < Commits; i++)
            Run(connection, $"INSERT INTO t VALUES ({i})");
        using var log = new FileStream(path + "-wal", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        _log = new byte[log.Length];
        log.ReadExactly(_log);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Log_that_is_whole_has_nothing_behind_damage() => Assert.Equal(0, CommitsBehindDamage(_log));

    [Fact]
    public void Log_that_ends_within_its_last_transaction_is_taken_for_a_crash()
    {
        Assert.Equal(0, CommitsBehindDamage(_log[..^100]));
        var torn = _log.ToArray();
        torn[^100] ^= 1;
        Assert.Equal(1, CommitsBehindDamage(torn));
    }

    [Fact]
    public void Flipped_bit_in_the_middle_is_found_with_the_commits_behind_it()
    {
        var damaged = _log.ToArray();
        damaged[damaged.Length / 2] ^= 1;
        Assert.InRange(CommitsBehindDamage(damaged), 2, Commits);
    }

    [Fact]
    public void Flipped_bit_in_the_header_is_found()
    {
        var damaged = _log.ToArray();
        damaged[17] ^= 1;
        Assert.True(CommitsBehindDamage(damaged) >= 2);
    }

    [Fact]
    public void Empty_log_is_no_damage() => Assert.Equal(0, CommitsBehindDamage([]));

    static int CommitsBehindDamage(byte[] log)
    {
        using var stream = new MemoryStream(log);
        return WriteAheadLog.CommitsBehindDamage(stream);
    }

    static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
