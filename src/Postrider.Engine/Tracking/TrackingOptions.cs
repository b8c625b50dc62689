using System.ComponentModel.DataAnnotations;

namespace Postrider.Tracking;

/// <summary>How opens and clicks are learned and kept.</summary>
public sealed class TrackingOptions
{
    /// <summary>HTML, or text, of more characters is sent as it is, without tracking. Default 1,000,000.</summary>
    [Range(1_000, 10_000_000)]
    public int MaxHtmlLength { get; set; } = 1_000_000;

    /// <summary>Opens and clicks of older messages are not recorded any more; their links still lead where they led. Default 90
    /// days.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan RecordFor { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Opens and clicks that this node stores in a second. More wait, and are dropped when too many do: mail goes first. Default
    /// 500.</summary>
    [Range(1, 10_000)]
    public int WritesPerSecond { get; set; } = 500;

    /// <summary>Opens and clicks that may wait in memory to be stored. Default 10,000, some 10 MB at most.</summary>
    [Range(100, 1_000_000)]
    public int MaxWaiting { get; set; } = 10_000;

    /// <summary>Whether the network address of who opened or clicked is kept. Default: no.</summary>
    public bool KeepIp { get; set; }
}
