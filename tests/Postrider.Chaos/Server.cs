using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Postrider.Chaos;

/// <summary>The built product: started, asked, and killed.</summary>
sealed partial class Server : IAsyncDisposable
{
    public const string Key = "chaos-chaos-chaos-chaos-chaos-chaos";

    readonly Process _process;
    readonly HttpClient _http;

    Server(Process process, Uri url)
    {
        _process = process;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = url, Timeout = TimeSpan.FromSeconds(20) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    /// <param name="relay">The only transport, as a DSN.</param>
    /// <param name="log">What it prints is appended here.</param>
    /// <param name="testing">Switches of the product's test mode, for the negative controls.</param>
    public static Server Start(string binary, string data, Uri url, string relay, string log, IReadOnlyDictionary<string, string> testing)
    {
        var info = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" >>\"$1\" 2>&1", binary, log])
        {
            Environment =
            {
                ["DOTNET_ENVIRONMENT"] = "Production",
                ["ASPNETCORE_ENVIRONMENT"] = "Production",
                ["POSTRIDER_DATA"] = data,
                ["POSTRIDER_STORE"] = $"sqlite:{Path.Combine(data, "postrider.db")}",
                ["POSTRIDER_URLS"] = url.GetLeftPart(UriPartial.Authority),
                ["POSTRIDER_SMTP"] = "off",
                ["POSTRIDER_API_KEY"] = Key,
                ["POSTRIDER_TRANSPORTS"] = relay,
            },
        };
        foreach (var (name, value) in testing)
            info.Environment[name] = value;
        return new Server(Process.Start(info)!, url);
    }

    public bool HasExited => _process.HasExited;

    /// <summary>False when it ended instead, or was not ready within the time.</summary>
    public async Task<bool> WaitUntilReadyAsync(TimeSpan limit)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!_process.HasExited && TimeProvider.System.GetElapsedTime(start) < limit)
        {
            try
            {
                using var answer = await _http.GetAsync(new Uri("/readyz", UriKind.Relative));
                if (answer.IsSuccessStatusCode)
                    return true;
            }
            catch (Exception notYet) when (notYet is HttpRequestException or TaskCanceledException)
            {
                // Not listening yet.
            }
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
        return false;
    }

    /// <summary>SIGSTOP; returns when every thread stands still, so that no system call of it is under way.</summary>
    public async Task FreezeAsync()
    {
        if (Signal(_process.Id, StopSignal) != 0)
            return; // gone already
        while (!_process.HasExited && Directory.GetDirectories($"/proc/{_process.Id}/task").Any(IsRunning))
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
    }

    // proc(5): the state follows the name, which is in parentheses; T is stopped. A thread that has just ended does not run either.
    static bool IsRunning(string thread)
    {
        try
        {
            var status = File.ReadAllText(Path.Combine(thread, "stat"));
            return status[status.LastIndexOf(')') + 2] is not ('T' or 'Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    const int StopSignal = 19; // SIGSTOP, signal(7)

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Numbers by name: <c>accepted</c>, <c>queued</c>, <c>sent</c> and so on.</summary>
    public async Task<Dictionary<string, long>> StatsAsync()
    {
        using var json = await _http.GetFromJsonAsync<JsonDocument>(new Uri("/stats", UriKind.Relative));
        return json!.RootElement.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Number)
            .ToDictionary(member => member.Name, member => member.Value.GetInt64());
    }

    /// <summary>Attempts started, and attempts whose outcome is in the timeline; null when there is no such message.</summary>
    public async Task<(int Tries, int Recorded)?> AttemptsAsync(string id)
    {
        using var answer = await _http.GetAsync(new Uri($"/emails/{id}", UriKind.Relative));
        if (!answer.IsSuccessStatusCode)
            return null;
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return (json.RootElement.GetProperty("recipients")[0].GetProperty("tries").GetInt32(),
            json.RootElement.GetProperty("attempts").GetArrayLength());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        _http.Dispose();
    }
}
