using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Postrider.Testing;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>The built product as a process of its own, with a fresh data folder.</summary>
sealed class PostriderServer : IAsyncDisposable
{
    /// <summary>The bootstrap key of every run.</summary>
    public const string ApiKey = "bench-bench-bench-bench-bench-bench";

    readonly Child _child;

    PostriderServer(Child child, int port, int smtpPort)
    {
        _child = child;
        SmtpPort = smtpPort;
        Url = new Uri($"http://127.0.0.1:{port}");
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = Url };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ApiKey);
    }

    public Uri Url { get; }
    public HttpClient Http { get; }

    /// <summary>Where this machine hands mail over without a password, as Postfix takes it.</summary>
    public int SmtpPort { get; }
    public int ProcessId => _child.Id;

    /// <summary>Starts it and returns at once; <see cref="WaitUntilReadyAsync"/> says when it serves.</summary>
    public static PostriderServer Launch(string folder, int relayPort) =>
        Launch(folder, Relay(relayPort));

    /// <summary>A node of several over one database.</summary>
    /// <param name="roles">Empty: all.</param>
    public static PostriderServer LaunchNode(string folder, int relayPort, string store, string roles) =>
        Launch(folder, Relay(relayPort), store, roles);

    /// <summary>A transport to a relay on this machine.</summary>
    public static string Relay(int port) => $"relay=smtp://127.0.0.1:{port}?tls=none&concurrency=256";

    /// <param name="transports">As <c>POSTRIDER_TRANSPORTS</c> has them.</param>
    /// <param name="store">Null: SQLite in the folder.</param>
    /// <param name="more">Settings beside these.</param>
    public static PostriderServer Launch(string folder, string transports, string? store = null, string roles = "",
        IReadOnlyDictionary<string, string>? more = null)
    {
        Directory.CreateDirectory(folder);
        var port = Ports.Free();
        var smtpPort = Ports.Free();
        var child = Child.Start(Programs.Postrider, [], new Dictionary<string, string>(more ?? new Dictionary<string, string>())
        {
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["POSTRIDER_DATA"] = folder,
            ["POSTRIDER_STORE"] = store ?? $"sqlite:{Path.Combine(folder, "postrider.db")}",
            ["POSTRIDER_ROLES"] = roles,
            ["POSTRIDER_STORAGE__NODE_NAME"] = Path.GetFileName(folder),
            ["POSTRIDER_URLS"] = $"http://127.0.0.1:{port}",
            ["POSTRIDER_SMTP"] = $"127.0.0.1:{smtpPort}",
            ["POSTRIDER_SMTPSERVER__TRUSTED_NETWORKS"] = "127.0.0.1",
            ["POSTRIDER_API_KEY"] = ApiKey,
            ["POSTRIDER_TRANSPORTS"] = transports,
        });
        child.IgnoreOutput();
        return new PostriderServer(child, port, smtpPort);
    }

    public static async Task<PostriderServer> StartAsync(string folder, int relayPort, CancellationToken ct)
    {
        var server = Launch(folder, relayPort);
        await server.WaitUntilReadyAsync(ct);
        return server;
    }

    public async Task WaitUntilReadyAsync(CancellationToken ct)
    {
        while (!await IsReadyAsync(ct))
        {
            if (_child.HasExited)
                throw new InvalidOperationException($"Postrider ended at its start:\n{_child.LastWords}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct);
        }
    }

    /// <summary>Stops all sending: what is accepted from now on stays in the queue.</summary>
    public async Task PauseAsync(CancellationToken ct)
    {
        using var answer = await Http.PostAsync(new Uri("/pause", UriKind.Relative), Json("{}"), ct);
        answer.EnsureSuccessStatusCode();
    }

    public async Task ResumeAsync(CancellationToken ct)
    {
        using var answer = await Http.DeleteAsync(new Uri("/pause", UriKind.Relative), ct);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>True for 202.</summary>
    public async Task<bool> TryPostAsync(string path, HttpContent body, CancellationToken ct)
    {
        try
        {
            using var answer = await Http.PostAsync(new Uri(path, UriKind.Relative), body, ct);
            await answer.Content.CopyToAsync(Stream.Null, ct);
            return answer.StatusCode == HttpStatusCode.Accepted;
        }
        catch (HttpRequestException)
        {
            return false; // nobody listens yet
        }
    }

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _child.DisposeAsync();
    }

    async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri("/readyz", UriKind.Relative), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
