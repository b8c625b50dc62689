namespace Postrider.Mail.Smtp;

/// <summary>
/// The book of one transaction: what each reply means for each recipient, and at the end what is known. Pure: replies in, result out.
/// </summary>
sealed class SmtpTransaction(SmtpEnvelope envelope)
{
    // Taken by RCPT but not decided yet: Unresolved with the positive reply. Becomes the final reply's, or nobody's.
    readonly SmtpRecipientResult[] _recipients = new SmtpRecipientResult[envelope.Recipients.Count];
    bool _mailAccepted;
    bool _mailRefused;
    int _rcptAnswered;
    bool _anyAnswer;
    bool _isEnded;
    SmtpReply? _final;

    public SmtpEnvelope Envelope => envelope;

    /// <summary>Recipients that RCPT took. Content is for these only.</summary>
    public int Taken { get; private set; }

    /// <summary>The content and its end are with the socket: from now on only a reply can prove that the message was not taken.</summary>
    public bool LastByteHanded { get; set; }

    /// <summary>MAIL was taken and nothing ended the transaction since: the server still has it open.</summary>
    public bool IsLeftOpen => _mailAccepted && !_isEnded;

    /// <summary>True when there is no use in sending the commands that are left.</summary>
    public bool IsOver(bool onlyContentIsLeft) => _mailRefused || (onlyContentIsLeft && Taken == 0);

    public void MailAnswered(SmtpReply reply)
    {
        Understand(SmtpPhase.Mail, reply);
        _mailAccepted = reply.IsPositive;
        _mailRefused = !reply.IsPositive;
        if (_mailRefused)
            RefuseOpen(SmtpPhase.Mail, reply);
    }

    public void RcptAnswered(int index, SmtpReply reply)
    {
        // Without MAIL the server answers pipelined RCPTs with 503, which says nothing about them.
        if (_mailRefused)
            return;
        Understand(SmtpPhase.Rcpt, reply);
        _rcptAnswered++;
        if (reply.IsPositive)
            Taken++;
        var state = reply.IsPositive ? SmtpRecipientState.Unresolved
            : Taken > 0 && MeansTooMany(reply) ? SmtpRecipientState.TooManyRecipients
            : SmtpRecipientState.Refused;
        _recipients[index] = new SmtpRecipientResult(state, SmtpPhase.Rcpt, reply);
    }

    /// <returns>True when the server waits for content.</returns>
    public bool DataAnswered(SmtpReply reply)
    {
        if (reply.Code == 354)
        {
            _anyAnswer = true;
            return true;
        }
        if (reply.IsPositive)
            throw OutOfOrder(SmtpPhase.Data, reply);
        // Without recipients DATA gets 503 or 554; the replies to RCPT have said it better.
        if (Taken > 0)
        {
            Understand(SmtpPhase.Data, reply);
            RefuseOpen(SmtpPhase.Data, reply);
        }
        return false;
    }

    /// <summary>A refused chunk, unlike refused content after DATA, leaves the transaction open (RFC 3030 §2).</summary>
    public void FinalAnswered(SmtpReply reply, bool asChunk)
    {
        Understand(SmtpPhase.FinalDot, reply);
        _final = reply;
        _isEnded = reply.IsPositive || !asChunk;
        if (!reply.IsPositive)
        {
            RefuseOpen(SmtpPhase.FinalDot, reply);
            return;
        }
        foreach (ref var recipient in _recipients.AsSpan())
        {
            if (recipient is { State: SmtpRecipientState.Unresolved, Reply: not null })
                recipient = new SmtpRecipientResult(SmtpRecipientState.Accepted, SmtpPhase.FinalDot, reply);
        }
    }

    /// <summary>
    /// The empty message that went only because DATA was answered with 354 although nobody is to get it; its reply means nothing.
    /// </summary>
    public void EmptyContentAnswered() => _isEnded = true;

    /// <summary>421 ends the session at any point: it is the answer for everyone who has none yet (RFC 5321 §3.8).</summary>
    public static void ThrowIfClosing(SmtpPhase phase, SmtpReply reply)
    {
        if (reply.IsClosing)
            throw new SmtpChannelException(phase, SmtpFailureKind.ServiceClosing, reply.ToString()) { Reply = reply };
    }

    public SmtpSendResult Result() => new(_recipients, _final, failure: null);

    public SmtpSendResult Failed(SmtpChannelException fault)
    {
        // A complete 4xx or 5xx that decides is proof; so is a server that has nobody to send to.
        var refused = fault.Reply is { IsTransient: true } or { IsPermanent: true };
        var nobody = _mailRefused || (_rcptAnswered == _recipients.Length && Taken == 0);
        return Failed(fault.ToFailure(knownUnsent: !LastByteHanded || refused || nobody));
    }

    public SmtpSendResult Failed(SmtpFailure failure)
    {
        if (failure.Reply is { } reply && (reply.IsTransient || reply.IsPermanent))
            RefuseOpen(failure.Phase, reply);
        foreach (ref var recipient in _recipients.AsSpan())
        {
            if (recipient.State == SmtpRecipientState.Unresolved)
                recipient = default;
        }
        return new SmtpSendResult(_recipients, _final, failure) { NothingAnswered = !_anyAnswer };
    }

    void RefuseOpen(SmtpPhase phase, SmtpReply reply)
    {
        foreach (ref var recipient in _recipients.AsSpan())
        {
            if (recipient.State == SmtpRecipientState.Unresolved)
                recipient = new SmtpRecipientResult(SmtpRecipientState.Refused, phase, reply);
        }
    }

    void Understand(SmtpPhase phase, SmtpReply reply)
    {
        if (reply.IsIntermediate)
            throw OutOfOrder(phase, reply);
        _anyAnswer = true;
    }

    static SmtpChannelException OutOfOrder(SmtpPhase phase, SmtpReply reply)
        => new(phase, SmtpFailureKind.Protocol, $"an answer out of order: {reply}") { Reply = reply };

    /// <summary>
    /// RFC 5321 §4.5.3.1.10: 452, and 552 from old servers. Both are also said of full disks and mailboxes, so the enhanced code or the
    /// words must confirm it; the caller has seen to it that another recipient was taken, or a new transaction would meet the same.
    /// </summary>
    static bool MeansTooMany(SmtpReply reply)
        => reply.Code is 452 or 552
            && (reply.Enhanced is null
                ? reply.Text.Contains("too many", StringComparison.OrdinalIgnoreCase)
                : reply.Enhanced is "4.5.3" or "5.5.3");
}
