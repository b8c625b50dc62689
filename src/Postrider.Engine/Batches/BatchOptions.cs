using System.ComponentModel.DataAnnotations;

namespace Postrider.Batches;

/// <summary>How large batches become messages. Section <c>Batches</c>.</summary>
public sealed class BatchOptions
{
    /// <summary>Messages of one route, stream and tenant that may be due ahead of delivery before a batch adds more. More is no faster, and
    /// makes pausing, cancelling and other mail of the tenant slower. Default 20,000.</summary>
    [Range(100, 1_000_000)]
    public int MaxAhead { get; set; } = 20_000;

    /// <summary>How often batches are looked for, and how soon one that waits for delivery goes on. Default 250 milliseconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromMilliseconds(250);
}
