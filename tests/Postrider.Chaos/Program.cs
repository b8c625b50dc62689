using System.CommandLine;
using System.Globalization;
using System.Net;
using Postrider.Chaos;
using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;

var port = new Option<int>("--port") { Required = true };
var address = new Option<string>("--address") { DefaultValueFactory = _ => "127.0.0.1" };
var journal = new Option<string>("--journal") { Required = true };
var url = new Option<string[]>("--url") { Required = true };
var answerAfter = new Option<double>("--answer-after") { Description = "Milliseconds to the answer." };
var contentAfter = new Option<double>("--content-after") { Description = "Milliseconds from DATA to 354." };
var flap = new Option<double>("--flap") { Description = "Milliseconds for which it works, and then does not." };
var connections = new Option<int>("--connections") { DefaultValueFactory = _ => 32 };
var perSecond = new Option<int>("--per-second") { Description = "Submissions a second at most.", DefaultValueFactory = _ => 600 };
var count = new Option<int>("--count") { Description = "Submissions in all; 0: until the end." };
var sendAfter = new Option<int>("--send-after") { Description = "Seconds ahead that send_at is." };
var domain = new Option<string[]>("--domain") { Description = "Recipients' domains, in turn." };
var policy = new Option<string>("--policy") { Description = "on_ambiguous of all mail.", DefaultValueFactory = _ => "" };
var keys = new Option<bool>("--keys") { Description = "With idempotency keys, and again until there is an answer." };

var sink = new Command("sink", "The relay of a run: takes mail and keeps a book of it.")
    { port, address, journal, answerAfter, contentAfter, flap };
sink.SetAction(async (options, ct) =>
{
    TimeSpan Of(Option<double> option) => TimeSpan.FromMilliseconds(options.GetValue(option));
    await using var book = new Journal(options.GetRequiredValue(journal));
    await UntilInputEndsAsync(stop => new Sink(book, new SinkPlan(Of(answerAfter), Of(contentAfter), Of(flap)))
        .RunAsync(IPAddress.Parse(options.GetRequiredValue(address)), options.GetValue(port), stop), ct);
});

var vendor = new Command("vendor", "The vendor's API of a run: takes mail over HTTP and keeps a book of it.") { port, journal };
vendor.SetAction(async (options, ct) =>
{
    await using var book = new Journal(options.GetRequiredValue(journal));
    await UntilInputEndsAsync(stop => new Vendor(book).RunAsync(options.GetValue(port), stop), ct);
});

var client = new Command("client", "The application of a run: submits mail and keeps a book of it, until its standard input ends.")
    { url, journal, connections, perSecond, count, sendAfter, domain, keys, policy };
client.SetAction(async (options, ct) =>
{
    await using var book = new Journal(options.GetRequiredValue(journal));
    var plan = new ClientPlan([.. options.GetRequiredValue(url).Select(one => new Uri(one))], options.GetValue(connections),
        options.GetValue(perSecond), options.GetValue(count), options.GetValue(domain) is { Length: > 0 } some ? some : ["chaos.example"],
        options.GetValue(keys), options.GetValue(sendAfter), options.GetRequiredValue(policy));
    using var application = new Client(plan, Node.Key, book);
    await UntilInputEndsAsync(application.RunAsync, ct);
});

return await new RootCommand("Chaos for Postrider") { sink, vendor, client, RunCommand.Make() }.Parse(args).InvokeAsync();

// The run holds the other end: a peer does not outlive it.
static async Task UntilInputEndsAsync(Func<CancellationToken, Task> work, CancellationToken ct)
{
    using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
    var working = work(stop.Token);
    var ended = Task.Run(Console.In.ReadToEnd, ct); // it blocks, whatever its name
    if (await Task.WhenAny(working, ended) == ended)
        await stop.CancelAsync();
    try
    {
        await working;
    }
    catch (OperationCanceledException) when (stop.IsCancellationRequested)
    {
        // Told to end.
    }
}
