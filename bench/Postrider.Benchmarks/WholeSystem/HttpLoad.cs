using System.Globalization;
using System.Text.Json;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>What one run of <c>wrk</c> came to.</summary>
/// <param name="Requests">Answers read, errors included.</param>
/// <param name="P50">Of the answers, in milliseconds.</param>
sealed record HttpLoadResult(long Requests, long Errors, TimeSpan Duration, double P50, double P99)
{
    public long Accepted => Requests - Errors;
    public double Rate => Accepted / Duration.TotalSeconds;
}

/// <summary><c>wrk</c> with the requests of <c>emails.lua</c>: one thread, closed loop, one mail a request.</summary>
static class HttpLoad
{
    public static async Task<HttpLoadResult> RunAsync(PostriderServer server, int connections, TimeSpan duration, CancellationToken ct)
    {
        var text = await Child.RunAsync(Programs.Wrk,
            ["-t1", $"-c{connections}", string.Create(CultureInfo.InvariantCulture, $"-d{duration.TotalSeconds:0}s"), "--timeout", "10s",
                "-s", Path.Combine(AppContext.BaseDirectory, "WholeSystem", "emails.lua"), server.Url.ToString()],
            new Dictionary<string, string> { ["POSTRIDER_API_KEY"] = PostriderServer.ApiKey }, ct);
        var line = text.Split('\n').Single(line => line.StartsWith("RESULT ", StringComparison.Ordinal));
        using var result = JsonDocument.Parse(line["RESULT ".Length..]);
        double Number(string name) => result.RootElement.GetProperty(name).GetDouble();
        return new HttpLoadResult((long)Number("requests"), (long)Number("errors"),
            TimeSpan.FromMicroseconds(Number("microseconds")), Number("p50") / 1000, Number("p99") / 1000);
    }
}
