using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Leases and outcomes for tests of pure parts.</summary>
static class Leases
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    public static MessageRecipient Recipient(int n) =>
        new(n, RecipientKind.To, new Mailbox(null, EmailAddress.Parse($"r{n}@example.com")));

    public static Lease Lease(int recipients = 1, int deferrals = 0, int rounds = 0, TransportHistory? history = null,
        string route = "default") => new()
        {
            Envelope = new QueuedEnvelope
            {
                Id = new EnvelopeId(new MessageId(1L << 40), 0),
                Key = new QueueKey(route, MailStream.Transactional, TenantId.First),
                DueAt = Now,
                ExpiresAt = Now.AddDays(1),
                RecipientCount = recipients,
                Claim = 1,
                Tries = 1,
                Deferrals = deferrals,
                Rounds = rounds,
                History = history ?? TransportHistory.Empty,
            },
            Owner = new Incarnation(0, 1),
            Message = new LeasedMessage
            {
                Id = new MessageId(1L << 40),
                Content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("sender@example.org")) },
                Recipients = [.. Enumerable.Range(0, recipients).Select(Recipient)],
            },
            Recipients = [.. Enumerable.Range(0, recipients).Select(Recipient)],
        };

    public static Outcome Outcome(OutcomeKind kind, OutcomeScope scope, int code = 250, string? enhanced = null, string? command = "RCPT",
        string text = "words") =>
        new(kind, scope, new Reply(code, enhanced, text, command));

    /// <summary>These recipients are on the suppression list.</summary>
    public static Dictionary<int, string> OnTheList(params int[] recipients) => recipients.ToDictionary(n => n, n => $"for reason {n}");

    /// <summary>The same outcome for every recipient of the lease.</summary>
    public static IReadOnlyList<RecipientOutcome> All(Lease lease, Outcome outcome) =>
        [.. lease.Recipients.Select(r => new RecipientOutcome(r.N, outcome))];
}
