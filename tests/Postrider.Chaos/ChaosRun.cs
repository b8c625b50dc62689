using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Postrider.Chaos;

/// <summary>What is done to the product, how often, and where.</summary>
/// <param name="PowerCuts">Cuts the power of the disk under the database; else kills the process.</param>
/// <param name="RelayRate">Mails a second that leave: less than come in at full load, so that some wait in the queue and some are handed
/// over at once.</param>
/// <param name="Testing">Switches of the product's test mode: negative controls only.</param>
sealed record ChaosPlan(string Name, string Binary, string Folder, int Faults, int Seed, bool PowerCuts, int RelayRate,
    IReadOnlyDictionary<string, string> Testing, bool MustBeRed = false);

/// <summary>One run: sink and client as processes of their own, the product killed again and again under load, then everything drained
/// and the books compared.</summary>
sealed class ChaosRun(ChaosPlan plan)
{
    readonly TimeProvider _clock = TimeProvider.System;
    readonly Random _random = new(plan.Seed);
    readonly List<Fault> _faults = [];
    readonly List<string> _contradictions = [];
    readonly string _clientJournal = Path.Combine(plan.Folder, "client.journal");
    readonly string _sinkJournal = Path.Combine(plan.Folder, "sink.journal");
    readonly int _relayPort = Ports.Free();
    readonly Uri _url = new($"http://127.0.0.1:{Ports.Free()}");

    public async Task<Verdict> RunAsync()
    {
        var start = _clock.GetTimestamp();
        Directory.CreateDirectory(plan.Folder);
        await using var disk = plan.PowerCuts ? await LoopDisk.CreateAsync(plan.Folder) : null;
        var data = Path.Combine(disk?.Folder ?? plan.Folder, "data");
        using var sink = StartSelf("sink", "--port", _relayPort.ToString(CultureInfo.InvariantCulture), "--journal", _sinkJournal);
        using var client = StartSelf("client", "--url", _url.ToString(), "--journal", _clientJournal);
        try
        {
            for (var i = 0; i < plan.Faults; i++)
                await FaultAsync(data, disk);
            await using var server = StartServer(data);
            if (!await server.WaitUntilReadyAsync(TimeSpan.FromSeconds(60)))
                _contradictions.Add("the server did not come back after the last fault");
            // One calm second more, so that the last start is under load too.
            await Task.Delay(TimeSpan.FromSeconds(1), _clock);
            if (client.HasExited || sink.HasExited)
                _contradictions.Add("the client or the sink ended by itself: this run proves nothing");
            client.StandardInput.Close();
            await client.WaitForExitAsync();
            await DrainAsync(server);
            return await JudgeAsync(server, _clock.GetElapsedTime(start));
        }
        finally
        {
            Stop(client);
            Stop(sink);
        }
    }

    async Task FaultAsync(string data, LoopDisk? disk)
    {
        await using var server = StartServer(data);
        // One fault in five hits the start: migration, sweep, first leases.
        if (_random.Next(5) > 0 && !await server.WaitUntilReadyAsync(TimeSpan.FromSeconds(60)))
            _contradictions.Add($"the server was not ready before fault {_faults.Count + 1}");
        await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(50, 1500)), _clock);
        if (server.HasExited)
            _contradictions.Add($"the server had ended by itself before fault {_faults.Count + 1}");
        if (disk is not null)
        {
            // All at one instant, as a real cut is. The ioctl is not: it marks the disk dead before it aborts the journal, and an fsync
            // under way meanwhile can report success for what is then gone. Seen once in 80 cuts without this, eight mails of the one
            // commit that was on its way 25 ms before the cut; never in 240 cuts with it.
            await server.FreezeAsync();
            disk.CutPower();
        }
        var struck = Clock.Now;
        if (!server.HasExited)
            await server.KillAsync();
        if (disk is not null)
        {
            await disk.UnmountAsync();
            await disk.MountAsync();
            CheckIntegrity(data);
        }
        // The sink may still be reading what the dead process had sent.
        await Task.Delay(TimeSpan.FromMilliseconds(50), _clock);
        _faults.Add(new Fault(struck, Clock.Now));
    }

    // On a copy: looking at the original would repair it before the product has to.
    void CheckIntegrity(string data)
    {
        var copy = Directory.CreateDirectory(Path.Combine(plan.Folder, "copy"));
        foreach (var file in Directory.Exists(data) ? Directory.GetFiles(data, "postrider.db*") : [])
        {
            // The database and its log; not the lock and the reserve.
            if (!file.EndsWith(".db", StringComparison.Ordinal) && !file.EndsWith("-wal", StringComparison.Ordinal))
                continue;
            File.Copy(file, Path.Combine(copy.FullName, Path.GetFileName(file)));
        }
        var database = Path.Combine(copy.FullName, "postrider.db");
        if (File.Exists(database))
        {
            using var connection = new SqliteConnection($"Data Source={database};Pooling=False");
            connection.Open();
            using var check = connection.CreateCommand();
            check.CommandText = "PRAGMA integrity_check";
            if (check.ExecuteScalar() as string is not "ok" and var fault)
                _contradictions.Add($"integrity_check after fault {_faults.Count + 1}: {fault}");
        }
        copy.Delete(recursive: true);
    }

    // Hundreds of faults leave a long queue behind a relay with a limit: it may take its time, as long as it gets shorter.
    async Task DrainAsync(Server server)
    {
        var (least, since) = (long.MaxValue, _clock.GetTimestamp());
        while (_clock.GetElapsedTime(since) < TimeSpan.FromMinutes(3))
        {
            var stats = await server.StatsAsync();
            var open = stats["queued"] + stats["leased"] + stats["unknown"] + stats["held"];
            if (open == 0)
                return;
            if (open < least)
                (least, since) = (open, _clock.GetTimestamp());
            await Task.Delay(TimeSpan.FromMilliseconds(100), _clock);
        }
        _contradictions.Add($"{least} mails were still open, and none had ended for three minutes");
    }

    async Task<Verdict> JudgeAsync(Server server, TimeSpan took)
    {
        var checker = new Checker(_clientJournal, _sinkJournal, _faults);
        var unexplained = await checker.UnexplainedAsync(server.AttemptsAsync);
        var sent = (await server.StatsAsync())["sent"];
        if (sent != checker.Distinct)
            _contradictions.Add($"the product counts {sent} sent, the sink {checker.Distinct} recipients");
        return new Verdict
        {
            Run = plan.Name,
            Faults = _faults.Count,
            Seed = plan.Seed,
            Seconds = Math.Round(took.TotalSeconds, 1),
            Submitted = checker.Submitted,
            Acknowledged = checker.Acknowledged,
            Arrived = checker.Arrived,
            Distinct = checker.Distinct,
            Lost = checker.Lost,
            Duplicates = checker.Duplicates,
            Unexplained = unexplained,
            LongestUnrecorded = checker.LongestUnrecorded,
            Contradictions = _contradictions,
            MustBeRed = plan.MustBeRed,
        };
    }

    Server StartServer(string data) =>
        Server.Start(plan.Binary, data, _url,
            FormattableString.Invariant($"relay=smtp://127.0.0.1:{_relayPort}?tls=none&concurrency=32&rate={plan.RelayRate}/s"),
            Path.Combine(plan.Folder, "server.log"), plan.Testing);

    static Process StartSelf(params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardInput = true })!;

    static void Stop(Process process)
    {
        if (!process.HasExited)
            process.Kill();
    }
}
