using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Storage;

/// <summary>Small mails for tests of a store, and the record that one was sent.</summary>
sealed class StoredMails(TimeProvider clock)
{
    public static readonly QueueKey Key = new("main", MailStream.Transactional, TenantId.First);

    readonly MessageIds _ids = new(clock);

    public static Acceptance Accept(NewMessage message) => new() { Tenant = TenantId.First, Messages = [message] };

    public NewMessage Make(string to, Incarnation? bornLeasedBy = null, string text = "Hello") => new()
    {
        Id = _ids.Next(),
        Stream = Key.Stream,
        Route = Key.Route,
        Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(to)))],
        Content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("shop@example.com")), Text = text },
        ExpiresAt = clock.GetUtcNow() + TimeSpan.FromDays(1),
        BornLeasedBy = bornLeasedBy,
    };

    public AttemptRecord Sent(Lease lease)
    {
        var accepted = new Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, "2.0.0", "OK"));
        return new AttemptRecord
        {
            Lease = lease,
            Attempt = new Attempt { Transport = "relay", StartedAt = clock.GetUtcNow(), Outcomes = [new(0, accepted)] },
            Ends = [new(0, RecipientState.Sent, accepted, "sent")],
            Continues = [],
        };
    }
}
