using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Smtp;
using Postrider.Messages;
using Postrider.Providers.Smtp;
using Xunit;
using static Postrider.Mail.Smtp.SmtpPhase;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.Smtp;

public sealed class SmtpReplyClassifierTests
{
    public static TheoryData<SmtpPhase, string, OutcomeKind, OutcomeScope> Replies => new()
    {
        // 421 at any time is about the connection: rate when it says so, else this server is no use now.
        { Banner, "421 4.7.0 too many connections from your IP", Throttled, Transport },
        { Banner, "421 4.3.2 service not available", Unreachable, Transport },
        { Ehlo, "421 too many concurrent connections", Throttled, Transport },
        { SmtpPhase.Mail, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", Throttled, Transport },
        { Rcpt, "421 4.7.0 try again later", Throttled, Transport },
        { Rcpt, "421 4.3.2 shutting down", Unreachable, Transport },
        { FinalDot, "421 4.4.2 timeout", Unreachable, Transport },
        { FinalDot, "421 4.4.1 connection lost", Unreachable, Transport },

        // Greylisting.
        { Rcpt, "450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted, see http://postgrey", Deferred, Recipient },
        { Rcpt, "451 4.7.1 Greylisting in action, please come back later", Deferred, Recipient },
        { Rcpt, "450 4.7.1 try again later", Deferred, Recipient },
        { FinalDot, "451 4.7.1 graylisted", Deferred, Recipient },

        // Refused for now by the recipient's side.
        { Rcpt, "450 4.1.1 mailbox unavailable", Deferred, Recipient },
        { Rcpt, "450 mailbox unavailable", Deferred, Recipient },
        { Rcpt, "451 4.3.0 local error", Deferred, Recipient },
        { FinalDot, "451 4.4.0 upstream failed", Deferred, Recipient },
        { Rcpt, "452 4.2.2 mailbox full", Deferred, Recipient },
        { FinalDot, "452 4.3.1 insufficient system storage", Deferred, Recipient },
        { Rcpt, "452 4.5.3 too many recipients", Deferred, Recipient },
        { Rcpt, "450 4.2.1 the user you are trying to contact is receiving mail at a rate that prevents delivery", Deferred, Recipient },
        { Rcpt, "450 5.1.1 contradicts itself", Deferred, Recipient },
        { Data, "451 4.3.0 try later", Deferred, Recipient },

        // Before the recipients 4xx is about the server and us: the next one may do.
        { Banner, "450 not now", Unreachable, Transport },
        { Ehlo, "451 4.3.0 not now", Unreachable, Transport },
        { SmtpPhase.Mail, "452 4.3.1 insufficient system storage", Unreachable, Transport },
        { SmtpPhase.Mail, "451 4.3.0 local error", Unreachable, Transport },
        { SmtpPhase.Mail, "450 4.1.8 sender domain does not resolve now", Deferred, Recipient },
        { StartTls, "454 4.7.0 TLS not available due to temporary reason", Unreachable, Transport },
        { Auth, "454 4.7.0 temporary authentication failure", Unreachable, Transport },
        { FinalDot, "454 Throttling failure: Maximum sending rate exceeded", Throttled, Transport },
        { Auth, "451 Authentication failed: Maximum credits exceeded", Refused, Transport },

        // Parameters.
        { SmtpPhase.Mail, "455 4.5.4 parameter not accommodated", Unfit, Message },
        { SmtpPhase.Mail, "555 5.5.4 parameter not known", Unfit, Message },
        { Rcpt, "555 5.5.4 parameter not known", Unfit, Message },

        // Reputation, for now.
        { FinalDot, "421 4.7.28 unusual rate of unsolicited mail", Throttled, Transport },
        { FinalDot, "450 4.7.28 rate", Throttled, Transport },
        { Rcpt, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation", Throttled, Transport },
        { FinalDot, "451 4.7.26 unauthenticated", Deferred, Recipient },
        { FinalDot, "450 4.7.32 alignment", Deferred, Recipient },
        { FinalDot, "450 4.7.0 not now", Deferred, Recipient },

        // Protocol and syntax: nobody's address is at fault.
        { Rcpt, "500 5.5.2 what", Refused, Recipient },
        { Rcpt, "501 bad arguments", Refused, Recipient },
        { Rcpt, "502 not implemented", Refused, Recipient },
        { Data, "503 5.5.1 out of order", Refused, Recipient },
        { Rcpt, "504 parameter not implemented", Refused, Recipient },
        { Rcpt, "501 5.1.3 bad address syntax", Rejected, Recipient },

        // Domains that take no mail.
        { Banner, "521 5.3.2 this host takes no mail", Refused, Transport },
        { Rcpt, "521 5.1.10 domain takes no mail", Rejected, Recipient },
        { Rcpt, "556 5.1.10 recipient address has null MX", Rejected, Recipient },
        { Rcpt, "556 domain takes no mail", Rejected, Recipient },

        // Our account.
        { SmtpPhase.Mail, "530 5.7.0 authentication required", Refused, Transport },
        { Rcpt, "530 must issue STARTTLS first", Refused, Transport },
        { Auth, "535 5.7.8 bad credentials", Refused, Transport },
        { Auth, "534 5.7.9 mechanism too weak", Refused, Transport },
        { Auth, "538 5.7.11 encryption required", Refused, Transport },
        { Auth, "525 5.7.13 account disabled", Refused, Transport },
        { Auth, "550 5.7.1 no", Refused, Transport },

        // No such user or domain.
        { Rcpt, "550 5.1.1 user unknown", Rejected, Recipient },
        { Rcpt, "550 5.1.0 address rejected", Rejected, Recipient },
        { Rcpt, "550 5.1.2 bad domain", Rejected, Recipient },
        { Rcpt, "550 5.1.6 moved", Rejected, Recipient },
        { Rcpt, "551 5.1.6 moved to elsewhere", Rejected, Recipient },
        { Rcpt, "553 5.1.3 bad mailbox name", Rejected, Recipient },
        { FinalDot, "550 5.1.1 user unknown", Rejected, Recipient },
        { Rcpt, "550 4.1.1 contradicts itself", Rejected, Message },

        // Mailboxes.
        { Rcpt, "550 5.2.1 mailbox disabled", Rejected, Recipient },
        { Rcpt, "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents ReceivingRatePerm", Deferred,
            Recipient },
        { Rcpt, "552 5.2.2 mailbox full", Rejected, Message },
        { Rcpt, "554 5.2.2 over quota", Rejected, Message },
        { Rcpt, "552 5.2.2 The email account is over quota. OverQuotaPerm", Rejected, Recipient },

        // Size.
        { FinalDot, "552 5.3.4 message too big", Unfit, Message },
        { FinalDot, "552 5.2.3 message length exceeds limit", Unfit, Message },
        { SmtpPhase.Mail, "552 5.3.4 message size exceeds fixed limit", Unfit, Message },
        { SmtpPhase.Mail, "552 too big", Unfit, Message },
        { FinalDot, "552 message exceeds size", Unfit, Message },
        { Rcpt, "552 too many recipients", Deferred, Recipient },

        // The sender.
        { SmtpPhase.Mail, "553 5.1.7 bad sender address", Refused, SenderDomain },
        { SmtpPhase.Mail, "553 5.1.8 sender domain has null MX", Refused, SenderDomain },
        { Rcpt, "550 5.7.27 sender address has null MX", Refused, SenderDomain },
        { Rcpt, "553 5.1.8 sender domain does not exist", Refused, SenderDomain },
        { SmtpPhase.Mail, "550 5.7.1 sender address rejected: not owned by user", Refused, SenderDomain },
        { SmtpPhase.Mail, "501 syntax error in sender", Refused, SenderDomain },
        { SmtpPhase.Mail, "550 no", Refused, SenderDomain },

        // Us, at MAIL.
        { SmtpPhase.Mail, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", Refused, Transport },
        { SmtpPhase.Mail, "554 5.7.1 192.0.2.1 blocked using zen.spamhaus.org", Refused, Transport },
        { SmtpPhase.Mail, "550 5.7.25 no PTR", Refused, Transport },
        { SmtpPhase.Mail, "550 5.7.1 your account is suspended", Refused, Transport },
        { SmtpPhase.Mail, "554 daily limit reached", Refused, Transport },

        // Microsoft 365's directory, and routing.
        { Rcpt, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", Rejected, Recipient },
        { Rcpt, "550 5.4.1 no answer from host", Rejected, Message },
        { FinalDot, "554 5.4.6 too many hops", Rejected, Message },
        { FinalDot, "554 5.4.7 expired", Rejected, Message },

        // Policy: never the address.
        { Rcpt, "554 5.7.1 <a@b.test>: Relay access denied", Refused, Recipient },
        { FinalDot, "550 5.7.1 message looks like spam", Refused, Recipient },
        { FinalDot, "550 5.7.26 unauthenticated sender, DMARC", Refused, Recipient },
        { FinalDot, "550 5.7.23 SPF", Refused, Recipient },
        { FinalDot, "550 5.7.20 no DKIM", Refused, Recipient },
        { FinalDot, "550 5.7.515 Access denied, sending domain does not meet the required authentication level", Refused, Recipient },
        { Rcpt, "550 5.7.606 Access denied, banned sending IP", Refused, Recipient },
        { Rcpt, "550 5.7.1 no such user here, says our policy", Refused, Recipient },
        { FinalDot, "554 transaction failed", Refused, Recipient },
        { FinalDot, "554 5.0.0 transaction failed", Refused, Recipient },
        { Banner, "554 5.7.1 no SMTP service for you", Refused, Transport },
        { Banner, "554 go away", Refused, Transport },
        { Ehlo, "550 bad name", Refused, Transport },

        // The message itself.
        { FinalDot, "550 5.6.0 malformed message", Rejected, Message },
        { SmtpPhase.Mail, "550 5.6.7 SMTPUTF8 needed", Unfit, Message },
        { Rcpt, "553 5.6.7 non-ASCII address", Unfit, Message },
        { FinalDot, "554 5.5.0 protocol", Refused, Recipient },
        { FinalDot, "550 5.3.0 other", Refused, Recipient },

        // Words alone.
        { Rcpt, "550 User unknown", Rejected, Recipient },
        { Rcpt, "550 Requested action not taken: mailbox unavailable", Rejected, Recipient },
        { Rcpt, "550 <a@b.test> does not exist here", Rejected, Recipient },
        { Rcpt, "550 Recipient address rejected: User unknown in virtual mailbox table", Rejected, Recipient },
        { Rcpt, "550 account disabled", Rejected, Recipient },
        { Rcpt, "550 mailbox is full", Rejected, Message },
        { Rcpt, "550 rejected by policy: unknown user", Refused, Recipient },
        { Rcpt, "550 blocked using blocklist", Refused, Recipient },
        { Rcpt, "550 rate limit exceeded", Deferred, Recipient },
        { Rcpt, "550 please try again later", Deferred, Recipient },
        { Rcpt, "550 no", Refused, Recipient },
        { Rcpt, "599 what is this", Refused, Recipient },
    };

    [Theory]
    [MemberData(nameof(Replies))]
    public void A_reply_means(SmtpPhase phase, string reply, OutcomeKind kind, OutcomeScope scope)
        => Assert.Equal(new SmtpVerdict(kind, scope), SmtpReplyClassifier.Classify(phase, Parse(reply), onlyRecipient: true));

    [Theory]
    [InlineData("550 5.1.1 user unknown")]
    [InlineData("550 5.2.1 mailbox disabled")]
    [InlineData("550 no such user")]
    [InlineData("556 no mail here")]
    public void A_refusal_of_the_content_for_several_blames_none_of_their_addresses(string reply)
    {
        Assert.Equal(Rejected, SmtpReplyClassifier.Classify(FinalDot, Parse(reply), onlyRecipient: true).Kind);
        Assert.Equal(Refused, SmtpReplyClassifier.Classify(FinalDot, Parse(reply), onlyRecipient: false).Kind);
        Assert.Equal(Rejected, SmtpReplyClassifier.Classify(Rcpt, Parse(reply), onlyRecipient: false).Kind);
    }

    [Fact]
    public void Nothing_but_a_5xx_to_the_recipient_or_the_content_ever_ends_a_message_and_nothing_is_accepted_or_unknown()
    {
        var replies =
            from code in Gen.Choose(200, 599)
            from enhanced in Gen.Elements<string?>(null, "4.1.1", "5.1.1", "5.2.1", "5.7.1", "5.0.0", "4.7.0", "5.999.999")
            from text in Gen.Elements("", "user unknown", "spam", "mailbox full", "try again", "no such user by policy", "greylisted")
            from phase in Gen.Elements(Enum.GetValues<SmtpPhase>())
            from only in Gen.Elements(true, false)
            select (phase, new SmtpReply(code, enhanced, text), only);

        Prop.ForAll(replies.ToArbitrary(), one =>
        {
            var (phase, reply, only) = one;
            var verdict = SmtpReplyClassifier.Classify(phase, reply, only);
            Assert.NotEqual(Accepted, verdict.Kind);
            Assert.NotEqual(Unknown, verdict.Kind);
            if (verdict.Kind == Rejected)
            {
                Assert.True(reply.IsPermanent);
                Assert.Contains(phase, (SmtpPhase[])[Rcpt, Data, Content, FinalDot]);
            }
        }).QuickCheckThrowOnFailure();
    }

    static SmtpReply Parse(string line)
    {
        Assert.Equal(SmtpReplyStatus.Complete, SmtpReplyParser.Parse(Encoding.ASCII.GetBytes(line + "\r\n"), out var reply, out _));
        return reply;
    }
}
