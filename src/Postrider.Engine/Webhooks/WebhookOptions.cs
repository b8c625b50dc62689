using System.ComponentModel.DataAnnotations;

namespace Postrider.Webhooks;

/// <summary>What webhooks may reach and take. Section <c>Webhooks</c>.</summary>
public sealed class WebhookOptions
{
    /// <summary>Networks of our own that webhooks of the first tenant may reach, with a port or <c>*</c>:
    /// <c>127.0.0.1/32:* 10.1.0.0/16:8080</c>. Default: none.</summary>
    public string Allow { get; set; } = "";

    /// <summary>Most endpoints of a tenant. Default 50.</summary>
    [Range(1, 10_000)]
    public int MaxPerTenant { get; set; } = 50;

    /// <summary>Most deliveries under way to one endpoint from one node; one, while it fails. Default 8.</summary>
    [Range(1, 256)]
    public int Concurrency { get; set; } = 8;

    /// <summary>From connecting to the last byte of the answer. Default 30 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:45")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>An endpoint that failed for so long, without one success, is disabled. Default 5 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "90.00:00:00")]
    public TimeSpan DisableAfter { get; set; } = TimeSpan.FromDays(5);

    /// <summary>How long deliveries that ended can be looked at and sent again. Default 7 days.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "365.00:00:00")]
    public TimeSpan KeepDeliveries { get; set; } = TimeSpan.FromDays(7);
}
