using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Postrider.Delivery;

/// <summary>How a node with the worker role delivers. Section <c>Delivery</c>.</summary>
public sealed class DeliveryOptions
{
    /// <summary>A line in the log for each recipient that was sent, too; for the others there is one anyway. It costs about as much as
    /// storing the message. Default false.</summary>
    public bool LogSent { get; set; }

    /// <summary>How long a stopping node lets running attempts finish before it leaves them to the sweep. Default 90 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:15:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>What the host's own patience (<c>HostOptions.ShutdownTimeout</c>, 30 s by default) must be at least: the drain, and 15 s to
    /// record what was cut.</summary>
    public TimeSpan ShutdownTimeout => DrainTimeout + TimeSpan.FromSeconds(15);

    /// <summary>How often the store is asked what is due although nothing signalled it: a net below the signals. Default 5
    /// seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan SafetyPoll { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Most envelopes of one key that are leased at once; permits bound it anyway. Default 256: fewer cost commits, more wait in
    /// one transaction.</summary>
    [Range(1, 10_000)]
    public int MaxLease { get; set; } = 256;

    /// <summary>Most attempts of this node at a time, all transports together. Default 0: as many as its transports allow
    /// (<c>concurrency=</c>).</summary>
    [Range(0, 100_000)]
    public int Concurrency { get; set; }

    /// <summary>How often waiting for evidence and expiry are looked at. Default 1 second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan KeepEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Most rows that one look settles or expires in one transaction. Default 500.</summary>
    [Range(1, 100_000)]
    public int KeepLimit { get; set; } = 500;

    /// <summary>How long a transactional mail that may have been accepted waits for evidence. Default 60 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan SettleTransactional { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for bulk mail. Default 11 minutes: longer than the 10 minutes that RFC 5321 §4.5.3.2.6 gives the final dot,
    /// so that the receiver has dropped a connection that stalled there.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan SettleBulk { get; set; } = TimeSpan.FromMinutes(11);
}

[OptionsValidator]
sealed partial class DeliveryOptionsRanges : IValidateOptions<DeliveryOptions>;
