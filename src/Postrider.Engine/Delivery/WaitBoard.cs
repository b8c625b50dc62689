using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Says why queued mail waits as a whole: what holds up a route, stream and tenant is known from memory, and not written into
/// every row.</summary>
/// <param name="storage">Null: it is never low.</param>
public sealed class WaitBoard(Router router, StorageRoom? storage = null)
{
    /// <summary>As shown in <c>waiting_for</c>; null when a transport would take mail of this key now.</summary>
    public Waiting? WaitingFor(QueueKey key)
    {
        if (storage?.IsLow() == true)
            return new Waiting(WaitReason.StorageLow, "room on the disk of the database: it is nearly full, and nothing is sent");
        if (router.Pauses.Covers(key.Tenant, key.Stream, key.Route))
            return new Waiting(WaitReason.Paused, "sending is paused");
        if (router.Of(key.Tenant).For(key.Route) is not { } route)
            return new Waiting(WaitReason.TransportsUnavailable, "no transport is configured");
        var wait = route.WhyNot(key.Stream);
        return wait.Cause == WaitCause.None ? null : new Waiting(wait.Reason, wait.Describe());
    }
}

/// <summary>Whether the store has room for what becomes of mail; where it has not, it leases none.</summary>
public sealed record StorageRoom(Func<bool> IsLow);

/// <summary>What queued mail waits for.</summary>
/// <param name="Text">Plain words: "relay-1 failed too often (until …)".</param>
public readonly record struct Waiting(WaitReason Reason, string Text);
