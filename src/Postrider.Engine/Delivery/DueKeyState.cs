using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>One key in the <see cref="DueBook"/>; all guarded by the book's lock, except what the loop alone touches.</summary>
sealed class DueKeyState
{
    /// <summary>Permits asked for when nothing is known of how much is due; doubles while there is more.</summary>
    public const int FirstAsk = 4;

    /// <summary>No node has so many permits.</summary>
    public const int MostAsked = 1 << 20;

    public DueKeyState(QueueKey key, DueGroup group) => (Key, Group) = (key, group);

    public QueueKey Key { get; }
    public DueGroup Group { get; set; }

    /// <summary>Its place in the rotation of its group; written by the rotation alone.</summary>
    internal TurnAt Turn;

    /// <summary>Work may be due; cleared only by a lease that found nothing more.</summary>
    internal bool MayBeDue;

    /// <summary>The earliest work known to be due later.</summary>
    internal DateTimeOffset LaterAt = DateTimeOffset.MaxValue;

    /// <summary>More is due later than <see cref="LaterAt"/> tells.</summary>
    internal bool HasOthersLater;
    internal bool IsReady;
    internal bool IsLeasing;
    internal bool IsParked;

    /// <summary>Counts signals, so that a lease made before a signal does not clear what came after.</summary>
    internal long Version;

    /// <summary>Signals of due work since the key was last empty: at least so many rows.</summary>
    internal int Hint;
    internal int Ask = FirstAsk;

    /// <summary>Grows while leases have to be given back for want of another transport; touched by the lease under way alone.</summary>
    public TimeSpan ReleaseDelay { get; set; }

    /// <summary>Permits in hand for the next lease; the dispatcher's loop alone.</summary>
    public List<Permit> Hand { get; set; } = [];

    /// <summary>How many permits are worth asking for.</summary>
    public int Want => Math.Max(Hint, Ask);
}

/// <summary>The keys of one route and stream, tenants in rotation: they ask for the same permits, or for none together.</summary>
/// <param name="tenant">The only one in it, as it has routes of its own; null: those of the installation's.</param>
sealed class DueGroup(string route, MailStream stream, TenantId? tenant)
{
    public string Route => route;
    public MailStream Stream => stream;
    public TenantId? Tenant => tenant;

    internal Rotation Rotation { get; } = new();   // guarded by the book's lock
}
