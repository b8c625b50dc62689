using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Sqlite;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>A disk that really fills up: a file system of 32 MB in memory.</summary>
public sealed class SqliteFullDiskTests
{
    static readonly QueueKey Key = StoredMails.Key;
    static readonly Incarnation Node = new(0, 1);
    static readonly StorageOptions Options = new() { BallastBytes = 4 << 20, MinFreeBytes = 4 << 20 };

    readonly StoredMails _mails = new(TimeProvider.System);

    [Fact]
    public async Task When_the_disk_fills_up_outcomes_are_recorded_nothing_is_lost_and_it_recovers()
    {
        Requires.Root();
        using var disk = new SmallDisk();
        var accepted = new List<MessageId>();
        var filler = Path.Combine(disk.Folder, "filler");
        await using (var store = Open(disk))
        {
            for (var i = 0; i < 50; i++)
                accepted.Add(await AcceptAsync(store, "Hello"));
            var leases = await store.LeaseAsync(Key, 50, Node, TimeProvider.System.GetUtcNow(), alone: false, default);
            Fill(filler);

            // The store looks at the disk four times a second: until then the disk itself refuses.
            var tried = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
            {
                try
                {
                    return await AcceptAsync(store, new string('x', 100_000));
                }
                catch (StorageLowException)
                {
                    return (MessageId?)null;
                }
            }));

            Assert.Contains(null, tried);
            accepted.AddRange(tried.OfType<MessageId>());
            foreach (var lease in leases)
                Assert.Equal(RecordResult.Applied, await store.RecordAsync(_mails.Sent(lease)));
            Assert.False(File.Exists(Path.Combine(disk.Folder, "postrider.db.ballast")));
            Assert.Null(store.Health.Fault);
            Assert.Empty(await store.LeaseAsync(Key, 50, Node, TimeProvider.System.GetUtcNow(), alone: false, default));

            File.Delete(filler);
            await RecoveredAsync(store, accepted);
        }
        await using var again = Open(disk);
        foreach (var id in accepted)
            Assert.True(await again.ExistsAsync(id, default));
    }

    static SqliteStore Open(SmallDisk disk) =>
        SqliteStore.Open(Path.Combine(disk.Folder, "postrider.db"), Options, TimeProvider.System, NullLogger<SqliteStore>.Instance);

    async Task RecoveredAsync(SqliteStore store, List<MessageId> accepted)
    {
        for (var started = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                accepted.Add(await AcceptAsync(store, "after"));
                return;
            }
            catch (StorageLowException) when (TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }

    /// <summary>Takes what is free, to the last page.</summary>
    static void Fill(string path)
    {
        using var file = File.Create(path, bufferSize: 0);
        foreach (var size in (int[])[1 << 20, 4096])
        {
            var block = new byte[size];
            try
            {
                while (true)
                    file.Write(block);
            }
            catch (IOException)
            {
                // Full.
            }
        }
    }

    async Task<MessageId> AcceptAsync(SqliteStore store, string text)
    {
        var message = _mails.Make("a@example.org", text: text);
        await store.AcceptAsync(StoredMails.Accept(message), default);
        return message.Id;
    }

    sealed class SmallDisk : IDisposable
    {
        readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-disk-");

        public SmallDisk()
        {
            Assert.True(Ran("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", Folder), "mount");
        }

        public string Folder => _folder.FullName;

        public void Dispose()
        {
            Ran("umount", Folder);
            _folder.Delete(recursive: true);
        }

        static bool Ran(string program, params string[] arguments)
        {
            using var process = Process.Start(program, arguments);
            process.WaitForExit();
            return process.ExitCode == 0;
        }
    }
}
