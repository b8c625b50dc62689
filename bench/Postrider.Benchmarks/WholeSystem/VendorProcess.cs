using System.Text.Json;
using Postrider.Testing;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>The simulated vendors as a process of their own.</summary>
sealed class VendorProcess : IAsyncDisposable
{
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    readonly Child _child;
    readonly HttpClient _http;
    readonly string _vendor;

    VendorProcess(Child child, int port, string vendor)
    {
        (_child, _vendor) = (child, vendor);
        Url = new Uri($"http://127.0.0.1:{port}");
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = Url };
    }

    public Uri Url { get; }

    /// <param name="faults">Of the vendor, such as <c>latency=20ms</c>.</param>
    public static async Task<VendorProcess> StartAsync(string vendor, string faults, CancellationToken ct)
    {
        var port = Ports.Free();
        var child = Child.Start(Programs.Postrider,
            ["vendors", "--port", port.ToString(System.Globalization.CultureInfo.InvariantCulture), "--fault", $"{vendor}:{faults}"],
            new Dictionary<string, string>());
        child.IgnoreOutput();
        var process = new VendorProcess(child, port, vendor);
        while (!await process.IsReadyAsync(ct))
        {
            if (child.HasExited)
                throw new InvalidOperationException($"The simulated vendors ended at their start:\n{child.LastWords}");
            await Task.Delay(LookAgain, TimeProvider.System, ct);
        }
        return process;
    }

    /// <summary>Messages that it took so far.</summary>
    public async Task<long> CountAsync(CancellationToken ct)
    {
        using var vendors = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/vendors", UriKind.Relative), ct));
        return vendors.RootElement.EnumerateArray().First(one => one.GetProperty("name").GetString() == _vendor)
            .GetProperty("accepted").GetInt64();
    }

    /// <summary>The time stamp at which it had taken so many, late by at most the time between two looks.</summary>
    public async Task<long> WhenAsync(long count, CancellationToken ct)
    {
        while (await CountAsync(ct) < count)
            await Task.Delay(LookAgain, TimeProvider.System, ct);
        return TimeProvider.System.GetTimestamp();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _child.DisposeAsync();
    }

    async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            await CountAsync(ct);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
