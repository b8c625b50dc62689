using System.Diagnostics;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>What delivery adds to the trace of a message: lease, attempt, record. Ids and names of ours, never an address.</summary>
static class AttemptTrace
{
    /// <summary>It was taken to be attempted.</summary>
    /// <param name="by">queue, or hand-over where it was born leased.</param>
    public static void Leased(Lease lease, string by, DateTimeOffset began)
    {
        var around = Activity.Current;
        using (var span = Continue("postrider.lease", lease, began))
            span?.SetTag("postrider.lease.by", by).SetTag("postrider.node", lease.Owner.Node);
        Activity.Current = around;
    }

    /// <summary>Null where the message is not traced.</summary>
    public static Activity? Attempt(Lease lease, Transport transport) => Continue("postrider.attempt", lease, default)?
        .SetTag("postrider.transport", transport.Label)
        .SetTag("postrider.provider", transport.Options.Scheme)
        .SetTag("postrider.tries", lease.Envelope.Tries)
        .SetTag("postrider.node", lease.Owner.Node);

    public static void End(Activity span, IReadOnlyList<RecipientOutcome> outcomes)
    {
        if (outcomes.Count == 0)
            return;
        var kind = outcomes[0].Outcome.Kind;
        span.SetTag("postrider.outcome", kind.ToString().ToLowerInvariant());
        if (kind != OutcomeKind.Accepted)
            span.SetStatus(ActivityStatusCode.Error, AddressMask.InText(outcomes[0].Outcome.Reply.Words));
    }

    static Activity? Continue(string name, Lease lease, DateTimeOffset began) =>
        MailTrace.Continue(name, lease.Message.Content.Trace, lease.Message.Batch is not null, began: began)?
            .SetTag("postrider.message.id", lease.Message.Id.ToString());
}
