using System.Threading.Channels;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Capture;

namespace Postrider.Hosting;

/// <summary>Puts copies of mail that staging does not let out into the inbox, where people can look at it. A copy may be lost in a crash,
/// the message is not.</summary>
sealed partial class HeldMail(IInbox inbox, TimeProvider clock, ILogger<HeldMail> logger) : BackgroundService
{
    const string Transport = "held";
    const int Keep = 10_000;

    // Beyond it copies are dropped: mail is accepted faster than the inbox is written, and nobody looks at so many.
    const int Capacity = 1_000;

    readonly Channel<OutgoingEnvelope> _copies =
        Channel.CreateBounded<OutgoingEnvelope>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Called after the commit; does not wait.</summary>
    public void Add(
        TenantId tenant, MessageId message, MessageContent content, IReadOnlyList<MessageRecipient> all,
        IReadOnlyList<MessageRecipient> held) =>
        _copies.Writer.TryWrite(new OutgoingEnvelope
        {
            Tenant = tenant,
            Message = message,
            ReversePath = content.MailFrom,
            Content = content,
            Recipients = held,
            AllRecipients = all,
            Stream = MailStream.Transactional,
            Generation = 0,
        });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var copy in _copies.Reader.ReadAllAsync(stoppingToken))
            await KeepAsync(copy);
    }

    async Task KeepAsync(OutgoingEnvelope envelope)
    {
        try
        {
            using var mime = RenderedMessage.Of(envelope);
            await inbox.AddAsync(
                new NewCapturedMail
                {
                    Tenant = envelope.Tenant,
                    Message = envelope.Message,
                    Transport = Transport,
                    At = clock.GetUtcNow(),
                    ReversePath = envelope.ReversePath?.ToString(),
                    Recipients = [.. envelope.Recipients.Select(r => r.Mailbox.Address.ToString())],
                    From = envelope.Content.From.ToString(),
                    Subject = envelope.Content.Subject,
                    Mime = mime.Bytes,
                },
                Keep, CancellationToken.None);
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException)
        {
            LogNotKept(e, envelope.Message);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "No copy of the held message {Message} was put into the inbox")]
    partial void LogNotKept(Exception fault, MessageId message);
}
