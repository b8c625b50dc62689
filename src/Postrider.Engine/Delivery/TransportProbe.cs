using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Sends one mail through exactly one transport, past queue, limits and circuit, for an operator who asks whether it works.
/// Nothing is stored.</summary>
public sealed class TransportProbe
{
    readonly Router _router;
    readonly Lanes _lanes;
    readonly MessageIds _ids;
    readonly TimeProvider _clock;

    internal TransportProbe(Router router, Lanes lanes, MessageIds ids, TimeProvider clock) =>
        (_router, _lanes, _ids, _clock) = (router, lanes, ids, clock);

    /// <summary>Connects, without a mail. Null: there is nothing to connect to.</summary>
    public ValueTask<ProviderLook?> LookAsync(Transport transport, CancellationToken ct) =>
        _lanes.ProviderOf(transport).LookAsync(ct);

    /// <summary>Null when there is no such transport.</summary>
    public Task<ProbeResult?> SendAsync(string name, TenantId tenant, Mailbox from, Mailbox to, CancellationToken ct) =>
        SendAsync(name, tenant, new MessageContent
        {
            From = from,
            Subject = $"Test of the transport {name}",
            Text = $"This mail was sent by Postrider to test the transport {name}. It arrived.\n",
        }, to, ct);

    /// <inheritdoc cref="SendAsync(string, TenantId, Mailbox, Mailbox, CancellationToken)"/>
    public async Task<ProbeResult?> SendAsync(string name, TenantId tenant, MessageContent content, Mailbox to, CancellationToken ct)
    {
        if (_router.Of(tenant).FindTransport(name) is not { } transport)
            return null;
        var recipient = new MessageRecipient(0, RecipientKind.To, to);
        var began = _clock.GetTimestamp();
        var outcomes = await _lanes.Of(transport).ProbeAsync(new OutgoingEnvelope
        {
            Message = _ids.Next(),
            Tenant = tenant,
            ReversePath = content.From.Address,
            Content = content,
            Recipients = [recipient],
            AllRecipients = [recipient],
            Stream = MailStream.Transactional,
            Generation = 0,
        }, ct);
        return new ProbeResult(outcomes[0], _clock.GetElapsedTime(began));
    }
}

/// <summary>What the other side said to the test.</summary>
public sealed record ProbeResult(Outcome Outcome, TimeSpan Duration);
