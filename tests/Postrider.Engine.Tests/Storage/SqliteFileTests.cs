using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Migrations;
using Postrider.Storage.Sqlite;
using Postrider.Testing;
using SQLitePCL;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What concerns the file: settings, its lock, what is missing or damaged, and a disk without room.</summary>
public sealed class SqliteFileTests : IAsyncDisposable
{
    static readonly QueueKey Key = StoredMails.Key;
    static readonly Incarnation Node = new(0, 1);

    readonly ManualClock _clock = new();
    readonly StoredMails _mails;
    readonly SqliteUnderTest _under;
    readonly List<DirectoryInfo> _copies = [];

    public SqliteFileTests()
    {
        _mails = new StoredMails(_clock);
        _under = new SqliteUnderTest(_clock, new StorageOptions { BallastBytes = 1 << 20, MinFreeBytes = 10 << 20, NodeName = "here" });
    }

    public async ValueTask DisposeAsync()
    {
        await _under.DisposeAsync();
        _copies.ForEach(c => c.Delete(recursive: true));
    }

    [Fact]
    public void The_bundled_SQLite_is_one_without_known_damage()
    {
        // 3.50.4 keeps its WAL-reset race harmless only with one connection that writes and checkpoints; older ones have more.
        Assert.True(raw.sqlite3_libversion_number() >= 3_050_004, raw.sqlite3_libversion().utf8_to_string());
    }

    [Theory]
    [InlineData("journal_mode", "wal")]
    [InlineData("synchronous", "2")]
    [InlineData("page_size", "8192")]
    [InlineData("wal_autocheckpoint", "0")]
    [InlineData("busy_timeout", "5000")]
    [InlineData("foreign_keys", "1")]
    [InlineData("temp_store", "2")]
    public async Task The_writer_has_the_settings_that_durability_rests_on(string pragma, string value) =>
        Assert.Equal(value, await _under.Sqlite.WriteAsync(c => c.ExecuteScalar<string>($"PRAGMA {pragma}")));

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Nobody_else_may_read_the_database_its_log_or_its_folder()
    {
        var data = Path.Combine(_under.Folder.FullName, "made", "here");
        await using var store = SqliteStore.Open(Path.Combine(data, "postrider.db"),
            new StorageOptions { BallastBytes = 1 << 20, MinFreeBytes = 1 }, _clock,
            NullLogger<SqliteStore>.Instance);
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(owner | UnixFileMode.UserExecute, File.GetUnixFileMode(data));
        foreach (var file in Directory.GetFiles(data))
            Assert.Equal((Path.GetFileName(file), owner), (Path.GetFileName(file), File.GetUnixFileMode(file)));
        Assert.True(Directory.GetFiles(data).Length >= 4); // database, log, lock, reserve
    }

    [Fact]
    public void A_disk_that_cannot_be_asked_stops_nothing()
    {
        var asked = 0;
        var space = new DiskSpace(Path.Combine(_under.Folder.FullName, "x.db"), new StorageOptions { BallastBytes = 0, MinFreeBytes = 1 },
            _clock,
            NullLogger.Instance, () => ++asked == 1 ? 1 << 30 : throw new IOException("the mount is away"));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(space.IsLow); // as it was
        Assert.Equal(2, asked);
        var database = Path.Combine(_under.Folder.FullName, "y.db");
        var kept = new DiskSpace(database, new StorageOptions { BallastBytes = 1, MinFreeBytes = 1 }, _clock, NullLogger.Instance, () =>
            1 << 30);
        File.Delete(database + ".ballast");
        Directory.CreateDirectory(database + ".ballast"); // cannot be deleted as a file
        kept.Release();
        Assert.True(kept.IsLow);
    }

    [Fact]
    public async Task A_message_that_cannot_be_read_is_held_with_the_reason_and_the_rest_goes_on()
    {
        var bad = await AcceptAsync("a@example.org");
        await AcceptAsync("b@example.org");
        await _under.Sqlite.WriteAsync(c => c.Execute("UPDATE messages SET content = x'0200ff' WHERE id = @id", new { id = bad.Value }));
        var leases = await _under.Store.LeaseAsync(Key, 10, Node, _clock.GetUtcNow(), alone: false, default);
        Assert.Equal("b@example.org", Assert.Single(leases).Recipients[0].Mailbox.Address.ToString());
        var view = await _under.Reader.GetAsync(TenantId.First, bad, default);
        Assert.Equal((RecipientState.Held, HeldReason.Poison), (view!.Recipients[0].State, view.Recipients[0].HeldReason));
        Assert.StartsWith("The stored message cannot be read", view.Events[^1].Remark);
    }

    [Fact]
    public async Task A_database_that_another_program_holds_is_waited_out_and_stops_nothing()
    {
        await _under.Sqlite.WriteAsync(c => c.Execute("PRAGMA busy_timeout = 20"));
        using var other = new SqliteConnection($"Data Source={_under.Path};Pooling=False");
        other.Open();
        other.Execute("BEGIN IMMEDIATE");
        var away = await Assert.ThrowsAsync<StoreUnavailableException>(() => AcceptAsync("a@example.org"));
        Assert.False(away.MayHaveCommitted || away.IsForGood);
        other.Execute("ROLLBACK");
        await AcceptAsync("a@example.org");
    }

    [Fact]
    public async Task Readers_cannot_write() =>
        await Assert.ThrowsAsync<SqliteException>(() => _under.Sqlite.ReadAsync(c => c.Execute("DELETE FROM messages"), default));

    [Fact]
    public async Task A_read_that_takes_too_long_is_cut()
    {
        using var started = new ManualResetEventSlim();
        var endless = _under.Sqlite.ReadAsync(c =>
        {
            started.Set();
            return c.ExecuteScalar<long>("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n");
        }, default);
        started.Wait(TimeSpan.FromSeconds(30));
        _clock.Advance(TimeSpan.FromSeconds(6));

        await Assert.ThrowsAsync<TimeoutException>(() => endless);
        Assert.Equal(1, await _under.Sqlite.ReadAsync(c => c.ExecuteScalar<long>("SELECT 1"), default));
    }

    [Fact]
    public void A_second_store_on_the_same_file_is_refused_at_once()
    {
        var refused = Assert.Throws<StoreInUseException>(() => _under.Open());

        Assert.Contains(".lock", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_an_unclean_end_the_mail_is_there()
    {
        var id = await AcceptAsync("a@example.org");

        await using var revived = OpenCopy(_ => { });

        Assert.Equal(id, Assert.Single(await revived.LeaseAsync(Key, 1, Node, _clock.GetUtcNow(), alone: false, default)).Message.Id);
        Assert.NotNull(await revived.GetAsync(TenantId.First, id, default));
    }

    [Fact]
    public async Task Ids_continue_after_the_stored_ones_even_when_the_clock_was_set_back()
    {
        Assert.Null(_under.Sqlite.NewestAtStart);
        var stored = await AcceptAsync("a@example.org");
        await _under.ReopenAsync();
        var ids = new MessageIds(new ManualClock(_clock.GetUtcNow() - TimeSpan.FromDays(1)));

        ids.ContinueAfter(_under.Sqlite.NewestAtStart!.Value);

        Assert.Equal(stored, _under.Sqlite.NewestAtStart);
        Assert.True(ids.Next().Value > stored.Value);
    }

    [Fact]
    public async Task A_missing_log_after_an_unclean_end_is_not_passed_over()
    {
        await AcceptAsync("a@example.org");

        Assert.Contains("-wal", Assert.Throws<StoreUnusableException>(() => OpenCopy(path => File.Delete(path + "-wal"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_vanished_does_not_come_up_empty()
    {
        await AcceptAsync("a@example.org");

        Assert.Throws<StoreUnusableException>(() => OpenCopy(File.Delete));
        Assert.Throws<StoreUnusableException>(() => OpenCopy(path => File.WriteAllBytes(path, [])));
    }

    [Fact]
    public async Task A_database_without_its_lock_file_begins_anew_only_when_both_are_gone()
    {
        await AcceptAsync("a@example.org");

        await using var anew = OpenCopy(path =>
        {
            foreach (var file in Directory.GetFiles(Path.GetDirectoryName(path)!))
                File.Delete(file);
        });

        Assert.Empty(await anew.DueKeysAsync(default));
    }

    [Fact]
    public async Task A_truncated_database_is_refused()
    {
        await FillAsync(200);
        await _under.ReopenAsync(); // carries the log over, so that the pages are in the file

        Assert.Throws<StoreUnusableException>(() => OpenCopy(path => Cut(path, 0.5)));
        Assert.Throws<StoreUnusableException>(() => OpenCopy(path => Cut(path, 0.01)));
    }

    [Fact]
    public async Task Damaged_pages_are_found_after_an_unclean_end()
    {
        await FillAsync(200);
        await _under.ReopenAsync();
        var found = 0;
        for (var page = 0; page < 20; page++)
        {
            try
            {
                // The head of the page: what points to the cells.
                await using var damaged = OpenCopy(path => Overwrite(path, page * 8192 + 3, [0xFF, 0xFF, 0xFF, 0xFF]));
            }
            catch (StoreUnusableException)
            {
                found++;
            }
        }

        Assert.InRange(found, 15, 20); // a free or overflow page has no cells to point to
    }

    [Fact]
    public async Task A_damaged_page_that_is_met_while_running_stops_the_store()
    {
        await FillAsync(400);
        await _under.ReopenAsync();
        await using var damaged = OpenCopy(_ => { });
        var path = Path.Combine(_copies[^1].FullName, Path.GetFileName(_under.Path));
        for (var page = 1; page < new FileInfo(path).Length / 8192; page++)
            Overwrite(path, page * 8192, [0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE]);
        var failed = new TaskCompletionSource();
        using var watching = damaged.Health.Failed.Register(failed.SetResult);

        await Assert.ThrowsAsync<StoreUnavailableException>(async () =>
        {
            foreach (var lease in await damaged.LeaseAsync(Key, 400, Node, _clock.GetUtcNow(), alone: false, default))
                await damaged.GetAsync(TenantId.First, lease.Message.Id, default);
        });
        await failed.Task;
        await Assert.ThrowsAsync<StoreUnavailableException>(() => damaged.AcceptAsync(Acceptance("b@example.org"), default));
        await Assert.ThrowsAsync<StoreUnavailableException>(() => damaged.DueKeysAsync(default));
    }

    [Fact]
    public async Task A_newer_schema_is_refused_with_the_remedy()
    {
        await _under.Sqlite.WriteAsync<int>(c => c.Execute("INSERT INTO schema_version (version, name, applied_at) VALUES (1000, 'x', 0)"));

        Assert.Contains("newer", Assert.Throws<StoreUnusableException>(() => OpenCopy(_ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Migrations_are_numbered_without_gaps() =>
        Assert.Equal(Enumerable.Range(1, SqliteMigrations.All.Count), SqliteMigrations.All.Select(m => m.Version));

    [Fact]
    public async Task With_little_disk_left_nothing_is_accepted_or_leased_but_outcomes_are_recorded()
    {
        var id = await AcceptAsync("a@example.org");
        await AcceptAsync("b@example.org");
        var lease = Assert.Single(await _under.Store.LeaseAsync(Key, 1, Node, _clock.GetUtcNow(), alone: false, default));
        _under.FreeBytes = 5 << 20;
        _clock.Advance(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAsync<StorageLowException>(() => AcceptAsync("c@example.org"));
        Assert.Empty(await _under.Store.LeaseAsync(Key, 1, Node, _clock.GetUtcNow(), alone: false, default));
        Assert.Equal(RecordResult.Applied, await _under.Store.RecordAsync(_mails.Sent(lease)));
        Assert.Equal(RecipientState.Sent, (await _under.Reader.GetAsync(TenantId.First, id, default))!.Recipients[0].State);

        _under.FreeBytes = 1L << 40;
        _clock.Advance(TimeSpan.FromSeconds(1));
        await AcceptAsync("d@example.org");
        Assert.Equal(2, (await _under.Store.LeaseAsync(Key, 9, Node, _clock.GetUtcNow(), alone: false, default)).Count);
    }

    [Fact]
    public async Task A_full_disk_gives_up_the_reserve_and_gets_it_back()
    {
        var ballast = _under.Path + ".ballast";
        Assert.Equal(1 << 20, new FileInfo(ballast).Length);
        var lease = await LeasedAsync("a@example.org");
        var pages = await _under.Sqlite.WriteAsync(c => c.ExecuteScalar<long>("PRAGMA page_count"));
        await SetMaxPagesAsync(pages); // SQLite answers SQLITE_FULL, as for a full disk

        var refused = 0;
        for (var i = 0; i < 20 && refused == 0; i++)
            refused += await IsRefusedAsync(new string('x', 50_000)) ? 1 : 0;

        Assert.Equal(1, refused);
        Assert.False(File.Exists(ballast));
        Assert.True(await IsRefusedAsync("small")); // low until the disk is seen to have room again
        await SetMaxPagesAsync(1 << 30);
        Assert.Equal(RecordResult.Applied, await _under.Store.RecordAsync(_mails.Sent(lease)));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await IsRefusedAsync("small"));
        Assert.True(File.Exists(ballast));
        Assert.Null(_under.Sqlite.Health.Fault);
    }

    [Fact]
    public async Task An_outcome_that_finds_the_disk_full_is_told_to_come_again()
    {
        var lease = await LeasedAsync("a@example.org");
        await SetMaxPagesAsync(await _under.Sqlite.WriteAsync(c => c.ExecuteScalar<long>("PRAGMA page_count")));
        var large = _mails.Sent(lease) with { Remarks = [new string('x', 100_000)] };

        await Assert.ThrowsAsync<StoreUnavailableException>(() => _under.Store.RecordAsync(large));
        await SetMaxPagesAsync(1 << 30);
        Assert.Equal(RecordResult.Applied, await _under.Store.RecordAsync(large));
    }

    Task SetMaxPagesAsync(long pages) => _under.Sqlite.WriteAsync(c => { c.Execute($"PRAGMA max_page_count = {pages}"); });

    async Task<bool> IsRefusedAsync(string text)
    {
        try
        {
            await AcceptAsync("b@example.org", text);
            return false;
        }
        catch (StorageLowException)
        {
            return true;
        }
    }

    async Task<Lease> LeasedAsync(string to)
    {
        await AcceptAsync(to);
        return Assert.Single(await _under.Store.LeaseAsync(Key, 1, Node, _clock.GetUtcNow(), alone: false, default));
    }

    async Task<MessageId> AcceptAsync(string to, string text = "Hello")
    {
        var acceptance = Acceptance(to, text);
        await _under.Store.AcceptAsync(acceptance, default);
        return acceptance.Messages[0].Id;
    }

    Task<MessageId[]> FillAsync(int messages) =>
        Task.WhenAll(Enumerable.Range(0, messages).Select(i => AcceptAsync($"r{i}@example.org", new string('x', 3000))));

    Acceptance Acceptance(string to, string text = "Hello") => StoredMails.Accept(_mails.Make(to, text: text));

    /// <summary>Opens a copy of the files as they are on disk now: what the next process finds after a kill.</summary>
    SqliteStore OpenCopy(Action<string> change)
    {
        var folder = Directory.CreateTempSubdirectory("postrider-copy-");
        _copies.Add(folder);
        foreach (var file in _under.Folder.GetFiles().Where(f => !f.Name.EndsWith("-shm", StringComparison.Ordinal)))
            CopyShared(file.FullName, Path.Combine(folder.FullName, file.Name));
        var path = Path.Combine(folder.FullName, Path.GetFileName(_under.Path));
        change(path);
        return SqliteStore.Open(path, _under.Options, _clock, Microsoft.Extensions.Logging.Abstractions.NullLogger<SqliteStore>.Instance);
    }

    static void CopyShared(string from, string to)
    {
        // The lock file is locked: its words are known.
        if (from.EndsWith(".lock", StringComparison.Ordinal))
        {
            File.WriteAllText(to, "in use");
            return;
        }
        using var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var target = File.Create(to);
        source.CopyTo(target);
    }

    static void Cut(string path, double part)
    {
        using var file = File.OpenWrite(path);
        file.SetLength((long)(file.Length * part) / 512 * 512);
    }

    static void Overwrite(string path, long at, byte[] bytes)
    {
        using var file = File.OpenWrite(path);
        if (at + bytes.Length > file.Length)
            return;
        file.Position = at;
        file.Write(bytes);
    }
}
