using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Postrider.Chaos.Books;

/// <summary>What the application does.</summary>
/// <param name="Urls">Where it submits, in turn.</param>
/// <param name="Count">Submissions in all; 0: until it is told to stop.</param>
/// <param name="Domains">Of the recipients, in turn. One that begins with <c>hold</c> is sent under <c>on_ambiguous=hold</c>, one with
/// <c>http</c> in it by the route of that name.</param>
/// <param name="Keys">With an idempotency key, and again with the same one until there is an answer that says what became of it.</param>
/// <param name="SendAfter">Seconds ahead that <c>send_at</c> is; 0: now.</param>
/// <param name="Policy"><c>on_ambiguous</c> of all; empty: as the domain says.</param>
sealed record ClientPlan(
    IReadOnlyList<Uri> Urls, int Connections, int PerSecond, int Count, IReadOnlyList<string> Domains, bool Keys, int SendAfter,
    string Policy)
{
    public static ClientPlan Usual { get; } = new([], 32, 600, 0, ["chaos.example"], false, 0, "");
}

/// <summary>The application: submits mail to addresses of its own and keeps its own list of what was acknowledged.</summary>
/// <remarks>Lines: <c>S address</c> before a submission, <c>A address id when</c> on disk after a 202, <c>R address status when</c> for any
/// other answer, with status 0 for none. Without a key a submission that has no answer is unknown to it and never repeated.</remarks>
sealed class Client(ClientPlan plan, string key, Journal journal) : IDisposable
{
    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })
    {
        Timeout = TimeSpan.FromSeconds(20),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
    };

    readonly string _text = new('x', 2048);
    int _number;

    public async Task RunAsync(CancellationToken stop)
    {
        using var pace = new SemaphoreSlim(0);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var workers = Enumerable.Range(0, plan.Connections).Select(_ => SubmitAsync(pace, enough)).ToList();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        try
        {
            for (var owed = 0.0; await tick.WaitForNextTickAsync(enough.Token);)
            {
                owed += plan.PerSecond / 100.0;
                if (pace.CurrentCount < plan.Connections && owed >= 1)
                    pace.Release((int)owed);
                owed -= Math.Floor(owed);
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop, or enough: what is under way is finished.
        }
        await Task.WhenAll(workers);
    }

    public void Dispose() => _http.Dispose();

    async Task SubmitAsync(SemaphoreSlim pace, CancellationTokenSource stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await pace.WaitAsync(stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            var number = Interlocked.Increment(ref _number);
            if (plan.Count > 0 && number > plan.Count)
            {
                await stop.CancelAsync();
                return;
            }
            var domain = plan.Domains[number % plan.Domains.Count];
            await SubmitAsync(number, $"n{number}@{domain}", stop.Token);
        }
    }

    async Task SubmitAsync(int number, string address, CancellationToken stop)
    {
        journal.Note($"S\t{address}");
        for (var tries = 0; ; tries++)
        {
            var (status, id) = await PostAsync(number, tries, address);
            var now = Clock.Now.ToString(CultureInfo.InvariantCulture);
            if (id is not null)
            {
                await journal.AddAsync($"A\t{address}\t{id}\t{now}");
                return;
            }
            journal.Note($"R\t{address}\t{status.ToString(CultureInfo.InvariantCulture)}\t{now}");
            await Task.Delay(TimeSpan.FromMilliseconds(plan.Keys ? 100 : 20), TimeProvider.System, CancellationToken.None);
            // A refusal for a reason is an answer; no answer and 5xx are asked again with the same key.
            if (!plan.Keys || (status is > 0 and < 500) || (stop.IsCancellationRequested && tries > 100))
                return;
        }
    }

    /// <summary>The status, 0 for none, and the message's id where there was a 202.</summary>
    async Task<(int Status, string? Id)> PostAsync(int number, int tries, string address)
    {
        try
        {
            var policy = plan.Policy.Length > 0 ? plan.Policy : address.Contains("@hold", StringComparison.Ordinal) ? "hold" : "retry";
            var route = address.Contains("http", StringComparison.Ordinal) ? ",\"route\":\"http\"" : "";
            var later = plan.SendAfter == 0
                ? ""
                : $",\"send_at\":\"{TimeProvider.System.GetUtcNow().AddSeconds(plan.SendAfter):yyyy-MM-ddTHH:mm:ssZ}\"";
            var mail = $$"""
                {"from":"app@chaos.example","to":["{{address}}"],"subject":"{{address}}","text":"{{_text}}","on_ambiguous":"{{policy}}"{{later}}{{route}}}
                """;
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(plan.Urls[(number + tries) % plan.Urls.Count], "/emails"));
            request.Content = new StringContent(mail, Encoding.UTF8, "application/json");
            if (plan.Keys)
                request.Headers.Add("Idempotency-Key", address);
            using var answer = await _http.SendAsync(request, CancellationToken.None);
            if (answer.StatusCode != HttpStatusCode.Accepted)
                return ((int)answer.StatusCode, null);
            using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            return (202, json.RootElement.GetProperty("id").GetString());
        }
        catch (Exception gone) when (gone is HttpRequestException or TaskCanceledException or IOException)
        {
            return (0, null);
        }
    }
}
