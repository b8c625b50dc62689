using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <content>Born leased: a submission passes by the queue where nothing waits ahead of it and a transport has given leave.</content>
public sealed partial class Dispatcher
{
    public IHandOverPermit? TryReserve(QueueKey key, NewMessage message, MessageContent content)
    {
        var now = _time.Now;
        if (!_open || _quiet || !_node.MayAct || Room <= 0
            || message.OrderingKey is not null || message.SendAt > now || !_due.IsClear(key, now)
            || _router.Pauses.Covers(key.Tenant, key.Stream, key.Route)
            || _router.Of(key.Tenant).For(key.Route) is not { } route)
            return null;
        var needs = new EnvelopeNeeds
        {
            SenderDomain = content.From.Address.AsciiDomain,
            RecipientDomains = route.HasDomainLimits ? DomainsOf(message.Recipients) : null,
            SmtpUtf8 = content.From.Address.NeedsSmtpUtf8,
        };
        if (route.TakeFor(needs, key.Stream) is not { } permit)
            return null;
        Interlocked.Increment(ref _inFlight);
        if (!_open)
        {
            // A drain that began meanwhile may have seen nothing in flight.
            Return(permit);
            return null;
        }
        return new Reservation(this, permit, route);
    }

    public void Signal(QueueKey key, DateTimeOffset dueAt) => _due.Add(key, dueAt, _time.Now);

    void Start(Lease lease, Permit permit, Route route)
    {
        _metrics.HandedOver();
        AttemptTrace.Leased(lease, "hand-over", _time.Now);
        StartApart(() => _open ? AttemptAsync(lease, permit, route) : GiveBackAsync(lease, permit, route));
    }

    /// <summary>The node began to stop between reservation and commit.</summary>
    async Task GiveBackAsync(Lease lease, Permit permit, Route route)
    {
        try
        {
            permit.Dispose();
            await ReleaseAsync([lease], route, _due.Get(lease.Envelope.Key));
        }
        finally
        {
            Leave();
        }
    }

    void Return(Permit permit)
    {
        permit.Dispose();
        Leave();
    }

    /// <summary>A permit kept for a message that is being accepted.</summary>
    sealed class Reservation(Dispatcher dispatcher, Permit permit, Route route) : IHandOverPermit
    {
        public Incarnation Owner => dispatcher._node.Incarnation;
        public void Start(Lease lease) => dispatcher.Start(lease, permit, route);
        public void Return() => dispatcher.Return(permit);
    }
}
