using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>What the routes say about a name: asked for each message, answered from memory.</summary>
public enum RouteStanding : byte
{
    Ready,
    /// <summary>It exists but has no transport.</summary>
    NoTransport,
    Unknown,
}

/// <summary>What a submission is routed by.</summary>
/// <param name="Named">The route it names; null when it leaves the choice to the rules.</param>
public readonly record struct RouteQuestion(TenantId Tenant, string? Named, MailStream Stream, EmailAddress From, IReadOnlyList<MessageRecipient> To, IReadOnlyList<string> Tags);

/// <param name="Route">The route to take; where it is unknown, the name asked for.</param>
public readonly record struct RouteChoice(string Route, RouteStanding Standing);

/// <summary>Chooses the route of a message. Must be fast and must not wait.</summary>
public delegate RouteChoice RouteChooser(RouteQuestion question);

/// <summary>Keeps a copy of a message for recipients that staging does not allow, where people can look at it (the inbox). Called after the commit; must not wait.</summary>
public delegate void HeldCopy(TenantId tenant, MessageId message, MessageContent content, IReadOnlyList<MessageRecipient> all, IReadOnlyList<MessageRecipient> held);

/// <summary>Whether a tenant may send from this address; asked only where one is given. Must be fast and must not wait.</summary>
public delegate bool SenderCheck(TenantId tenant, EmailAddress from);
