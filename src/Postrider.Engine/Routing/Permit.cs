using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>Leave of a transport to start one attempt now. It holds a slot until it is disposed,
/// which is when the outcome is committed.</summary>
/// <remarks>Order of calls: <see cref="Charge"/> and <see cref="Report"/> once per try, then <see cref="Dispose"/>.
/// Without a charge nothing was used.</remarks>
public sealed class Permit : IDisposable
{
    internal Permit(Transport transport, MailStream stream) => (Transport, Stream) = (transport, stream);

    public Transport Transport { get; }
    public MailStream Stream { get; }

    /// <summary>Those of the route that were asked before its own, and gave none.</summary>
    public IReadOnlyList<PassedOver> PassedOver { get; internal set; } = [];

    /// <summary>Its result decides whether the transport's circuit closes.</summary>
    public bool IsProbe { get; internal set; }

    // The transport's, guarded by its lock.
    internal TimeSpan? Instant;                // of the shared rate, until it is used
    internal TimeSpan? LateSince;
    internal bool Charged;
    internal bool Trying;
    internal TimeSpan TriedAt;
    internal bool Disposed;
    internal string? SenderDomain;
    internal IReadOnlyList<string>? RecipientDomains;
    internal IReadOnlyList<string>? WaitsForDomains;   // counted as waiting for their shared rates

    /// <summary>Begins a try. Zero: send now. Longer: the limiter allows it only then (a second try; or another envelope
    /// with many recipients, or the provider's answer to it, came between); nothing was charged, ask again or give the permit back.
    /// Null: the transport takes it no more (its circuit opened, it stalled, was paused, refuses the sender's domain, has enough
    /// under way for a recipient's domain): send nothing.</summary>
    /// <param name="recipients">How many travel in this try.</param>
    /// <param name="senderDomain">Of the From address, lower case; null: not looked at.</param>
    /// <param name="recipientDomains">Of each recipient, in the order of the outcomes; needed only where
    /// <see cref="TransportOptions.Domains"/> are set.</param>
    public TimeSpan? Charge(int recipients, string? senderDomain = null, IReadOnlyList<string>? recipientDomains = null) =>
        Transport.Charge(this, recipients, senderDomain, recipientDomains);

    /// <summary>More of a long content is on its way: the try is not one that nobody answers.</summary>
    public void Moved() => Transport.Moved();

    /// <summary>What the try came to, once per recipient: tells circuit, limiter and counters.</summary>
    public void Report(params IReadOnlyList<Outcome> outcomes) => Transport.Report(this, outcomes);

    /// <summary>Frees the slot. Again: nothing.</summary>
    public void Dispose() => Transport.Return(this);
}
