using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Postrider.Benchmarks.WholeSystem;

// People look for mail where much of it is stored.
sealed partial class Scenarios
{
    const int Tags = 500;
    const int PerBatch = 1_000;

    /// <summary>Searches of each kind.</summary>
    const int OfEach = 30;

    /// <summary>Messages that are stored when the overview is looked at, where the run has so many.</summary>
    const int StoredForOverview = 1_000_000;

    async Task SqliteSearchAsync(CancellationToken ct) => await SearchAsync("sqlite", null, ct);

    async Task PostgresSearchAsync(CancellationToken ct)
    {
        await using var database = await PostgresServer.StartAsync(Fresh(), [], ct);
        await SearchAsync("postgres", database.Store, ct);
    }

    /// <param name="store">Null: SQLite.</param>
    async Task SearchAsync(string engine, string? store, CancellationToken ct)
    {
        await using var sink = new TimestampingSink();
        await using var postrider = PostriderServer.Launch(Fresh(), PostriderServer.Relay(sink.Port), store);
        await postrider.WaitUntilReadyAsync(ct);
        await postrider.PauseAsync(ct); // what is stored matters, not how it left
        var first = Math.Min(scale.Stored, StoredForOverview) / PerBatch;
        await StoreAsync(postrider, 0, first, ct);
        measured.Add($"postrider.overview-{engine}.p95", Measurements.Percentile(await OverviewAsync(postrider, ct), 95));
        await StoreAsync(postrider, first, scale.Stored / PerBatch - first, ct);
        var all = new List<double>();
        foreach (var kind in await SearchesAsync(postrider, ct))
        {
            var times = new List<double>();
            for (var n = 0; n < OfEach; n++)
            {
                var search = new Uri($"/emails?limit=50&{kind(n)}", UriKind.Relative);
                times.Add(await TimedAsync(() => postrider.Http.GetStringAsync(search, ct)));
            }
            Console.Error.WriteLine(FormattableString.Invariant(
                $"  {kind(0)}: median {Measurements.Percentile(times, 50):0.0} ms, p95 {Measurements.Percentile(times, 95):0.0} ms"));
            all.AddRange(times);
        }
        measured.Add($"postrider.search-{engine}.p95", Measurements.Percentile(all, 95));
    }

    /// <summary>What people ask for, alone and together: what is there, once or often, what is rare, and what is not there at
    /// all.</summary>
    async Task<IReadOnlyList<Func<int, string>>> SearchesAsync(PostriderServer postrider, CancellationToken ct)
    {
        var newest = JsonNode.Parse(await postrider.Http.GetStringAsync(new Uri("/emails?limit=1", UriKind.Relative), ct))!["data"]![0]!;
        var (batch, at) = ((string)newest["batch_id"]!, (DateTimeOffset)newest["created_at"]!);
        var until = Uri.EscapeDataString(at.AddSeconds(-1).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        string Address(int n) => FormattableString.Invariant($"address=r{(long)n * 7_919 * 104_729 % scale.Stored:00000000}@bench.example");
        string Tag(int n) => FormattableString.Invariant($"tag=t{n * 37 % Tags}");
        return
        [
            Address, n => $"{Address(n)}&state=queued", Tag, n => $"{Tag(n)}&until={until}", n => $"{Tag(n)}&state=sent",
            n => "subject=news", n => FormattableString.Invariant($"subject=News+{n}."), n => "subject=nowhere", n => "state=queued",
            n => "state=failed", n => "state=sent", n => $"batch={batch}", n => $"until={until}", n => "transport=relay",
            n => "metadata=order:17", n => "address=nobody@bench.example", n => "",
        ];
    }

    /// <summary>Four calls at a time, each a batch with a subject of its own to addresses of its own.</summary>
    static Task StoreAsync(PostriderServer postrider, int firstCall, int calls, CancellationToken ct) =>
        Parallel.ForEachAsync(Enumerable.Range(firstCall, calls),
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = ct }, async (call, stop) =>
        {
            var destinations = string.Join(',', Enumerable.Range(call * PerBatch, PerBatch)
                .Select(number => FormattableString.Invariant($$"""{"email":"r{{number:00000000}}@bench.example"}""")));
            var body = FormattableString.Invariant($$"""
                {"from":"shop@bench.example","subject":"News {{call}}.","text":"Hello","tags":["t{{call % Tags}}"],
                 "destinations":[{{destinations}}]}
                """);
            if (!await postrider.TryPostAsync("/emails/send", PostriderServer.Json(body), stop))
                throw new InvalidOperationException("A batch was not accepted.");
        });

    /// <summary>The document of the dashboard's first screen and all that its first paint waits for, by a browser that has nothing of it
    /// yet. Milliseconds.</summary>
    async Task<List<double>> OverviewAsync(PostriderServer postrider, CancellationToken ct)
    {
        using var handler = new SocketsHttpHandler { CookieContainer = new CookieContainer(), UseProxy = false, AllowAutoRedirect = false };
        using var visitor = new HttpClient(handler) { BaseAddress = postrider.Url };
        await SignInAsync(postrider, visitor, ct);
        await visitor.GetStringAsync(new Uri("/ui/", UriKind.Relative), ct); // nobody has opened it before
        var times = new List<double>();
        for (var n = 0; n < OfEach; n++)
            times.Add(await TimedAsync(async () =>
            {
                var page = await visitor.GetStringAsync(new Uri("/ui/", UriKind.Relative), ct);
                var head = page[..page.IndexOf("</head>", StringComparison.Ordinal)];
                await Task.WhenAll(Waited().Matches(head).Select(found =>
                    visitor.GetByteArrayAsync(new Uri($"/ui/{WebUtility.HtmlDecode(found.Groups[1].Value)}", UriKind.Relative), ct)));
                if (!page.Contains("Newest messages", StringComparison.Ordinal))
                    throw new InvalidOperationException("The overview was not shown.");
            }));
        return times;
    }

    static async Task SignInAsync(PostriderServer postrider, HttpClient visitor, CancellationToken ct)
    {
        using var made = await postrider.Http.PostAsync(
            new Uri("/users", UriKind.Relative), PostriderServer.Json("""{"name":"bench@bench.example","role":"admin"}"""), ct);
        var user = JsonNode.Parse(await made.EnsureSuccessStatusCode().Content.ReadAsStringAsync(ct))!;
        var link = new Uri((string)user["link"]!).PathAndQuery;
        var form = Hidden().Matches(await visitor.GetStringAsync(new Uri(link, UriKind.Relative), ct)).ToDictionary(
            field => field.Groups[1].Value, field => WebUtility.HtmlDecode(field.Groups[2].Value));
        (form["Form.Name"], form["Form.Password"]) = ("bench@bench.example", "seven quiet postmen walk");
        using var fields = new FormUrlEncodedContent(form);
        using var signedIn = await visitor.PostAsync(new Uri(link, UriKind.Relative), fields, ct);
        if (signedIn.StatusCode != HttpStatusCode.SeeOther)
            throw new InvalidOperationException($"Nobody could sign in: {signedIn.StatusCode}.");
    }

    async Task<double> TimedAsync(Func<Task> call)
    {
        var start = _clock.GetTimestamp();
        await call();
        return _clock.GetElapsedTime(start).TotalMilliseconds;
    }

    [GeneratedRegex("""<(?:link rel="stylesheet" href|script src)="([^"]+)""")]
    private static partial Regex Waited();

    [GeneratedRegex("""<input type="hidden" name="([^"]+)" value="([^"]*)" ?/?>""")]
    private static partial Regex Hidden();
}
