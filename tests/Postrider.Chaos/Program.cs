using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Postrider.Chaos;

var port = new Option<int>("--port") { Required = true };
var journal = new Option<string>("--journal") { Required = true };
var url = new Option<string>("--url") { Required = true };
var answerAfter = new Option<int>("--answer-after") { Description = "Milliseconds to the answer.", DefaultValueFactory = _ => 10 };
var connections = new Option<int>("--connections") { DefaultValueFactory = _ => 32 };
var perSecond = new Option<int>("--per-second") { Description = "Submissions a second at most.", DefaultValueFactory = _ => 600 };
var cycles = new Option<int>("--cycles") { Description = "Kills.", DefaultValueFactory = _ => 20 };
var cuts = new Option<int>("--cuts") { Description = "Power cuts (root only); 0: none.", DefaultValueFactory = _ => 5 };
var controls = new Option<bool>("--controls") { Description = "Also what must turn red: early acknowledgement, synchronous=NORMAL." };
var onlyControls = new Option<bool>("--only-controls") { Description = "Run nothing else." };
var seed = new Option<int>("--seed") { DefaultValueFactory = _ => (int)(Clock.Now & int.MaxValue) };
// From artifacts/bin/Postrider.Chaos/release.
var binary = new Option<string>("--binary") { DefaultValueFactory = _ => FromHere("..", "..", "Postrider", "release", "postrider") };
var folder = new Option<string>("--folder") { DefaultValueFactory = _ => FromHere("..", "..", "..", "chaos") };

var sink = new Command("sink", "The relay of a run: takes mail and keeps a book of it.") { port, journal, answerAfter };
sink.SetAction(async (options, ct) =>
{
    await using var book = new Journal(options.GetRequiredValue(journal));
    await new Sink(book, TimeSpan.FromMilliseconds(options.GetValue(answerAfter))).RunAsync(options.GetValue(port), ct);
});

var client = new Command("client", "The application of a run: submits mail and keeps a book of it, until its standard input ends.")
    { url, journal, connections, perSecond };
client.SetAction(async (options, ct) =>
{
    await using var book = new Journal(options.GetRequiredValue(journal));
    using var application =
        new Client(new Uri(options.GetRequiredValue(url)), Server.Key, book, options.GetValue(connections), options.GetValue(perSecond));
    using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
    var running = application.RunAsync(stop.Token);
    await Console.In.ReadToEndAsync(ct);
    await stop.CancelAsync();
    await running;
});

var run = new Command("run",
    "Kills and power cuts against the built product; exit code 0 when nothing acknowledged was lost and every duplicate is explained.")
    { cycles, cuts, controls, onlyControls, seed, binary, folder };
run.SetAction(async options =>
{
    Dictionary<string, string> none = [];
    Dictionary<string, string> early = new() { ["POSTRIDER_TESTING"] = "1", ["POSTRIDER_TESTING_ACK_EARLY"] = "1" };
    Dictionary<string, string> relaxed = new() { ["POSTRIDER_TESTING"] = "1", ["POSTRIDER_TESTING_SYNCHRONOUS"] = "NORMAL" };
    var plan = new ChaosPlan("", options.GetRequiredValue(binary), "", 0, options.GetValue(seed), false, 400, none);
    List<ChaosPlan> plans =
    [
        plan with { Name = "kill -9", Faults = options.GetValue(cycles) },
        plan with { Name = "power cut", Faults = options.GetValue(cuts), PowerCuts = true },
    ];
    if (options.GetValue(onlyControls))
        plans.Clear();
    if (options.GetValue(controls) || options.GetValue(onlyControls))
    {
        // A slow relay: what is lost must not have left before.
        var control = plan with { RelayRate = 150, MustBeRed = true };
        plans.Add(control with { Name = "control: acknowledged before commit, kill -9", Faults = 5, Testing = early });
        plans.Add(control with { Name = "control: synchronous=NORMAL, power cut", Faults = 2, PowerCuts = true, Testing = relaxed });
    }
    var verdicts = new List<Verdict>();
    foreach (var (number, next) in plans.Where(plan => plan.Faults > 0).Index())
    {
        var work = Path.Combine(options.GetRequiredValue(folder),
            FormattableString.Invariant($"{TimeProvider.System.GetUtcNow():HHmmss}-{number}"));
        var verdict = await new ChaosRun(next with { Folder = work }).RunAsync();
        Console.WriteLine(verdict);
        verdicts.Add(verdict);
        if (verdict.IsAsExpected)
            Directory.Delete(work, recursive: true);
        else
            Console.WriteLine($"  its journals and the server's log are kept in {work}");
    }
    Directory.CreateDirectory(options.GetRequiredValue(folder));
    var json = new JsonSerializerOptions
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    await File.WriteAllTextAsync(Path.Combine(options.GetRequiredValue(folder), "report.json"), JsonSerializer.Serialize(verdicts, json));
    return verdicts.All(verdict => verdict.IsAsExpected) ? 0 : 1;
});

static string FromHere(params string[] path) => Path.GetFullPath(Path.Combine([AppContext.BaseDirectory, .. path]));

return await new RootCommand("Chaos for Postrider") { sink, client, run }.Parse(args).InvokeAsync();
