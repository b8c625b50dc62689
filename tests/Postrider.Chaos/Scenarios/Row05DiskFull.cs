using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>Something else fills the disk under the database to the last byte, and later frees it.</summary>
sealed class Row05DiskFull : Scenario
{
    static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(30);

    public override string Row => "5";
    public override string Name => "disk full";
    public override string Invariant => "503 and nothing else while it is full; 0 lost, outcomes recorded; mail is taken again by itself when there is room";
    public override string Control => "the disk stays full";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];
    public override string? Missing => NeedsRoot ?? (Programs.Find("mkfs.ext4") is null ? "e2fsprogs" : null);

    public override async Task PlayAsync(Stage stage)
    {
        await using var disk = await LoopDisk.CreateAsync(stage.Shared, stage.IsSqlite ? 48 : 400);
        try
        {
            if (stage.IsSqlite)
                stage.Data = Path.Combine(disk.Folder, "data");
            else
                stage.Postgres = await PostgresServer.CreateAsync(Path.Combine(disk.Folder, "server"));
            stage.Settings["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = $"{4 << 20}";
            stage.Settings["POSTRIDER_STORAGE__BALLAST_BYTES"] = $"{4 << 20}";
            stage.StartSink();
            await stage.StartNodesAsync(apis: 1, workers: 1);
            stage.StartClient(ClientPlan.Usual with { PerSecond = 100 });
            for (var times = stage.IsControl ? 1 : stage.Bar(2, 20); times > 0; times--)
                await FillAsync(stage, disk);
            await stage.StopClientAsync();
            if (!stage.IsControl)
                await stage.DrainAsync();
            foreach (var other in stage.Check().Refusals.Select(refusal => refusal.Status).Where(status => status is not 503).Distinct())
                stage.Broken.Add($"a submission was answered {other}, not 503");
            await stage.RememberStoriesAsync();
        }
        finally
        {
            await stage.DisposeNodesAsync();
        }
    }

    static async Task FillAsync(Stage stage, LoopDisk disk)
    {
        await Clock.WaitAsync(2000);
        var struck = Clock.Now;
        var filler = Path.Combine(disk.Folder, "filler");
        Fill(filler);
        await Clock.WaitAsync(stage.Span(4, 20));
        if (!stage.IsControl)
            File.Delete(filler);
        if (stage.Postgres is not null && !stage.IsControl)
            await stage.Postgres.EnsureRunningAsync();
        var freed = Clock.Now;
        while (!stage.Check().AcknowledgedAt.Any(at => at > freed) && Clock.Now - freed < BackWithin.TotalMicroseconds)
            await Clock.WaitAsync(200);
        if (!stage.Check().AcknowledgedAt.Any(at => at > freed))
            stage.Broken.Add($"no mail was taken within {BackWithin.TotalSeconds:0} s of there being room again");
        if (stage.Places.Any(place => place.Node.HasExited))
            stage.Broken.Add("a node ended");
        stage.Strike("full disk", struck);
    }

    static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var size = 1 << 20; size >= 4096; size /= 4)
        {
            try
            {
                while (true)
                    file.Write(new byte[size]);
            }
            catch (IOException)
            {
                // That much does not fit any more.
            }
        }
    }
}
