using System.ComponentModel.DataAnnotations;

namespace Postrider.Hosting;

/// <summary>Limits of the HTTP server. Section <c>Server</c>.</summary>
public sealed class ServerOptions
{
    /// <summary>Open connections, idle ones included; more are refused. Default 10,000; fewer where the process may not open that many
    /// files, which its log says.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Largest request body of the send calls in bytes, decompressed. Default 60 MB: a 40 MB message in base64 (SES's
    /// limit).</summary>
    [Range(1_000, 1_000_000_000)]
    public long MaxSendBytes { get; set; } = 60_000_000;

    /// <summary>Memory that request bodies being read may take together, in bytes, and the vendors' calls until they are answered; more
    /// are answered 503 until some are done. Default 512 MB.</summary>
    [Range(1_000_000, 1_000_000_000_000)]
    public long MaxBodyMemoryBytes { get; set; } = 512_000_000;

    /// <summary>How long a client may take for the request headers. Default 30 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan HeadersTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a stopping process still answers, as not ready, before it stops listening. Default 0; behind a load balancer
    /// a little more than the interval of its health checks.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan StopDelay { get; set; }
}
