using System.ComponentModel.DataAnnotations;

namespace Postrider.Storage;

/// <summary>How much room the storage keeps. Section <c>Storage</c>.</summary>
public sealed class StorageOptions
{
    /// <summary>Below this much free disk no mail is accepted and none is leased; outcomes are still recorded.
    /// Default (null): the greater of 1.5 × the largest message and 256 MB.</summary>
    [Range(0, long.MaxValue)]
    public long? MinFreeBytes { get; set; }

    /// <summary>Size of a file beside the database that is deleted when the disk is full, so that the outcomes of running attempts still
    /// fit.
    /// Default 64 MB; 0: none.</summary>
    [Range(0, 10L << 30)]
    public long BallastBytes { get; set; } = 64 << 20;

    /// <summary>How large the database may become, for the forecast alone: on PostgreSQL nobody here sees how much room the server's
    /// disk has. Nothing stops at it. Default (null): on SQLite what the disk has; on PostgreSQL it is not known when the disk is
    /// full.</summary>
    [Range(1, long.MaxValue)]
    public long? DatabaseMaxBytes { get; set; }

    /// <summary>Name of this node in timelines. Default: the machine's name.</summary>
    [Required]
    public string NodeName { get; set; } = Environment.MachineName;

    /// <summary>What submissions may have, which is their setting.</summary>
    long _largestMessageBytes = 25 << 20;

    public StorageOptions ForMessagesOf(long bytes)
    {
        _largestMessageBytes = bytes;
        return this;
    }

    /// <summary>With its default worked out.</summary>
    public long EffectiveMinFreeBytes => MinFreeBytes ?? Math.Max(_largestMessageBytes + _largestMessageBytes / 2, 256L << 20);
}
