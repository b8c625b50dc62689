using Postrider.Mail.Addresses;

namespace Postrider.Mail.Reports;

/// <summary>What a mail server, or somebody's mail program, reports back about a message that was sent.</summary>
public abstract record MailReport
{
    MailReport() { }

    /// <summary>The Message-ID of the report itself, without its angle brackets; <see langword="null"/> when there is none.</summary>
    public string? ReportId { get; init; }

    /// <summary>The Message-ID of what it is about, as far as it was sent back.</summary>
    public string? OriginalMessageId { get; init; }

    /// <summary>A delivery status notification (RFC 3464), or a bounce of old Exim, which has none.</summary>
    public sealed record Delivery(IReadOnlyList<RecipientStatus> Recipients) : MailReport
    {
        /// <summary>Our own ENVID (RFC 3461 §4.4) as it came back.</summary>
        public string? OriginalEnvelopeId { get; init; }

        /// <summary>The server that reports.</summary>
        public string? ReportingServer { get; init; }
    }

    /// <summary>Somebody complains, by way of a provider of mailboxes (RFC 5965).</summary>
    /// <param name="FeedbackType">In lower case: <c>abuse</c>, <c>fraud</c>, <c>virus</c>, <c>not-spam</c>, <c>other</c> and more.</param>
    public sealed record Abuse(string FeedbackType) : MailReport
    {
        /// <summary>Whom the mail was sent to. Many that report leave it out.</summary>
        public IReadOnlyList<string> Recipients { get; init; } = [];

        /// <summary>MAIL FROM of what it is about.</summary>
        public string? OriginalMailFrom { get; init; }

        /// <summary>The program that made the report.</summary>
        public string? UserAgent { get; init; }
    }

    /// <summary>Written by a machine in somebody's absence (RFC 3834): no bounce.</summary>
    public sealed record AutoReply : MailReport;

    /// <summary>A mail that is no report, or none that can be read.</summary>
    /// <param name="Subject">For people.</param>
    public sealed record Unreadable(string Subject) : MailReport;
}

/// <summary>What became of a message for one recipient (RFC 3464 §2.3.3).</summary>
public enum DeliveryAction
{
    /// <summary>Not said, or in a word that is none of the others.</summary>
    Unknown,

    /// <summary>Given up.</summary>
    Failed,

    /// <summary>It will be tried again.</summary>
    Delayed,

    /// <summary>In the mailbox.</summary>
    Delivered,

    /// <summary>Passed on to a server that does not report.</summary>
    Relayed,

    /// <summary>Passed on to the members of a list.</summary>
    Expanded,
}

/// <summary>The part of a delivery status notification that is about one recipient.</summary>
public sealed record RecipientStatus
{
    /// <summary>What the sender wrote (ORCPT), as an address; <see langword="null"/> when it did not come back.</summary>
    public EmailAddress? OriginalRecipient { get; init; }

    /// <summary>Where it went in the end; a forward changes it.</summary>
    public EmailAddress? FinalRecipient { get; init; }

    /// <summary>What became of it.</summary>
    public DeliveryAction Action { get; init; }

    /// <summary>RFC 3463 <c>x.y.z</c>: of the field Status, or of the diagnosis where that says more; <see langword="null"/> for
    /// none.</summary>
    public string? Status { get; init; }

    /// <summary>The reply code at the start of an SMTP diagnosis; 0 when there is none.</summary>
    public int Code { get; init; }

    /// <summary>What was said, on one line, without its type; empty for nothing. Untrusted.</summary>
    public string Diagnosis { get; init; } = "";

    /// <summary>The server that said it.</summary>
    public string? RemoteServer { get; init; }
}
