using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>A SQLite database with mail in it is damaged while nobody has it: bits flipped, files cut short or gone.</summary>
sealed class Row20Damage : Scenario
{
    public override string Row => "20";
    public override string Name => "a damaged database";
    public override string Invariant => "The start is refused, or the damage is noticed, or all mail is there: never an empty queue in silence";
    public override IReadOnlyList<Engine> Engines => [Engine.Sqlite];
    public override string Control => "what remembers that there was a database is deleted with it";

    public override async Task PlayAsync(Stage stage)
    {
        stage.Transports = "relay=smtp://127.0.0.1:9?tls=none"; // nobody listens there: all of it waits
        await stage.StartNodesAsync();
        var place = stage.Places[0];
        stage.StartClient(ClientPlan.Usual with { PerSecond = 400, Count = 200 });
        await stage.WaitForClientAsync(TimeSpan.FromMinutes(1));
        var mails = stage.Check().Acknowledged.Values.ToList();
        await place.KillAsync();
        var whole = stage.Data + "-whole";
        Copy(stage.Data, whole);
        var (refused, noticed, complete) = (0, 0, 0);
        for (var i = 0; i < (stage.IsControl ? 1 : stage.Bar(14, 200)); i++)
        {
            Directory.Delete(stage.Data, recursive: true);
            Copy(whole, stage.Data);
            var what = stage.IsControl ? Forget(stage.Data) : Damage(stage, i);
            stage.Cycles++;
            await place.StartAsync();
            if (!await place.Node.WaitUntilReadyAsync(TimeSpan.FromSeconds(30)))
            {
                refused++;
                await place.Node.KillAsync();
                continue;
            }
            var missing = 0;
            foreach (var mail in mails)
                missing += await place.Node.StateAsync(mail) is null ? 1 : 0;
            if (missing == 0)
                complete++;
            else if (place.Node.HasExited || !await place.Node.IsReadyAsync())
                noticed++;
            else
                stage.Broken.Add($"{what}: {missing} of {mails.Count} mails are gone, and the node says that it is ready");
            await place.Node.KillAsync();
        }
        stage.Notes.Add($"{refused} starts refused, {noticed} times noticed later, {complete} times all mail was there");
        Directory.Delete(stage.Data, recursive: true);
        Copy(whole, stage.Data);
        stage.StartSink();
        await stage.MovedToSinkAsync();
        await stage.DrainAsync();
    }

    static string Forget(string data)
    {
        foreach (var file in Directory.GetFiles(data, "postrider.db*"))
            File.Delete(file);
        return "all files of the database deleted";
    }

    static string Damage(Stage stage, int number)
    {
        var database = Path.Combine(stage.Data, "postrider.db");
        var log = database + "-wal";
        switch (number % 7)
        {
            case 0:
                File.Delete(log);
                return "log deleted";
            case 1:
                File.Delete(database);
                return "database deleted";
            case 2:
                Cut(database, stage.Random.NextDouble());
                return "database cut short";
            case 3:
                File.Delete(log + "x");
                File.Delete(database + "-shm");
                return "index of the log deleted";
            case 4:
                Cut(database, 0);
                return "database empty";
            default:
                var file = number % 2 == 0 ? database : log;
                Flip(stage.Random, file);
                return $"bits of {Path.GetFileName(file)} flipped";
        }
    }

    static void Cut(string path, double share)
    {
        using var file = File.OpenWrite(path);
        file.SetLength((long)(file.Length * share));
    }

    static void Flip(Random random, string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length == 0)
            return;
        var bytes = File.ReadAllBytes(path);
        for (var i = 0; i < 16; i++)
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        File.WriteAllBytes(path, bytes);
    }

    static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
    }
}
