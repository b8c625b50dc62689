using System.Data.Common;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Where people's reads part: what the two engines say differently, or keep elsewhere. All else is one SQL.</summary>
abstract class ReadDialect
{
    /// <summary>The condition that a column is one of the values of a list parameter.</summary>
    public abstract string In(string column, string parameter);

    /// <summary>The operator that compares with a pattern, without regard to case at least of ASCII.</summary>
    public abstract string Like { get; }

    /// <summary>The table whose rows <c>(message, state)</c> an index finds for states that are rare: held, and ended otherwise than
    /// sent.</summary>
    public abstract string EndedTable { get; }

    /// <summary>The name under which people know a node.</summary>
    public abstract string NodeName(int node);

    /// <summary>The number below which no event of a message is.</summary>
    public abstract long OldestEvent(long message);

    /// <summary>Ids between two others, both exclusive, of messages under the hash of an address or tag: the nearest first, no id
    /// twice.</summary>
    public abstract List<long> FindByHash(DbConnection connection, long hash, long above, long below, bool ascending, int count);

    /// <summary>A place as the log has it now: it may have been told before a move.</summary>
    public virtual EventCursor Place(DbConnection connection, EventCursor told) => told;

    /// <summary>A tenant's rows of the log at a place and behind it, in the order of commits.</summary>
    /// <param name="message">Only rows of this one, and of none; null: all.</param>
    public abstract FeedRows ReadFeed(DbConnection connection, TenantId tenant, EventCursor after, long? message, int count);

    /// <summary>The place behind all that was committed.</summary>
    public abstract EventCursor LatestEvent(DbConnection connection);
}
