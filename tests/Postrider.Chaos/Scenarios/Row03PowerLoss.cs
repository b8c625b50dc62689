using Microsoft.Data.Sqlite;
using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>The power of the disk under the database is cut: what was not synced is gone.</summary>
sealed class Row03PowerLoss : Scenario
{
    public override string Row => "3";
    public override string Name => "power cut of the disk";
    public override string Invariant => "0 acknowledged mails lost; the database is whole after each cut";
    public override string Control => "commits are not synced (SQLite synchronous=NORMAL; PostgreSQL synchronous_commit=off)";
    public override string? Missing => NeedsRoot
        ?? (!File.Exists("/dev/loop-control") ? "loop devices" : Programs.Find("mkfs.ext4") is null ? "e2fsprogs" : null);

    public override async Task PlayAsync(Stage stage)
    {
        await using var disk = await LoopDisk.CreateAsync(stage.Shared);
        try
        {
            await (stage.IsSqlite ? PlaySqliteAsync(stage, disk) : PlayPostgresAsync(stage, disk));
        }
        finally
        {
            // Nobody may use the disk when it is taken away.
            await stage.DisposeNodesAsync();
        }
    }

    static async Task PlaySqliteAsync(Stage stage, LoopDisk disk)
    {
        stage.Data = Path.Combine(disk.Folder, "data");
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_SYNCHRONOUS"]) = ("1", "NORMAL");
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.StartClient(ClientPlan.Usual with { SendAfter = SendAfter(stage) });
        var place = stage.Places[0];
        for (var cuts = stage.IsControl ? 2 : stage.Bar(5, 200); cuts > 0; cuts--)
        {
            if (stage.IsControl)
                await stage.UntilAcknowledgedAsync(50);
            await Clock.WaitAsync(stage.Random.Next(50, stage.IsControl ? 300 : 1500));
            // All at one instant, as a real cut is. The ioctl is not: it marks the disk dead before it aborts the journal, and an fsync
            // under way meanwhile can report success for what is then gone. Seen once in 80 cuts without this, eight mails of the one
            // commit that was on its way 25 ms before the cut; never in 240 cuts with it.
            await place.Node.FreezeAsync();
            disk.CutPower();
            await place.KillAsync();
            await disk.UnmountAsync();
            await disk.MountAsync();
            CheckIntegrity(stage);
            // One cut in five hits the start: the disk is cut again while the last one is being repaired.
            if (stage.Random.Next(5) > 0 || cuts == 1)
                await place.StartReadyAsync();
            else
                await place.StartAsync();
        }
        await Clock.WaitAsync(1000);
        await FinishAsync(stage);
    }

    static async Task PlayPostgresAsync(Stage stage, LoopDisk disk)
    {
        stage.Postgres = await PostgresServer.CreateAsync(Path.Combine(disk.Folder, "server"));
        await Programs.RunAsync("sync", "-f", disk.Folder); // the making of the server is no part of what is shown
        if (stage.IsControl)
        {
            await stage.Postgres.AskAsync("ALTER SYSTEM SET synchronous_commit = off");
            await stage.Postgres.AskAsync("ALTER SYSTEM SET wal_writer_delay = '10s'");
            await stage.Postgres.AskAsync("SELECT pg_reload_conf()");
            stage.Store = stage.Postgres.Dsn() + "&durability=relaxed";
        }
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.TendNodes();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 300, SendAfter = SendAfter(stage) });
        for (var cuts = stage.IsControl ? 2 : stage.Bar(3, 50); cuts > 0; cuts--)
        {
            if (stage.IsControl)
                await stage.UntilAcknowledgedAsync(50);
            await Clock.WaitAsync(stage.IsControl ? 200 : stage.Random.Next(1000, 3000));
            var struck = Clock.Now;
            await stage.Postgres.LosePowerAsync(disk.CutPower);
            await disk.UnmountAsync();
            await disk.MountAsync();
            await stage.Postgres.StartAfterPowerLossAsync();
            stage.Strike("power cut of the database", struck);
        }
        await Clock.WaitAsync(2000);
        await FinishAsync(stage);
        await stage.Postgres.RunAsync("pg_amcheck", "-h", Path.Combine(disk.Folder, "server"), "-p", $"{stage.Postgres.Port}", "-U", "postgres",
            "--install-missing", "mail");
    }

    // In the control for later: what is lost must not have left before.
    static int SendAfter(Stage stage) => stage.IsControl ? 8 : 0;

    static async Task FinishAsync(Stage stage)
    {
        await stage.StopClientAsync();
        await stage.DrainAsync();
        await stage.RememberStoriesAsync();
    }

    // On a copy: looking at the original would repair it before the product has to.
    static void CheckIntegrity(Stage stage)
    {
        var copy = Directory.CreateDirectory(Path.Combine(stage.Plan.Folder, "copy"));
        // The database and its log; not the lock and the reserve.
        foreach (var file in Directory.GetFiles(stage.Data, "postrider.db*")
            .Where(file => file.EndsWith(".db", StringComparison.Ordinal) || file.EndsWith("-wal", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(copy.FullName, Path.GetFileName(file)));
        var database = Path.Combine(copy.FullName, "postrider.db");
        if (File.Exists(database))
        {
            using var connection = new SqliteConnection($"Data Source={database};Pooling=False");
            connection.Open();
            using var check = connection.CreateCommand();
            check.CommandText = "PRAGMA integrity_check";
            if (check.ExecuteScalar() as string is not "ok" and var fault)
                stage.Broken.Add($"integrity_check after a cut: {fault}");
        }
        copy.Delete(recursive: true);
    }
}
