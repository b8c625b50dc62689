using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Dashboard.Tests;

/// <summary>Hears of everything that wants something of it, a mere connection too, and gives nothing but <see cref="Pages"/>.</summary>
sealed class Listener : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly ConcurrentBag<string> _heard = [];
    int _silent;
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

    /// <summary>First lines of requests; empty for connections that have said nothing yet, or never did.</summary>
    public IReadOnlyCollection<string> Heard => [.. _heard, .. Enumerable.Repeat("", Volatile.Read(ref _silent))];

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
        Interlocked.Increment(ref _silent);
        try
        {
            read = await client.GetStream().ReadAsync(buffer, _stop.Token);
            if (Encoding.ASCII.GetString(buffer, 0, read).Split(' ') is ["GET", var path, ..] && Pages.TryGetValue(path, out var page))
            {
                var answer = $"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{page}";
                await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(answer), _stop.Token);
                return;
            }
            _heard.Add(Encoding.ASCII.GetString(buffer, 0, read).Split('\r')[0]);
        }
        catch (Exception broken) when (broken is OperationCanceledException or IOException)
        {
            // A connection without a request tells as much.
            _heard.Add("");
        }
        finally
        {
            Interlocked.Decrement(ref _silent);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _listener.Dispose();
        _stop.Dispose();
    }
}
