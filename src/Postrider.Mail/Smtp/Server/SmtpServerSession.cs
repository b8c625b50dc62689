using System.Globalization;

namespace Postrider.Mail.Smtp.Server;

/// <summary>One client's session: reads commands, keeps them in order, and asks the handler what is not the protocol's to decide.</summary>
/// <remarks>Every refusal is a reply; only a peer that is gone and a fault of ours leave as exceptions, and only to
/// <see cref="RunAsync"/>'s caller.</remarks>
sealed partial class SmtpServerSession(
    SmtpServerState server, SmtpServerWire wire, SmtpPeer peer, ISmtpMailHandler handler, bool implicitTls, CancellationToken cut)
{
    readonly SmtpServerOptions _options = server.Options;
    readonly TimeProvider _clock = server.Clock;
    readonly long _startedAt = server.Clock.GetTimestamp();

    bool _greeted;
    bool _isExtended;       // greeted with EHLO, so parameters may follow
    bool _isAuthenticated;
    bool _isOver;
    int _errors;
    int _idleCommands;
    int _authFailures;

    public async Task RunAsync()
    {
        if (implicitTls && !await wire.SecureAsync(_options.Tls!))
            return;
        Say(new SmtpReply(220, null, $"{_options.HostName} ESMTP"));
        while (!_isOver)
        {
            if (server.IsStopping)
                End(SmtpReplies.ShuttingDown);
            else if (_mail is null ? _clock.GetElapsedTime(_startedAt) > _options.SessionTimeout
                : _clock.GetElapsedTime(_transactionStartedAt) > _options.TransactionTimeout)
                End(SmtpReplies.TimedOut);
            else
                await StepAsync();
        }
        await wire.FinishAsync();
    }

    public void Dispose() => ResetTransaction();

    /// <summary>For what nobody foresaw: tells the client that nothing was taken, as far as that still goes.</summary>
    public async Task FailAsync()
    {
        End(SmtpReplies.InternalError with { Code = 421 });
        await wire.FinishAsync();
    }

    async ValueTask StepAsync()
    {
        var input = await wire.ReadLineAsync(_options.IdleTimeout);
        switch (input.Kind)
        {
            case SmtpInputKind.Line:
                await ObeyAsync(SmtpCommand.Parse(input.Line));
                break;
            case SmtpInputKind.NotText:
                Fault(SmtpReplies.NotText);
                break;
            default:
                EndBecauseOf(input.Kind);
                break;
        }
    }

    /// <summary>Ends the session where its input cannot go on.</summary>
    void EndBecauseOf(SmtpInputKind kind)
    {
        switch (kind)
        {
            case SmtpInputKind.BareLineEnd:
                // Where a line ends is not agreed upon any more, so nothing behind it may be obeyed.
                End(SmtpReplies.BareLineEnd);
                break;
            case SmtpInputKind.TooLong:
                End(SmtpReplies.LineTooLong);
                break;
            case SmtpInputKind.TimedOut:
                End(SmtpReplies.TimedOut);
                break;
            case SmtpInputKind.Interrupted:
                End(SmtpReplies.ShuttingDown);
                break;
            case SmtpInputKind.Closed or SmtpInputKind.Line or SmtpInputKind.NotText:
                _isOver = true;
                break;
        }
    }

    async ValueTask ObeyAsync(SmtpCommand command)
    {
        if (command.Verb is not (SmtpVerb.Rcpt or SmtpVerb.Data or SmtpVerb.Bdat or SmtpVerb.Quit) && IsIdleTooOften())
            return;
        switch (command.Verb)
        {
            case SmtpVerb.Ehlo or SmtpVerb.Helo:
                Hello(command);
                break;
            case SmtpVerb.Mail:
                await MailAsync(command.Argument);
                break;
            case SmtpVerb.Rcpt:
                await RecipientAsync(command.Argument);
                break;
            case SmtpVerb.Data:
                await DataAsync(command.Argument);
                break;
            case SmtpVerb.Bdat:
                await ChunkAsync(command.Argument);
                break;
            case SmtpVerb.StartTls:
                await StartTlsAsync(command.Argument);
                break;
            case SmtpVerb.Auth:
                await AuthenticateAsync(command.Argument);
                break;
            default:
                Simple(command);
                break;
        }
    }

    bool IsIdleTooOften()
    {
        if (++_idleCommands <= _options.MaxIdleCommands)
            return false;
        End(SmtpReplies.TooManyIdleCommands);
        return true;
    }

    void Simple(SmtpCommand command)
    {
        switch (command.Verb)
        {
            case SmtpVerb.Rset or SmtpVerb.Quit when command.Argument.Length > 0:
                Fault(SmtpReplies.NoParameters);
                break;
            case SmtpVerb.Rset:
                ResetTransaction();
                Say(SmtpReplies.Ok);
                break;
            case SmtpVerb.Quit:
                End(SmtpReplies.Goodbye);
                break;
            case SmtpVerb.Noop:
                Say(SmtpReplies.Ok);
                break;
            case SmtpVerb.Help:
                Say(SmtpReplies.Help);
                break;
            case SmtpVerb.Vrfy:
                // RFC 5321 §3.5.3, §7.3: neither yes nor no.
                Say(SmtpReplies.CannotVerify);
                break;
            case SmtpVerb.Expn:
                Fault(SmtpReplies.NotImplemented);
                break;
            default:
                Fault(SmtpReplies.Unknown);
                break;
        }
    }

    void Hello(SmtpCommand command)
    {
        if (!SmtpCommand.IsClientName(command.Argument))
        {
            Fault(new SmtpReply(501, "5.5.4", "say who you are: a host name or an address in brackets"));
            return;
        }
        ResetTransaction();
        _greeted = true;
        _isExtended = command.Verb == SmtpVerb.Ehlo;
        Say(new SmtpReply(250, null, _isExtended ? string.Join('\n', Extensions()) : _options.HostName));
    }

    IEnumerable<string> Extensions()
    {
        yield return _options.HostName;
        yield return "PIPELINING";
        yield return string.Create(CultureInfo.InvariantCulture, $"SIZE {_options.MaxMessageBytes}");
        if (_options.Tls is not null && !wire.IsEncrypted && (_options.OfferTlsOnLoopback || !peer.IsLoopback))
            yield return "STARTTLS";
        if (MayAuthenticate)
            yield return "AUTH PLAIN LOGIN";
        yield return "ENHANCEDSTATUSCODES";
        yield return "8BITMIME";
        yield return "SMTPUTF8";
        yield return "CHUNKING";
        yield return "DSN";
    }

    async ValueTask StartTlsAsync(string argument)
    {
        if (_options.Tls is not { } tls)
            Fault(SmtpReplies.NotImplemented);
        else if (argument.Length > 0)
            Fault(SmtpReplies.NoParameters);
        else if (wire.IsEncrypted)
            Fault(SmtpReplies.AlreadyEncrypted);
        else if (_isAuthenticated)
            Fault(SmtpReplies.AlreadyAuthenticated);
        else if (!_greeted)
            Fault(SmtpReplies.HelloFirst);
        else if (_mail is not null)
            Fault(SmtpReplies.NotInTransaction);
        else if (wire.HasUnreadInput())
            End(SmtpReplies.InjectedBeforeTls);     // CVE-2011-0411
        else
            await EncryptAsync(tls);
    }

    async ValueTask EncryptAsync(System.Net.Security.SslServerAuthenticationOptions tls)
    {
        Say(SmtpReplies.ReadyForTls);
        if (!await wire.SecureAsync(tls))
            throw new IOException("The client ended the TLS handshake.");
        // RFC 3207 §4.2: what the client said before counts no longer.
        (_greeted, _isExtended) = (false, false);
    }

    void Say(SmtpReply reply)
    {
        SmtpReplies.Write(wire.Output, reply);
        _isOver |= reply.IsClosing;
    }

    void End(SmtpReply reply)
    {
        Say(reply);
        _isOver = true;
    }

    /// <summary>Says that the client spoke no SMTP; too often, and the session ends.</summary>
    void Fault(SmtpReply reply)
    {
        Say(reply);
        if (++_errors >= _options.MaxErrors && !_isOver)
            End(SmtpReplies.TooManyErrors);
    }
}
