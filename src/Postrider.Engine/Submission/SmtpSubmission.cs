using System.Diagnostics;
using System.Net;
using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Submission;

/// <summary>What an installation says about submission by SMTP beyond the protocol.</summary>
public sealed record SmtpSubmissionRules
{
    /// <summary>Networks whose clients send for the first tenant without a password.</summary>
    public IReadOnlyList<IPNetwork> TrustedNetworks { get; init; } = [];

    /// <summary>Take a message only once that comes again with the same Message-ID, envelope and content: a client whose connection was
    /// lost before our 250.</summary>
    public bool Deduplicate { get; init; }

    /// <summary>Told where a failed authentication came from; null: nobody cares.</summary>
    public Action<IPAddress>? Refused { get; init; }

    /// <summary>Told what was wrong with the mail of a key; null: nobody keeps that.</summary>
    public Action<Principal, Problem>? RefusedMail { get; init; }

    /// <summary>Told the code of each reply to a message; null: nobody counts.</summary>
    public SubmissionMetrics? Metrics { get; init; }

    /// <summary>Reports on mail we sent, which their senders bring without credentials; null: there are none.</summary>
    public SmtpReports? Reports { get; init; }
}

/// <summary>Mail that is not sent on, and needs no credentials, because of where it goes: reports on what we sent (RFC 3464,
/// 5965).</summary>
/// <param name="IsFor">Whether an address is one of ours that reports come to. Asked at RCPT; must not wait.</param>
/// <param name="TakeAsync">Takes the report. 250 only when what it says is on disk, or means nothing to us.</param>
public sealed record SmtpReports(
    Func<Mail.Addresses.EmailAddress, bool> IsFor, Func<SmtpReceivedMail, CancellationToken, Task<SmtpReply>> TakeAsync);

/// <summary>One client's session of SMTP as an entrance: its password is an API key, and what it hands over goes the way of all
/// submissions.</summary>
public sealed class SmtpSubmission(Submitter submitter, Authenticator authenticator, SmtpSubmissionRules rules, SmtpPeer peer)
    : ISmtpMailHandler
{
    static readonly SmtpReply Welcome = new(235, "2.7.0", "authenticated");
    static readonly SmtpReply SenderTaken = new(250, "2.1.0", "OK");
    static readonly SmtpReply RecipientTaken = new(250, "2.1.5", "OK");
    static readonly SmtpReply WrongKey = new(535, "5.7.8", "the password must be a valid API key");
    static readonly SmtpReply NoSendScope = new(535, "5.7.8", "the API key does not have the scope send");
    static readonly SmtpReply CannotCheck = new(454, "4.7.0", "credentials cannot be checked now, try again later");
    static readonly SmtpReply AuthenticateFirst = new(530, "5.7.0", "authentication required: any user, an API key as password");
    static readonly SmtpReply NoRelay = new(550, "5.7.1", "relaying needs authentication: any user, an API key as password");

    static readonly SmtpReply Apart = new(452, "4.5.3", "reports and mail do not go together, send the rest in another message");
    static readonly SmtpReply TooManyReports = new(452, "4.5.3", "too many recipients of one report, send the rest in another message");

    /// <summary>A report comes to the return path of one message.</summary>
    const int MaxReportRecipients = 10;

    readonly bool _isTrusted = rules.TrustedNetworks.Any(network => network.Contains(peer.Address));
    string? _password;      // of the session, checked again for each message
    Principal? _caller;     // whose it was then

    // Of the transaction.
    TenantId? _tenant;      // null: only reports are taken
    int _recipients;
    bool _isReport;         // where there are recipients

    public async ValueTask<SmtpReply> AuthenticateAsync(string user, string password, CancellationToken ct)
    {
        var (_, refusal) = await TenantOfAsync(password);
        if (refusal is { } no)
        {
            if (no.IsPermanent)
                rules.Refused?.Invoke(peer.Address);
            return no;
        }
        _password = password;
        return Welcome;
    }

    public async ValueTask<SmtpReply> MailAsync(SmtpMailFrom mail, CancellationToken ct)
    {
        _tenant = _isTrusted ? TenantId.First : null;
        _recipients = 0;
        if (_password is not null)
        {
            // A session may last for hours; a key that was revoked since must not send.
            (_tenant, var refusal) = await TenantOfAsync(_password);
            if (refusal is { } no)
                return no.Code == 454 ? no with { Code = 451 } : AuthenticateFirst;
        }
        return _tenant is null && rules.Reports is null ? AuthenticateFirst : SenderTaken;
    }

    public ValueTask<SmtpReply> RecipientAsync(SmtpRecipient recipient, CancellationToken ct) => new(JudgeRecipient(recipient));

    SmtpReply JudgeRecipient(SmtpRecipient recipient)
    {
        // Whoever brings it: what a relay reports from a trusted network, or with a key, must not go out again, and come back, for ever.
        var isReport = rules.Reports?.IsFor(recipient.Address) == true;
        if (!isReport && _tenant is null)
            return NoRelay;
        if (_recipients > 0 && isReport != _isReport)
            return Apart;
        if (isReport && _recipients >= MaxReportRecipients)
            return TooManyReports;
        _isReport = isReport;
        _recipients++;
        return RecipientTaken;
    }

    public async ValueTask<SmtpReply> ReceiveAsync(SmtpReceivedMail mail, CancellationToken ct)
    {
        using var span = MailTrace.Start("postrider.submit", ActivityKind.Server);
        var reply = await TakeAsync(mail, ct);
        span?.SetTag("network.protocol.name", "smtp").SetTag("postrider.smtp.reply", reply.Code);
        rules.Metrics?.Replied(reply.Code);
        return reply;
    }

    async ValueTask<SmtpReply> TakeAsync(SmtpReceivedMail mail, CancellationToken ct)
    {
        if (_isReport || _tenant is not { } tenant)
            return await rules.Reports!.TakeAsync(mail, ct);
        if (SmtpInstructions.TryRead(mail, out var instructions) is { } refusal)
            return refusal;
        var key = instructions.IdempotencyKey ?? (rules.Deduplicate ? SmtpRepetition.KeyOf(mail, instructions) : null);
        var hash = key is null ? default : SmtpRepetition.HashOf(mail, instructions);
        var context = new SubmissionContext(tenant, key, hash)
        {
            Answer = receipt => Encoding.ASCII.GetBytes(IdOf(receipt)),
            IsInHand = true,
        };
        // Not cut with the session: a client that is gone by now may ask again under its key.
        return await submitter.SubmitAsync(instructions.Request, context, CancellationToken.None) switch
        {
            SubmissionResult.Accepted accepted => Queued(IdOf(accepted.Receipt)),
            SubmissionResult.Replayed replayed => Queued(Encoding.ASCII.GetString(replayed.Answer.Span)),
            SubmissionResult.Refused refused => Refuse(refused.Problem),
            var unheardOf => throw new InvalidOperationException($"The submitter answered {unheardOf}."),
        };
    }

    SmtpReply Refuse(Problem problem)
    {
        if (_caller is not null)
            rules.RefusedMail?.Invoke(_caller, problem);
        return SmtpProblems.Reply(problem);
    }

    async ValueTask<(TenantId? Tenant, SmtpReply? Refusal)> TenantOfAsync(string password)
    {
        var authentication = await authenticator.AuthenticateAsync(password);
        _caller = authentication.Principal;
        if (authentication.Principal is not { } principal)
            return (null, authentication.Problem!.Status >= 500 ? CannotCheck : WrongKey);
        return principal.May(Scopes.Send) ? (principal.Tenant, null) : (null, NoSendScope);
    }

    static string IdOf(SubmissionReceipt receipt) => receipt.Items[0].Message!.Id.ToString();

    static SmtpReply Queued(string id) => new(250, "2.0.0", $"queued as {id}");
}
