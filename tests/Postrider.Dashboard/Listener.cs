using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Dashboard.Tests;

/// <summary>Hears of everything that wants something of it, a mere connection too, and gives nothing but <see cref="Pages"/>.</summary>
sealed class Listener : IAsyncDisposable
{
    /// <summary>A connection that says nothing for so long is heard of as such.</summary>
    static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(500);

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly ConcurrentBag<string> _heard = [];
    readonly Task _running;

    public Listener()
    {
        _listener.Start();
        Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _running = RunAsync();
    }

    public string Address { get; }

    /// <summary>By path, with the slash: what it answers with, and does not count as heard.</summary>
    public ConcurrentDictionary<string, string> Pages { get; } = [];

    /// <summary>First lines of requests; empty for connections without one.</summary>
    public IReadOnlyCollection<string> Heard => _heard;

    async Task RunAsync()
    {
        var clients = new List<Task>();
        try
        {
            while (true)
                clients.Add(HearAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            await Task.WhenAll(clients);
        }
    }

    async Task HearAsync(TcpClient client)
    {
        using var connection = client;
        var (buffer, read) = (new byte[4_096], 0);
        using var patience = new CancellationTokenSource(Silence, TimeProvider.System);
        try
        {
            read = await client.GetStream().ReadAsync(buffer, patience.Token);
            if (Encoding.ASCII.GetString(buffer, 0, read).Split(' ') is ["GET", var path, ..] && Pages.TryGetValue(path, out var page))
            {
                var answer = $"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{page}";
                await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(answer), patience.Token);
                return;
            }
        }
        catch (Exception silence) when (silence is OperationCanceledException or IOException)
        {
            // A connection without a request tells as much.
        }
        _heard.Add(Encoding.ASCII.GetString(buffer, 0, read).Split('\r')[0]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _listener.Dispose();
        _stop.Dispose();
    }
}
