using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Mail.Reports;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Smtp;

namespace Postrider.Feedback;

/// <summary>Takes the mail that comes to our return paths: bounces and complaints become feedback, forged ones go to the
/// quarantine.</summary>
public sealed partial class MailReportReceiver(
    FeedbackReceiver receiver, ReturnPaths? paths, TimeProvider clock, ILogger<MailReportReceiver> logger)
{
    /// <summary>In the place of a vendor.</summary>
    public const string Source = "dsn";

    static readonly SmtpReply Taken = new(250, "2.0.0", "OK");
    static readonly SmtpReply TryLater = new(451, "4.3.0", "the storage is not available, try again later");

    /// <summary>False: there is no domain for them, and nothing is taken.</summary>
    public bool IsOn => paths is not null;

    /// <summary>Whether mail to this address is a report for us, genuine or not.</summary>
    public bool IsOurs(EmailAddress address) => paths?.IsOurs(address) == true;

    /// <summary>The same for what came by SMTP, with the reply to it: 250 when it is stored, or means nothing to us.</summary>
    public async Task<SmtpReply> TakeAsync(SmtpReceivedMail mail, CancellationToken ct)
    {
        try
        {
            foreach (var recipient in mail.Recipients)
                await TakeAsync(recipient.Address, mail.Content, ct);
            return Taken;
        }
        catch (Exception away) when (away is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogAway(away.Message);
            return TryLater;
        }
    }

    /// <summary>Stored when it returns. Throws where the store is away.</summary>
    /// <param name="to">Where it was sent (RCPT TO); null: as its header says.</param>
    /// <returns>False: nobody it could be for was named.</returns>
    public async Task<bool> TakeAsync(EmailAddress? to, ReadOnlyMemory<byte> mime, CancellationToken ct)
    {
        if (paths is null || (to ?? Addressee(mime)) is not { } address || !paths.IsOurs(address))
            return false;
        var path = paths.Read(address);
        var report = MailReportReader.Read(mime);
        var about = new About(path, report.ReportId ?? Convert.ToHexString(SHA256.HashData(mime.Span)), clock.GetUtcNow());
        var feedback = Reports(report, about).Take(MostOf(path)).ToList();
        LogTook(report.GetType().Name, path.State, feedback.Count);
        if (path.State == ReturnPathState.Genuine)
            await receiver.TakeAsync(feedback, ct);
        else if (feedback is [var first, ..])
            await receiver.QuarantineAsync(
                first, path.State == ReturnPathState.Forged ? QuarantineReason.Forged : QuarantineReason.TooLate, ct);
        return true;
    }

    /// <summary>How much of one report is believed: anybody can write a thousand recipients into it.</summary>
    static int MostOf(ReturnPathReading path) => path switch
    {
        { State: not ReturnPathState.Genuine } => 1,
        // Of one recipient; an address that leads on to others may name them.
        { N: not null } => 10,
        _ => int.MaxValue,
    };

    /// <summary>Handed over without an envelope: the one address of ours in the header.</summary>
    EmailAddress? Addressee(ReadOnlyMemory<byte> mime)
    {
        if (!HeaderBlock.TryRead(mime, MimeLimits.Default, out var headers, out _))
            return null;
        foreach (var name in (string[])["X-Original-To", "Delivered-To", "Envelope-To", "To"])
        {
            headers.TryReadMailboxes(name, default, out var mailboxes, out _);
            foreach (var mailbox in mailboxes)
            {
                if (IsOurs(mailbox.Address))
                    return mailbox.Address;
            }
        }
        return null;
    }

    static IEnumerable<FeedbackReport> Reports(MailReport report, About about) => report switch
    {
        MailReport.Delivery delivery => delivery.Recipients.Select(about.Make),
        MailReport.Abuse abuse => abuse.Recipients.Count == 0
            ? [about.Make(KindOf(abuse.FeedbackType), abuse.FeedbackType, null, null)]
            : abuse.Recipients.Select(recipient => about.Make(KindOf(abuse.FeedbackType), abuse.FeedbackType, recipient, null)),
        // Nobody bounced.
        MailReport.AutoReply => [],
        // What nobody can read suppresses nobody, and is not lost.
        MailReport.Unreadable unreadable => [about.Make(FeedbackKind.Other, "mail", null, new Reply(0, null, unreadable.Subject))],
        _ => throw new InvalidOperationException($"A report of an unknown kind: {report.GetType().Name}."),
    };

    // RFC 5965 §7.3; opt-out of RFC 6590's time.
    static FeedbackKind KindOf(string feedbackType) => feedbackType switch
    {
        "abuse" or "fraud" or "virus" => FeedbackKind.Complained,
        "opt-out" or "opt-out-list" => FeedbackKind.Unsubscribed,
        _ => FeedbackKind.Other,
    };

    [LoggerMessage(LogLevel.Debug, "A report by mail ({Kind}) came to a return path that is {State}: {Count} recipients")]
    partial void LogTook(string kind, ReturnPathState state, int count);

    [LoggerMessage(LogLevel.Warning, "A report by mail was put off, because the store is away: {Reason}")]
    partial void LogAway(string reason);

    /// <summary>What all reports of one mail have in common.</summary>
    /// <param name="Key">The same when the mail comes again.</param>
    sealed record About(ReturnPathReading Path, string Key, DateTimeOffset Now)
    {
        public FeedbackReport Make(FeedbackKind kind, string type, string? address, Reply? reply) => new()
        {
            Vendor = Source,
            Transport = null,
            Message = Path.State == ReturnPathState.Forged ? null : Path.Message,
            N = Path.State == ReturnPathState.Forged ? null : Path.N,
            Event = new FeedbackEvent
            {
                Kind = kind,
                Type = type,
                Key = $"{Key}/{address}/{type}",
                Address = address,
                At = Now,
                Reply = reply,
            },
        };

        public FeedbackReport Make(RecipientStatus status) => Make(
            KindOf(status), status.Action.ToString().ToLowerInvariant(), (status.OriginalRecipient ?? status.FinalRecipient)?.ToString(),
            status is { Code: 0, Status: null, Diagnosis: "" } ? null : new Reply(status.Code, status.Status, status.Diagnosis));

        static FeedbackKind KindOf(RecipientStatus status) => status.Action switch
        {
            DeliveryAction.Delivered => FeedbackKind.Delivered,
            // Whether it arrives, nobody will say.
            DeliveryAction.Relayed or DeliveryAction.Expanded => FeedbackKind.Accepted,
            DeliveryAction.Delayed => FeedbackKind.Deferred,
            DeliveryAction.Failed when BadAddresses.IsBadForGood(status.Code, status.Status) => FeedbackKind.BouncedHard,
            DeliveryAction.Failed when status.Status?.StartsWith("5.7.", StringComparison.Ordinal) == true => FeedbackKind.Blocked,
            DeliveryAction.Failed => FeedbackKind.BouncedSoft,
            DeliveryAction.Unknown => FeedbackKind.Other,
        };
    }
}
