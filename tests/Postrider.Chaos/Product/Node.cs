using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;
using Postrider.Chaos.Books;

namespace Postrider.Chaos.Product;

/// <summary>How a node is started; the same for all its starts.</summary>
/// <param name="Name">Its name in timelines and in the list of nodes.</param>
/// <param name="Url">Where it answers.</param>
/// <param name="Log">What it prints is appended here.</param>
/// <param name="Settings">Environment variables.</param>
/// <param name="Wrapper">A command that runs it, such as <c>nsenter --net=FILE</c>; empty: none.</param>
sealed record NodePlan(
    string Binary, string Name, Uri Url, string Log, IReadOnlyDictionary<string, string> Settings, IReadOnlyList<string> Wrapper);

/// <summary>The built product: started, asked, frozen and killed.</summary>
sealed partial class Node : IAsyncDisposable
{
    public const string Key = "chaos-chaos-chaos-chaos-chaos-chaos";

    const int Stop = 19;        // SIGSTOP, SIGCONT, SIGTERM, signal(7)
    const int Continue = 18;
    const int Terminate = 15;

    readonly Process _process;
    readonly HttpClient _http;

    Node(NodePlan plan, Process process)
    {
        (Plan, _process) = (plan, process);
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })
        {
            BaseAddress = plan.Url,
            Timeout = TimeSpan.FromSeconds(20),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public NodePlan Plan { get; }

    /// <param name="more">Settings of this start alone.</param>
    public static Node Start(NodePlan plan, IReadOnlyDictionary<string, string>? more = null)
    {
        // The shell is replaced: the process that we kill is the product.
        var info = new ProcessStartInfo("/bin/sh",
            ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", plan.Log, .. plan.Wrapper, plan.Binary]);
        foreach (var (name, value) in plan.Settings.Concat(more ?? new Dictionary<string, string>()))
            info.Environment[name] = value;
        return new Node(plan, Process.Start(info)!);
    }

    public int Id => _process.Id;
    public bool HasExited => _process.HasExited;
    public int ExitCode => _process.ExitCode;

    /// <summary>False: not within the time.</summary>
    public async Task<bool> WaitForExitAsync(TimeSpan limit)
    {
        using var patience = new CancellationTokenSource(limit, TimeProvider.System);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>False when it ended instead, or was not ready within the time.</summary>
    public async Task<bool> WaitUntilReadyAsync(TimeSpan limit)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!_process.HasExited && TimeProvider.System.GetElapsedTime(start) < limit)
        {
            if (await IsReadyAsync())
                return true;
            await Clock.WaitAsync(10);
        }
        return false;
    }

    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri("/readyz", UriKind.Relative));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception notYet) when (notYet is HttpRequestException or TaskCanceledException)
        {
            return false; // not listening yet
        }
    }

    /// <summary>SIGSTOP; returns when every thread stands still, so that no system call of it is under way.</summary>
    public async Task FreezeAsync()
    {
        if (Signal(_process.Id, Stop) != 0)
            return; // gone already
        while (!_process.HasExited && Directory.GetDirectories($"/proc/{_process.Id}/task").Any(IsRunning))
            await Clock.WaitAsync(1);
    }

    /// <summary>SIGCONT.</summary>
    public void Thaw() => _ = Signal(_process.Id, Continue);

    /// <summary>SIGTERM: it drains and ends.</summary>
    public void AskToStop() => _ = Signal(_process.Id, Terminate);

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

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Numbers by name: <c>accepted</c>, <c>queued</c>, <c>sent</c> and so on; null when it does not answer.</summary>
    public async Task<Dictionary<string, long>?> StatsAsync()
    {
        using var json = await ReadAsync("/stats");
        return json?.RootElement.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Number)
            .ToDictionary(member => member.Name, member => member.Value.GetInt64());
    }

    /// <summary>Whether the others count a node of this name as alive; null when nobody knows.</summary>
    public async Task<bool?> CountsAsAliveAsync(string name)
    {
        using var json = await ReadAsync("/nodes");
        return json?.RootElement.GetProperty("data").EnumerateArray()
            .Where(node => node.GetProperty("name").GetString() == name)
            .Select(node => (bool?)node.GetProperty("alive").GetBoolean()).LastOrDefault();
    }

    /// <summary>Attempts under way at a node, as of its last beat.</summary>
    public async Task<int> InFlightAsync(string name)
    {
        using var json = await ReadAsync("/nodes");
        return json?.RootElement.GetProperty("data").EnumerateArray().Where(node => node.GetProperty("name").GetString() == name)
            .Select(node => node.GetProperty("in_flight").GetInt32()).LastOrDefault() ?? 0;
    }

    /// <summary>What it tells of a message; null when there is no such message, or no answer.</summary>
    public async Task<Story?> StoryAsync(string id)
    {
        using var json = await ReadAsync($"/emails/{id}");
        if (json is null)
            return null;
        var swept = json.RootElement.GetProperty("events").EnumerateArray()
            .Count(happened => happened.GetProperty("type").GetString() == "swept");
        var doubtful = json.RootElement.GetProperty("attempts").EnumerateArray()
            .Count(attempt => attempt.GetProperty("outcome").GetString() == "unknown");
        return new Story(json.RootElement.GetProperty("recipients")[0].GetProperty("tries").GetInt32(), swept + doubtful, doubtful);
    }

    /// <summary>The state of a message's only recipient; null when there is no such message.</summary>
    public async Task<string?> StateAsync(string id)
    {
        using var json = await ReadAsync($"/emails/{id}");
        return json?.RootElement.GetProperty("recipients")[0].GetProperty("status").GetString();
    }

    /// <summary>Any call; the status, 0 for none, and the answer.</summary>
    public async Task<(int Status, string Answer)> CallAsync(HttpMethod method, string path, string? body = null)
    {
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
            if (body is not null)
                request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
            using var answer = await _http.SendAsync(request);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception gone) when (gone is HttpRequestException or TaskCanceledException or IOException)
        {
            return (0, gone.Message);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        _http.Dispose();
    }

    async Task<JsonDocument?> ReadAsync(string path)
    {
        try
        {
            return await _http.GetFromJsonAsync<JsonDocument>(new Uri(path, UriKind.Relative));
        }
        catch (Exception away) when (away is HttpRequestException or TaskCanceledException or IOException or JsonException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
