using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Mail.Mime;
using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>Sends through one SMTP server over pooled connections, signed where there is a key for the sender's domain.</summary>
/// <param name="signers">Null: nothing is signed.</param>
/// <param name="paths">Null: reports of failure go to the sender.</param>
sealed class SmtpProvider(SmtpPool pool, SignerLookup? signers = null, ReturnPaths? paths = null) : IProvider
{
    public ProviderCapabilities Capabilities { get; } = new() { SmtpUtf8 = true };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        using var content = RenderedMessage.Of(envelope);
        var bytes = content.Bytes;
        var signed = Pieces.Of(Signature(envelope, bytes.Span), bytes);
        Func<CancellationToken, ValueTask<bool>>? commit = envelope.CommitPoint is { } point ? new OnceCommitted(point).AskAsync : null;
        var outcomes = new Outcome[envelope.Recipients.Count];
        // Which recipients the next transaction is for, by their place in the envelope.
        List<int> open = [.. Enumerable.Range(0, outcomes.Length)];
        while (open.Count > 0)
        {
            var transaction = new SmtpEnvelope(ReturnPath(envelope, open), Addresses(envelope, open))
            {
                SmtpUtf8 = content.NeedsSmtpUtf8,
                EnvelopeId = envelope.Message.ToString(),
                MaySend = envelope.MaySend,
                Moved = envelope.Moved,
            };
            var result = await pool.SendAsync(transaction, signed, commit, ct);
            if (result.Failure?.Kind == SmtpFailureKind.EightBitUnavailable && TryMakeSevenBit(bytes, out var encoded))
            {
                // Nothing was sent, and now it can be (RFC 6152 §3).
                bytes = encoded;
                signed = Pieces.Of(Signature(envelope, bytes.Span), bytes);
                continue;
            }
            open = Record(result, open, outcomes);
        }
        return outcomes;
    }

    public async ValueTask<ProviderLook?> LookAsync(CancellationToken ct)
    {
        var opened = await pool.TryOpenAsync(ct);
        if (opened.Connection is not { } connection)
            return opened.Failure!.Kind is SmtpFailureKind.AuthRefused or SmtpFailureKind.AuthUnavailable or SmtpFailureKind.Refused
                ? new ProviderLook(Refused: opened.Failure.Text) : new ProviderLook(opened.Failure.Text);
        await connection.CloseAsync();
        return new ProviderLook(CertificateEnds: connection.CertificateEnds);
    }

    public ValueTask DisposeAsync() => pool.DisposeAsync();

    /// <summary>False where the message is in seven bits already, or cannot be put into them without harm.</summary>
    static bool TryMakeSevenBit(ReadOnlyMemory<byte> bytes, out ReadOnlyMemory<byte> encoded)
    {
        encoded = default;
        return !Ascii.IsValid(bytes.Span) && MimeReader.TryRead(bytes, out var message, out _)
            && TransferRecoding.TryRecode(message, sevenBit: true, out encoded) && Ascii.IsValid(encoded.Span);
    }

    /// <summary>Who wants to hear of no failure keeps that.</summary>
    EmailAddress? ReturnPath(OutgoingEnvelope envelope, List<int> open) => paths is null || envelope.ReversePath is null
        ? envelope.ReversePath
        : paths.Make(envelope.Message, open is [var only] ? envelope.Recipients[only].N : null);

    /// <summary>The DKIM-Signature field, or nothing. Its time is the message's own, so that every try is the same bytes.</summary>
    ReadOnlyMemory<byte> Signature(OutgoingEnvelope envelope, ReadOnlySpan<byte> content)
    {
        if (signers?.Invoke(envelope.Tenant, envelope.Content.From.Address.AsciiDomain) is not { } signer)
            return default;
        var field = new ArrayBufferWriter<byte>(DkimSigner.UsualBytes);
        signer.TrySign(content, envelope.Message.At, field);
        return field.WrittenMemory;
    }

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
