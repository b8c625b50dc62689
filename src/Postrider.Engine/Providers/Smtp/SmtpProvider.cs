using System.Buffers;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>Sends through one SMTP server over pooled connections.</summary>
sealed class SmtpProvider(SmtpPool pool) : IProvider
{
    public ProviderCapabilities Capabilities { get; } = new() { SmtpUtf8 = true };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        var mime = MimeRendering.ToMime(envelope);
        using var content = RenderedMessage.Of(mime);
        Func<CancellationToken, ValueTask<bool>>? commit = envelope.CommitPoint is { } point ? new OnceCommitted(point).AskAsync : null;
        var outcomes = new Outcome[envelope.Recipients.Count];
        // Which recipients the next transaction is for, by their place in the envelope.
        List<int> open = [.. Enumerable.Range(0, outcomes.Length)];
        while (open.Count > 0)
        {
            var transaction = new SmtpEnvelope(envelope.ReversePath, Addresses(envelope, open))
            {
                SmtpUtf8 = MessageWriter.NeedsSmtpUtf8(mime),
                EnvelopeId = envelope.Message.ToString(),
            };
            var result = await pool.SendAsync(transaction, new ReadOnlySequence<byte>(content.Bytes), commit, ct);
            open = Record(result, open, outcomes);
        }
        return outcomes;
    }

    public ValueTask DisposeAsync() => pool.DisposeAsync();

    static EmailAddress[] Addresses(OutgoingEnvelope envelope, List<int> open)
    {
        var addresses = new EmailAddress[open.Count];
        for (var i = 0; i < addresses.Length; i++)
            addresses[i] = envelope.Recipients[open[i]].Mailbox.Address;
        return addresses;
    }

    /// <returns>Those that the server had no room for in this transaction: they go in the next, at once. Always fewer than
    /// before.</returns>
    static List<int> Record(SmtpSendResult result, List<int> open, Outcome[] outcomes)
    {
        List<int> rest = [];
        for (var i = 0; i < open.Count; i++)
        {
            if (result.Recipients[i].State == SmtpRecipientState.TooManyRecipients && result.Failure is null)
                rest.Add(open[i]);
            else
                outcomes[open[i]] = SmtpOutcomes.Of(result, i);
        }
        return rest;
    }

    /// <summary>The commit point is one for the attempt, also when it takes several transactions.</summary>
    sealed class OnceCommitted(Func<CancellationToken, ValueTask<bool>> point)
    {
        bool _isCommitted;

        public async ValueTask<bool> AskAsync(CancellationToken ct) => _isCommitted = _isCommitted || await point(ct);
    }
}
