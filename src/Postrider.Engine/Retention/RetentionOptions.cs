using System.ComponentModel.DataAnnotations;

namespace Postrider.Retention;

/// <summary>How long things are kept. 0 keeps for ever. What is open (queued, scheduled, leased, in doubt, held) is never deleted,
/// however old. Section <c>Retention</c>.</summary>
public sealed class RetentionOptions
{
    /// <summary>Texts, attachments and merge data, counted from the last thing that happened to the message. Dead letters keep theirs
    /// for <see cref="Messages"/>, because they can be sent again. Default 7 days; 0: as long as the message.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Bodies { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Messages with their recipients, subjects, tags and dead letters, batches, and runs of schedules. Counts older than this
    /// are added up by day. Default 90 days; 0: for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Messages { get; set; } = TimeSpan.FromDays(90);

    /// <summary>The log of events: attempts, replies, reports. Default 90 days; 0: for ever. PostgreSQL drops whole days (UTC).</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Events { get; set; } = TimeSpan.FromDays(90);

    /// <summary>The record of management calls. Default 365 days; 0: for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Audit { get; set; } = TimeSpan.FromDays(365);

    /// <summary>Mail in the inbox of capture transports, which also keeps a number of mails only. Default 7 days; 0: by that number
    /// alone.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Inbox { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Reports that could not be believed. Default 30 days; 0: until there are too many.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Quarantine { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Calls that were refused, of which a number of each tenant is kept only. Default 7 days; 0: by that number alone.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan RefusedCalls { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How often a kind that has nothing left to delete is looked at again. Default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Of what nobody can use any more: a list that is just being filled for a schedule is younger.</summary>
    static readonly TimeSpan ADay = TimeSpan.FromDays(1);

    /// <summary>How old a kind must be to go; null: it is kept for ever.</summary>
    public TimeSpan? AgeOf(RetentionKind kind) => (kind switch
    {
        RetentionKind.Bodies or RetentionKind.BatchBodies => Bodies,
        RetentionKind.Messages or RetentionKind.Batches or RetentionKind.Runs or RetentionKind.Search or RetentionKind.Counts
            or RetentionKind.Jobs or RetentionKind.Schedules => Messages,
        RetentionKind.Events => Events,
        RetentionKind.Audit or RetentionKind.Erasures => Audit,
        RetentionKind.Inbox => Inbox,
        RetentionKind.Quarantine => Quarantine,
        RetentionKind.RefusedCalls => RefusedCalls,
        RetentionKind.OwnLists or RetentionKind.Suppressions => ADay,
    }) is { Ticks: > 0 } age ? age : null;
}
