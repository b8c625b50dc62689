using System.Diagnostics;
using System.Globalization;
using Postrider.Chaos.Books;
using Postrider.Chaos.Product;
using Postrider.Testing;

namespace Postrider.Chaos.Scenarios;

/// <summary>Where and how a scenario is run.</summary>
/// <param name="IsFull">With the bars of a full run; else with those of every change.</param>
/// <param name="IsControl">With the guarantee taken away.</param>
sealed record StagePlan(string Binary, string Folder, int Seed, Engine Engine, bool IsFull, bool IsControl);

/// <summary>A run: sink, vendor and client as processes of their own, the product's nodes, the store below them, and the books.</summary>
sealed class Stage(StagePlan plan) : IAsyncDisposable
{
    static readonly System.Collections.Concurrent.ConcurrentDictionary<Stage, bool> Opened = [];

    // Whoever ends the run (Ctrl-C, a time limit) ends the product with it.
    static Stage() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var stage in Opened.Keys)
            stage.DisposeAsync().AsTask().Wait();
    };

    readonly List<Process> _peers = [];
    readonly List<Place> _places = [];
    readonly CancellationTokenSource _closing = new();
    readonly List<(Process Process, string Journal)> _clients = [];
    Task _tending = Task.CompletedTask;
    string? _shared;
    IReadOnlyDictionary<string, Story>? _stories;

    public StagePlan Plan => plan;
    public Engine Engine => plan.Engine;
    public bool IsSqlite => plan.Engine == Engine.Sqlite;
    public bool IsControl => plan.IsControl;
    public Random Random { get; } = new(plan.Seed);
    public List<Strike> Strikes { get; } = [];

    /// <summary>What the invariant forbids and was seen; filled by the scenario.</summary>
    public List<string> Broken { get; } = [];
    public List<string> Notes { get; } = [];

    /// <summary>Where the relay listens. Chosen beforehand, as those of the nodes are.</summary>
    public int SinkPort { get; } = Ports.Free();
    public int VendorPort { get; } = Ports.Free();
    public string SinkJournal => Path.Combine(plan.Folder, "sink.journal");
    public string VendorJournal => Path.Combine(plan.Folder, "vendor.journal");
    public string Log => Path.Combine(plan.Folder, "nodes.log");

    /// <summary>A folder that the user postgres can reach too.</summary>
    public string Shared => _shared ??= Open(Directory.CreateTempSubdirectory("postrider-chaos-").FullName);

    /// <summary>Null on SQLite.</summary>
    public PostgresServer? Postgres { get; set; }

    /// <summary>Where the data of the nodes lie; changed by scenarios with a disk of their own.</summary>
    public string Data { get; set; } = Path.Combine(plan.Folder, "data");

    /// <summary>Where the nodes find the store; null: where it is.</summary>
    public string? Store { get; set; }

    /// <summary>Mails a second that leave each node: where it is less than comes in, some wait in the queue and some are handed over at
    /// once.</summary>
    public int RelayRate { get; set; } = 400;

    /// <summary>Null: the relay.</summary>
    public string? Transports { get; set; }
    public Dictionary<string, string> Settings { get; } = [];

    /// <summary>How long the queue may stand still before it counts as stuck: longer than the death of a node and all waiting after
    /// it.</summary>
    public TimeSpan StuckAfter { get; set; } = TimeSpan.FromSeconds(plan.IsControl ? 20 : 100);
    public IReadOnlyList<Place> Places => _places;

    /// <summary>Faults struck that are no strikes at a node.</summary>
    public int Cycles { get; set; }

    /// <summary>Less for every change, more for a full run.</summary>
    public int Bar(int everyChange, int full) => plan.IsControl ? Math.Min(everyChange, 3) : plan.IsFull ? full : everyChange;

    /// <summary>The short form of a span that a full run takes its time for.</summary>
    public TimeSpan Span(double seconds, double full) => TimeSpan.FromSeconds(plan.IsFull && !plan.IsControl ? full : seconds);

    /// <summary>Starts a server when the run is on PostgreSQL and none was put here.</summary>
    public async Task OpenStoreAsync()
    {
        Opened[this] = true;
        if (!IsSqlite)
            Postgres ??= await PostgresServer.CreateAsync(Path.Combine(Shared, "server"));
    }

    /// <summary>A place for a node; on SQLite there is one, and it does everything.</summary>
    public Place Add(string name, string roles, IReadOnlyDictionary<string, string>? settings = null, IReadOnlyList<string>? wrapper = null,
        string host = "127.0.0.1", string relay = "127.0.0.1", string? store = null)
    {
        var data = IsSqlite ? Data : Path.Combine(Data, name);
        Directory.CreateDirectory(data);
        var url = new Uri($"http://{host}:{Ports.Free()}");
        var all = new Dictionary<string, string>
        {
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["POSTRIDER_DATA"] = data,
            ["POSTRIDER_STORE"] = store ?? Store ?? (IsSqlite ? $"sqlite:{Path.Combine(data, "postrider.db")}" : Postgres!.Dsn()),
            ["POSTRIDER_URLS"] = url.GetLeftPart(UriPartial.Authority),
            ["POSTRIDER_SMTP"] = "off",
            ["POSTRIDER_API_KEY"] = Node.Key,
            ["POSTRIDER_MASTER_KEY"] = Convert.ToBase64String(new byte[32]),
            ["POSTRIDER_ROLES"] = roles,
            ["POSTRIDER_STORAGE__NODE_NAME"] = name,
            ["POSTRIDER_TRANSPORTS"] = Transports ?? $"relay=smtp://{relay}:{SinkPort}?tls=none&concurrency=32&rate={RelayRate}/s&helo={name}.chaos.example",
        };
        foreach (var (key, value) in Settings.Concat(settings ?? new Dictionary<string, string>()))
            all[key] = value;
        var place = new Place(new NodePlan(plan.Binary, name, url, Log, all, wrapper ?? []), Strikes, _closing.Token);
        _places.Add(place);
        return place;
    }

    /// <summary>The usual nodes, ready: one on SQLite; on PostgreSQL so many that answer, and so many that deliver.</summary>
    public async Task StartNodesAsync(int apis = 1, int workers = 2)
    {
        await OpenStoreAsync();
        if (IsSqlite)
        {
            await Add("node", "").StartReadyAsync();
            return;
        }
        for (var i = 1; i <= apis; i++)
            Add($"api-{i}", "api");
        for (var i = 1; i <= workers; i++)
            Add($"worker-{i}", "worker");
        // The first one makes the schema.
        await _places[0].StartReadyAsync();
        await Task.WhenAll(_places.Skip(1).Select(place => place.StartReadyAsync()));
    }

    /// <summary>Those that deliver.</summary>
    public IReadOnlyList<Place> Workers => IsSqlite ? _places : [.. _places.Where(place => place.Plan.Settings["POSTRIDER_ROLES"] == "worker")];

    /// <summary>Those that take mail in.</summary>
    public IReadOnlyList<Place> Apis => IsSqlite ? _places : [.. _places.Except(Workers)];

    public void StartSink(SinkPlan? sink = null, string address = "127.0.0.1")
    {
        var how = sink ?? SinkPlan.Usual;
        _peers.Add(StartSelf("sink", "--port", Text(SinkPort), "--address", address, "--journal", SinkJournal,
            "--answer-after", Text(how.AnswerAfter.TotalMilliseconds), "--content-after", Text(how.ContentAfter.TotalMilliseconds),
            "--flap", Text(how.Flap.TotalMilliseconds)));
    }

    public void StartVendor() => _peers.Add(StartSelf("vendor", "--port", Text(VendorPort), "--journal", VendorJournal));

    /// <summary>At the nodes that take mail in, unless it says where.</summary>
    public void StartClient(ClientPlan? client = null)
    {
        var how = client ?? ClientPlan.Usual;
        var journal = Path.Combine(plan.Folder, $"client-{_clients.Count + 1}.journal");
        var urls = how.Urls.Count > 0 ? how.Urls : [.. Apis.Select(place => place.Plan.Url)];
        var process = StartSelf(["client", .. urls.SelectMany(url => new[] { "--url", url.ToString() }), "--journal", journal,
            "--policy", how.Policy, "--connections", Text(how.Connections), "--per-second", Text(how.PerSecond), "--count", Text(how.Count),
            "--send-after", Text(how.SendAfter), .. how.Domains.SelectMany(domain => new[] { "--domain", domain }),
            .. how.Keys ? new[] { "--keys" } : []]);
        _peers.Add(process);
        _clients.Add((process, journal));
    }

    public bool ClientIsDone => _clients.All(client => client.Process.HasExited);

    /// <summary>Lets what is under way be answered.</summary>
    public async Task StopClientAsync()
    {
        if (_peers.Any(peer => peer.HasExited && _clients.All(client => client.Process != peer)))
            throw new InvalidOperationException("the sink ended by itself");
        foreach (var (client, _) in _clients)
        {
            if (client.HasExited && client.ExitCode != 0)
                throw new InvalidOperationException("the client ended by itself");
            client.StandardInput.Close();
            await client.WaitForExitAsync();
        }
    }

    /// <summary>Waits until the client has submitted all that it was to.</summary>
    public async Task WaitForClientAsync(TimeSpan limit)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!ClientIsDone && TimeProvider.System.GetElapsedTime(start) < limit)
            await Clock.WaitAsync(100);
        await StopClientAsync();
    }

    /// <summary>From here on a node that ends by itself is started again, as whatever runs nodes does.</summary>
    public void TendNodes() => _tending = Task.Run(async () =>
    {
        while (!_closing.IsCancellationRequested)
        {
            foreach (var place in _places)
                await place.TendAsync();
            await Clock.WaitAsync(200);
        }
    });

    /// <summary>Waits until so many more mails are acknowledged, for a while: on a slow machine a span of time alone says
    /// nothing.</summary>
    public async Task UntilAcknowledgedAsync(int more)
    {
        var wanted = Check().Acknowledged.Count + more;
        for (var start = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30);)
        {
            if (Check().Acknowledged.Count >= wanted)
                return;
            await Clock.WaitAsync(50);
        }
    }

    /// <summary>Waits until a node has attempts under way, for a while.</summary>
    public async Task UntilBusyAsync(Place place)
    {
        for (var tries = 0; tries < 100 && await Apis[0].Node.InFlightAsync(place.Name) < 3; tries++)
            await Clock.WaitAsync(100);
    }

    /// <summary>For mail that had to wait: starts the only node again with the sink as its relay.</summary>
    public async Task MovedToSinkAsync() => await _places[0].StartReadyAsync(new Dictionary<string, string>
    {
        ["POSTRIDER_TRANSPORTS"] = $"relay=smtp://127.0.0.1:{SinkPort}?tls=none",
    });

    public void Strike(string what, long struck)
    {
        lock (Strikes)
            Strikes.Add(new Strike(what, struck, Clock.Now));
    }

    /// <summary>Until no mail is open. It may take its time, as long as the queue gets shorter.</summary>
    /// <param name="heldIsOpen">What waits for a person counts as open, for nothing should.</param>
    public async Task DrainAsync(bool heldIsOpen = true)
    {
        var (least, since) = (long.MaxValue, TimeProvider.System.GetTimestamp());
        while (TimeProvider.System.GetElapsedTime(since) < StuckAfter)
        {
            await Clock.WaitAsync(200);
            if (await Apis[0].Node.StatsAsync() is not { } stats)
                continue;
            var open = stats["queued"] + stats["leased"] + stats["unknown"] + stats["scheduled"] + (heldIsOpen ? stats["held"] : 0);
            if (open == 0)
                return;
            if (open < least)
                (least, since) = (open, TimeProvider.System.GetTimestamp());
        }
        Broken.Add(least == long.MaxValue ? $"for {StuckAfter.TotalSeconds:0} s no node told how many mails were open: that is unknown"
            : $"{least} mails were still open, and none had ended for {StuckAfter.TotalSeconds:0} s");
    }

    public Checker Check() => new([.. _clients.Select(client => client.Journal)], [SinkJournal, VendorJournal], Strikes);
    public bool HasClient => _clients.Count > 0;

    /// <summary>What the product tells of every message that a book knows.</summary>
    public async Task<IReadOnlyDictionary<string, Story>> StoriesAsync(Checker checker)
    {
        if (_stories is not null)
            return _stories;
        var stories = new System.Collections.Concurrent.ConcurrentDictionary<string, Story>();
        await Parallel.ForEachAsync(checker.Messages, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (message, _) =>
        {
            for (var tries = 0; tries < 3; tries++)
            {
                if (await Apis[0].Node.StoryAsync(message) is { } story)
                {
                    stories[message] = story;
                    return;
                }
            }
        });
        return stories;
    }

    /// <summary>For scenarios that take the store away before the books are compared: asks what will be asked then.</summary>
    public async Task RememberStoriesAsync() => _stories = await StoriesAsync(Check());

    /// <summary>Ends the nodes, and the database.</summary>
    public async Task DisposeNodesAsync()
    {
        await _closing.CancelAsync();
        try
        {
            await _tending;
        }
        catch (OperationCanceledException)
        {
            // It was about to start a node.
        }
        foreach (var place in _places)
            await place.DisposeAsync();
        _places.Clear();
        if (Postgres is not null)
            await Postgres.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Opened.TryRemove(this, out _);
        await DisposeNodesAsync();
        foreach (var peer in _peers)
        {
            if (!peer.HasExited)
                peer.Kill();
            peer.Dispose();
        }
        _peers.Clear();
    }

    /// <summary>Removes what only a failure is worth keeping.</summary>
    public void Clean(bool keepBooks)
    {
        try
        {
            if (_shared is not null)
                Directory.Delete(_shared, recursive: true);
            if (!keepBooks && Directory.Exists(plan.Folder))
                Directory.Delete(plan.Folder, recursive: true);
        }
        catch (IOException used)
        {
            Console.WriteLine($"  not removed: {used.Message}"); // that must not end the other scenarios
        }
    }

    static string Open(string folder)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        return folder;
    }

    static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);

    static Process StartSelf(params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardInput = true })!;
}
