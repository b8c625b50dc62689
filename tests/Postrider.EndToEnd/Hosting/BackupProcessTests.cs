using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Backups of a built server that takes and sends mail meanwhile, restored after it was killed and its data are gone.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class BackupProcessTests : BuiltServerTests
{
    const string Key = "key-of-the-backups-under-load";
    const int Senders = 8;

    string Database => Path.Combine(Folder, "data", "postrider.db");
    string Backup => Path.Combine(Folder, "safe", "backup.db");

    [Fact]
    public async Task What_was_acknowledged_before_a_backup_under_load_is_there_when_it_is_restored()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        var later = TimeProvider.System.GetUtcNow().AddDays(1);
        var scheduled = await SendAsync(client, "later@example.org", later);
        var held = await SendAsync(client, "defer@example.org", policy: "hold");
        var waits = await SendAsync(client, "defer@example.org");
        using var stop = new CancellationTokenSource();
        var acknowledged = new ConcurrentDictionary<string, string>();
        var load = Task.WhenAll(Enumerable.Range(0, Senders).Select(n => SendUntilAsync(client, n, acknowledged, stop.Token)));
        await Eventually.HoldsAsync(() => acknowledged.Count > 500, TimeSpan.FromMinutes(2));

        var before = acknowledged.ToDictionary();
        // What somebody who knows no better does.
        var copied = Path.Combine(Folder, "copied.db");
        File.Copy(Database, copied);
        Directory.CreateDirectory(Path.GetDirectoryName(Backup)!);
        var url = client.BaseAddress!.ToString();
        var made = await CommandAsync(("POSTRIDER_URL", url), ["backup", Backup, "--with-secrets", "--json"]);
        Assert.True(made.ExitCode == 0, made.Said);
        Assert.Equal(new FileInfo(Backup).Length, (long)JsonNode.Parse(made.Said)!["bytes"]!);
        var after = acknowledged.Count;
        await Eventually.HoldsAsync(() => acknowledged.Count > after, TimeSpan.FromMinutes(1));
        server.Kill();
        await server.WaitForExitAsync();
        await stop.CancelAsync();
        await load;
        client.Dispose();

        // The negative control: the same look finds mail missing in the file that was copied, and it is not taken for a backup.
        Assert.NotEmpty(Missing(copied, before));
        Assert.Empty(Missing(Backup, before));
        Assert.Equal("ok", Ask(Backup, "PRAGMA integrity_check"));
        Directory.Delete(Path.Combine(Folder, "data"), recursive: true);
        var refused = await CommandAsync(null, ["restore", copied]);
        Assert.Equal(2, refused.ExitCode);

        var restored = await CommandAsync(null, ["restore", Backup]);
        Assert.True(restored.ExitCode == 0, restored.Said);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Database));
        (server, client) = await StartAsync(sink);
        foreach (var id in before.Values.Append(scheduled))
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"/emails/{id}")).StatusCode);
        Assert.Equal("scheduled", Status(await client.GetStringAsync($"/emails/{scheduled}")));
        // Whatever the policy says of doubt, that is what is done.
        await Eventually.GetAsync(() => client.GetStringAsync($"/emails/{held}"), text => Status(text) is "held" or "queued");
        await Eventually.HoldsAsync(async () => await UnfinishedAsync(client) == 0, TimeSpan.FromMinutes(2));
        foreach (var to in sink.Messages.SelectMany(m => m.Recipients).CountBy(to => to).Where(to => to.Value > 1).Select(to => to.Key))
            if (before.TryGetValue(to, out var id))
                Assert.Contains("possible duplicate", await client.GetStringAsync($"/emails/{id}"), StringComparison.Ordinal);
        Assert.NotEqual("", Status(await client.GetStringAsync($"/emails/{waits}")));
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
    }

    [Fact]
    public async Task Mail_that_waited_in_a_backup_is_sent_again_as_a_possible_duplicate_or_held()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        using (await client.PostAsync("/pause", TestServer.Json("""{"reason":"the backup"}""")))
        {
        }
        var (again, held) = (await SendAsync(client, "again@example.org"), await SendAsync(client, "held@example.org", policy: "hold"));
        Directory.CreateDirectory(Path.GetDirectoryName(Backup)!);
        var made = await CommandAsync(("POSTRIDER_URL", client.BaseAddress!.ToString()), ["backup", Backup]);
        Assert.True(made.ExitCode == 0, made.Said);
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));

        var taken = await CommandAsync(null, ["restore", Backup]);
        Assert.Equal(2, taken.ExitCode);
        Assert.Contains("--force", taken.Said, StringComparison.Ordinal);
        var restored = await CommandAsync(null, ["restore", Backup, "--force", "--json"]);
        Assert.True(restored.ExitCode == 0, restored.Said);
        var report = JsonNode.Parse(restored.Said)!;
        Assert.Equal((1, 1), ((int)report["sent_again"]!, (int)report["held"]!));
        Assert.True(File.Exists((string)report["aside"]!));

        (server, client) = await StartAsync(sink);
        Assert.Equal(HttpStatusCode.OK, (await client.DeleteAsync("/pause")).StatusCode);
        Assert.Equal("held", Status(await client.GetStringAsync($"/emails/{held}")));
        await Eventually.GetAsync(() => client.GetStringAsync($"/emails/{again}"), text => Status(text) == "sent", TimeSpan.FromMinutes(1));
        Assert.Contains("possible duplicate", await client.GetStringAsync($"/emails/{again}"), StringComparison.Ordinal);
        Assert.DoesNotContain(sink.Messages, m => m.Recipients.Contains("held@example.org"));
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
    }

    [Fact]
    public async Task A_stopped_server_is_copied_too_and_what_is_no_backup_or_in_use_is_refused()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        using (await client.PostAsync("/pause", TestServer.Json("{}")))
        {
        }
        var id = await SendAsync(client, "waits@example.org", policy: "hold");
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
        var copy = Path.Combine(Folder, "copy.db");
        var made = await CommandAsync(null, ["backup", copy]);
        Assert.True(made.ExitCode == 0, made.Said);
        Assert.Contains("master key is not in it", made.Said, StringComparison.Ordinal);
        Assert.Equal(2, (await CommandAsync(null, ["backup", copy])).ExitCode);

        // A server does not start on a copy that was only put in its place.
        File.Copy(copy, Database, overwrite: true);
        server = Start(("POSTRIDER_API_KEY", Key));
        await server.WaitForExitAsync();
        Assert.Equal(74, server.ExitCode);
        Assert.Contains("postrider restore FILE", await server.StandardError.ReadToEndAsync(), StringComparison.Ordinal);

        var restored = await CommandAsync(null, ["restore", copy, "--force", "--nothing-sent-since"]);
        Assert.True(restored.ExitCode == 0, restored.Said);
        (server, client) = await StartAsync(sink);
        Assert.Equal("queued", Status(await client.GetStringAsync($"/emails/{id}")));
        var inUse = await CommandAsync(null, ["restore", copy, "--force"]);
        Assert.Equal(2, inUse.ExitCode);
        Assert.Contains("in use by another process", inUse.Said, StringComparison.Ordinal);
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));

        // Another key opens nothing; half a file is no backup.
        File.WriteAllText(Path.Combine(Folder, "data", "master.key"), Convert.ToBase64String(new byte[32]));
        var otherKey = await CommandAsync(null, ["restore", copy, "--force"]);
        Assert.Equal(2, otherKey.ExitCode);
        Assert.Contains("The master key here is another one", otherKey.Said, StringComparison.Ordinal);
        await using (var file = File.OpenWrite(copy))
            file.SetLength(file.Length / 2);
        Assert.Equal(2, (await CommandAsync(null, ["restore", copy, "--force"])).ExitCode);
    }

    [Fact]
    public async Task A_log_that_a_killed_server_left_without_its_database_is_put_aside_and_not_replayed()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        var before = await SendAsync(client, "before@example.org");
        Directory.CreateDirectory(Path.GetDirectoryName(Backup)!);
        var made = await CommandAsync(("POSTRIDER_URL", client.BaseAddress!.ToString()), ["backup", Backup]);
        Assert.True(made.ExitCode == 0, made.Said);
        var after = await SendAsync(client, "after@example.org");
        client.Dispose();
        server.Kill();
        await server.WaitForExitAsync();
        File.Delete(Database);
        Assert.True(new FileInfo(Database + "-wal").Length > 0);

        var refused = await CommandAsync(null, ["restore", Backup]);
        Assert.True(refused.ExitCode == 2, refused.Said);
        Assert.Contains("postrider.db-wal still", refused.Said, StringComparison.Ordinal);
        var restored = await CommandAsync(null, ["restore", Backup, "--force", "--json"]);
        Assert.True(restored.ExitCode == 0, restored.Said);
        var aside = (string)JsonNode.Parse(restored.Said)!["aside"]!;
        Assert.EndsWith("-wal", aside, StringComparison.Ordinal);
        Assert.True(new FileInfo(aside).Length > 0);
        Assert.False(File.Exists(Database + "-wal"));
        Assert.Equal("ok", Ask(Database, "PRAGMA integrity_check"));
        var ids = new Dictionary<string, string> { ["before"] = before, ["after"] = after };
        Assert.Equal(after, Assert.Single(Missing(Database, ids)));
    }

    [Fact]
    public async Task No_job_and_no_policy_of_a_backup_sends_dead_letters_again()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
        Change(Database, """
            INSERT INTO dead_letter_jobs (tenant, action, filter, per_second, created, created_by, state, done, ended, not_before, revision)
            VALUES (1, 0, '{}', 1, 1, 'key', 0, 0, NULL, 0, 0);
            INSERT INTO dead_letters (tenant, message, n, stream, route, state, reason, transient, tries, redrives, first_at, at)
            VALUES (1, 7, 0, 0, 'default', 14, 'deferred', 1, 1, 0, 1, 1);
            """);
        Directory.CreateDirectory(Path.GetDirectoryName(Backup)!);
        var made = await CommandAsync(null, ["backup", Backup]);
        Assert.True(made.ExitCode == 0, made.Said);
        const string found = "SELECT j.state || ' ' || (j.ended IS NULL) || ' ' || d.transient FROM dead_letter_jobs j, dead_letters d";

        var inOrder = await CommandAsync(null, ["restore", Backup, "--force", "--nothing-sent-since", "--json"]);
        Assert.Equal(0, (int)JsonNode.Parse(inOrder.Said)!["cancelled_jobs"]!);
        Assert.Equal("0 1 1", Ask(Database, found));
        var lost = await CommandAsync(null, ["restore", Backup, "--force", "--json"]);
        Assert.Equal(1, (int)JsonNode.Parse(lost.Said)!["cancelled_jobs"]!);
        Assert.Equal("2 0 0", Ask(Database, found));
    }

    [Fact]
    public async Task A_backup_deletes_what_one_that_broke_off_has_left_and_no_copies_of_people()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        string[] theirs = [Database + ".backup-2026-11-22", Database + ".backup-1", Database + ".copying-by-hand"];
        foreach (var file in theirs.Append(Database + ".copying-1795000000000"))
            await File.WriteAllTextAsync(file, "a copy");
        using (var copy = await client.PostAsync("/backup", null))
            Assert.NotEmpty(await copy.Content.ReadAsByteArrayAsync());
        Assert.All(theirs, file => Assert.True(File.Exists(file), file));
        await Eventually.HoldsAsync(
            () => Directory.GetFiles(Path.GetDirectoryName(Database)!, "*.copying-*").Length == 1, TimeSpan.FromSeconds(30));
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));
    }

    [Fact]
    public async Task Each_restore_puts_the_master_key_aside_under_a_name_of_its_own()
    {
        await using var sink = SmtpSink.Start();
        var (server, client) = await StartAsync(sink);
        Directory.CreateDirectory(Path.GetDirectoryName(Backup)!);
        var made = await CommandAsync(("POSTRIDER_URL", client.BaseAddress!.ToString()), ["backup", Backup, "--with-secrets"]);
        Assert.True(made.ExitCode == 0, made.Said);
        client.Dispose();
        Assert.Equal(0, await StopAsync(server));

        var place = Path.Combine(Folder, "data", "master.key");
        foreach (var n in (byte[])[1, 2])
        {
            var other = Convert.ToBase64String([.. Enumerable.Repeat(n, 32)]);
            await File.WriteAllTextAsync(place, other);
            var restored = await CommandAsync(null, ["restore", Backup, "--force", "--json"]);
            Assert.True(restored.ExitCode == 0, restored.Said);
            var report = JsonNode.Parse(restored.Said)!;
            var aside = (string)report["key_aside"]!;
            Assert.Equal(other, await File.ReadAllTextAsync(aside));
            Assert.Equal(((string)report["aside"]!)[Database.Length..], aside[place.Length..]);
            Assert.Equal((await File.ReadAllTextAsync(Backup + ".key")).Trim(), (await File.ReadAllTextAsync(place)).Trim());
        }
        Assert.Equal(2, Directory.GetFiles(Path.GetDirectoryName(place)!, "master.key.before-*").Length);
    }

    [Fact]
    public async Task Of_PostgreSQL_the_commands_say_what_to_use()
    {
        foreach (var command in (string[])["backup", "restore"])
        {
            var run = await CommandAsync(("POSTRIDER_STORE", "postgres://postrider@127.0.0.1:1/mail"), [command, "x.db"]);
            Assert.Equal(2, run.ExitCode);
            Assert.Contains("pg_dump", run.Said, StringComparison.Ordinal);
        }
    }

    async Task<(Process Server, HttpClient Client)> StartAsync(SmtpSink sink)
    {
        var server = Start(("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"),
            ("POSTRIDER_TRANSPORTS", $"smtp://127.0.0.1:{sink.Port}?tls=none&concurrency=8"));
        var client = new HttpClient { BaseAddress = new Uri(Address().Match(await BannerAsync(server)).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return (server, client);
    }

    /// <summary>Without a server's address the command finds none and looks at the data folder.</summary>
    async Task<(int ExitCode, string Said)> CommandAsync((string, string)? variable, string[] arguments)
    {
        (string, string)[] nowhere = [("POSTRIDER_URLS", $"http://127.0.0.1:{Ports.Free()}"), ("POSTRIDER_API_KEY", Key)];
        var process = Start(arguments, variable is { } given ? [.. nowhere, given] : nowhere);
        var errors = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said + await errors);
    }

    static async Task SendUntilAsync(
        HttpClient client, int sender, ConcurrentDictionary<string, string> acknowledged, CancellationToken stop)
    {
        try
        {
            for (var i = 0; i < 20_000 && !stop.IsCancellationRequested; i++)
            {
                var to = string.Create(CultureInfo.InvariantCulture, $"r{sender}-{i}@example.org");
                acknowledged[to] = await SendAsync(client, to);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException)
        {
            // It was killed; what it did not answer is nobody's.
        }
    }

    static async Task<string> SendAsync(HttpClient client, string to, DateTimeOffset? at = null, string policy = "retry")
    {
        var later = at is { } time ? $",\"send_at\":\"{time:yyyy-MM-ddTHH:mm:ssZ}\"" : "";
        using var answer = await client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"shop@example.com","to":"{{to}}","subject":"Hello","text":"Hi","on_ambiguous":"{{policy}}"{{later}}}"""));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, text);
        return (string)JsonNode.Parse(text)!["id"]!;
    }

    static string Status(string email) => (string)JsonNode.Parse(email)!["recipients"]![0]!["status"]!;

    /// <summary>Envelopes that go by themselves; those to defer@ wait for long.</summary>
    static async Task<int> UnfinishedAsync(HttpClient client)
    {
        var stats = JsonNode.Parse(await client.GetStringAsync("/stats"))!;
        return Math.Max(0, (int)stats["queued"]! + (int)stats["leased"]! + (int)stats["unknown"]! - 2);
    }

    /// <summary>Messages that are not in a database; a file that cannot be read holds none.</summary>
    static List<string> Missing(string database, Dictionary<string, string> ids)
    {
        var there = new HashSet<long>();
        try
        {
            using var connection = new SqliteConnection(Source(database));
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT id FROM messages";
            using var reader = command.ExecuteReader();
            while (reader.Read())
                there.Add(reader.GetInt64(0));
        }
        catch (SqliteException)
        {
            // Not even a table.
        }
        return [.. ids.Values.Where(id => !(MessageId.TryParse(id, out var message) && there.Contains(message.Value)))];
    }

    static string Ask(string database, string sql)
    {
        using var connection = new SqliteConnection(Source(database));
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (string)command.ExecuteScalar()!;
    }

    static void Change(string database, string sql)
    {
        using var connection = new SqliteConnection(Source(database, SqliteOpenMode.ReadWrite));
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    static string Source(string database, SqliteOpenMode mode = SqliteOpenMode.ReadOnly) =>
        new SqliteConnectionStringBuilder { DataSource = database, Mode = mode, Pooling = false }.ToString();

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
