using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Postrider.Chaos;

/// <summary>The application: submits mail to addresses of its own and keeps its own list of what was acknowledged.</summary>
/// <remarks>Lines: <c>S number</c> before a submission, <c>A number id</c> on disk after a 202. A submission without an answer is
/// unknown to it and never repeated.</remarks>
sealed class Client(Uri url, string key, Journal journal, int connections, int perSecond) : IDisposable
{
    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })
    {
        BaseAddress = url,
        Timeout = TimeSpan.FromSeconds(20),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
    };

    readonly string _text = new('x', 2048);
    int _number;

    public static string Address(int number) => string.Create(CultureInfo.InvariantCulture, $"n{number}@chaos.example");

    public async Task RunAsync(CancellationToken stop)
    {
        using var pace = new SemaphoreSlim(0);
        var workers = Enumerable.Range(0, connections).Select(_ => SubmitAsync(pace, stop)).ToList();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        try
        {
            while (await tick.WaitForNextTickAsync(stop))
                if (pace.CurrentCount < connections)
                    pace.Release(Math.Max(1, perSecond / 100));
        }
        catch (OperationCanceledException)
        {
            // Told to stop: what is under way is finished.
        }
        await Task.WhenAll(workers);
    }

    public void Dispose() => _http.Dispose();

    async Task SubmitAsync(SemaphoreSlim pace, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await pace.WaitAsync(stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            var number = Interlocked.Increment(ref _number);
            journal.Note(string.Create(CultureInfo.InvariantCulture, $"S\t{number}"));
            if (await PostAsync(number) is { } id)
                await journal.AddAsync(string.Create(CultureInfo.InvariantCulture, $"A\t{number}\t{id}"));
            else
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>The message's id; null when there was no 202.</summary>
    async Task<string?> PostAsync(int number)
    {
        try
        {
            var mail = $$"""{"from":"app@chaos.example","to":["{{Address(number)}}"],"subject":"Number {{number}}","text":"{{_text}}"}""";
            using var body = new StringContent(mail, Encoding.UTF8, "application/json");
            using var answer = await _http.PostAsync(new Uri("/emails", UriKind.Relative), body, CancellationToken.None);
            if (answer.StatusCode != HttpStatusCode.Accepted)
                return null;
            using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            return json.RootElement.GetProperty("id").GetString();
        }
        catch (Exception gone) when (gone is HttpRequestException or TaskCanceledException or IOException)
        {
            return null;
        }
    }
}
