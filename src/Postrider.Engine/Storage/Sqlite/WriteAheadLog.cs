using System.Buffers.Binary;

namespace Postrider.Storage.Sqlite;

/// <summary>Reads the write-ahead log that an unclean end left, before SQLite does: SQLite takes the first frame that is not whole for the
/// end of the log, whatever follows.</summary>
/// <remarks>
/// Each transaction is synced before the next one is written (<c>synchronous=FULL</c>), so a crash or a power cut leaves at most one that
/// is not whole, the last. Two commits of this log at or behind a bad frame prove that the bad one was synced once, and that mail which was
/// accepted would be gone in silence. https://sqlite.org/fileformat2.html#the_write_ahead_log (read 2026-11).
/// </remarks>
static class WriteAheadLog
{
    const int HeaderBytes = 32;
    const int FrameHeaderBytes = 24;
    const uint Magic = 0x377F0682; // the last bit says that checksums are of big-endian words

    /// <exception cref="StoreUnusableException">It is damaged before its end.</exception>
    public static void RefuseDamaged(string databasePath)
    {
        var path = databasePath + "-wal";
        if (!File.Exists(path))
            return;
        using var log = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1 << 16);
        if (CommitsBehindDamage(log) >= 2)
            throw new StoreUnusableException(
                $"The write-ahead log {path} is damaged: mail that was accepted is behind the damage. Restore database and log from a "
                + $"backup; to go on without what is behind it, delete {databasePath}.lock.");
    }

    /// <summary>Commits that belong to this log, from its first bad frame on; 0 when there is none.</summary>
    internal static int CommitsBehindDamage(Stream log)
    {
        var header = new byte[HeaderBytes];
        if (log.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes)
            return 0;
        var pageBytes = Word(header, 8);
        if ((Word(header, 0) & ~1u) != Magic || pageBytes is < 512 or > 65536)
            return int.MaxValue; // 32 bytes of one sector are written whole or not at all
        var isBigEndian = (Word(header, 0) & 1) == 1;
        var sum = Sum(header.AsSpan(0, 24), isBigEndian, default);
        if (sum != (Word(header, 24), Word(header, 28)))
            return int.MaxValue;
        var frame = new byte[FrameHeaderBytes + (int)pageBytes];
        var (isWhole, commits) = (true, 0);
        while (log.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length)
        {
            var isOfThisLog = frame.AsSpan(8, 8).SequenceEqual(header.AsSpan(16, 8)); // the salts
            if (isWhole)
            {
                sum = Sum(frame.AsSpan(FrameHeaderBytes), isBigEndian, Sum(frame.AsSpan(0, 8), isBigEndian, sum));
                isWhole = isOfThisLog && sum == (Word(frame, 16), Word(frame, 20));
            }
            if (!isWhole && isOfThisLog && Word(frame, 4) != 0) // the size of the database after a commit
                commits++;
        }
        return commits;
    }

    static (uint, uint) Sum(ReadOnlySpan<byte> bytes, bool isBigEndian, (uint First, uint Second) sum)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            sum.First += Read(bytes, isBigEndian) + sum.Second;
            sum.Second += Read(bytes[4..], isBigEndian) + sum.First;
        }
        return sum;
    }

    static uint Read(ReadOnlySpan<byte> bytes, bool isBigEndian) =>
        isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    static uint Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));
}
