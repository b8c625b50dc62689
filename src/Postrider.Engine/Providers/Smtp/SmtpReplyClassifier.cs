using System.Globalization;
using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>What a reply means for a recipient, and how far that reaches.</summary>
readonly record struct SmtpVerdict(OutcomeKind Kind, OutcomeScope Scope);

// The rules, in prose:
//  - The first digit says whether it is for now or for good; the enhanced code (RFC 3463), then the words, say what it is about.
//    Where class and first digit contradict each other the digit counts, and nothing is blamed on the address.
//  - The command it answers says who is meant: RCPT the recipient, MAIL the sender, what comes before us.
//  - Only what is surely about the address is a bounce. What nobody can read is a refusal here: another transport is asked, no address
// suffers.
//  - Words of policy and rate are looked for before those of unknown users: "rejected ... policy ... no such user" holds both.

/// <summary>From an SMTP reply and the command it answers to an outcome. Pure.</summary>
static class SmtpReplyClassifier
{
    static readonly SmtpVerdict Deferred = new(OutcomeKind.Deferred, OutcomeScope.Recipient);
    static readonly SmtpVerdict Throttled = new(OutcomeKind.Throttled, OutcomeScope.Transport);
    static readonly SmtpVerdict Unreachable = new(OutcomeKind.Unreachable, OutcomeScope.Transport);
    static readonly SmtpVerdict BadAddress = new(OutcomeKind.Rejected, OutcomeScope.Recipient);

    /// <summary>Ends this message for this recipient and says nothing about the address.</summary>
    static readonly SmtpVerdict BadForThisMessage = new(OutcomeKind.Rejected, OutcomeScope.Message);
    static readonly SmtpVerdict Unfit = new(OutcomeKind.Unfit, OutcomeScope.Message);
    static readonly SmtpVerdict RefusedHere = new(OutcomeKind.Refused, OutcomeScope.Recipient);
    static readonly SmtpVerdict RefusedSender = new(OutcomeKind.Refused, OutcomeScope.SenderDomain);
    static readonly SmtpVerdict RefusedAccount = new(OutcomeKind.Refused, OutcomeScope.Transport);

    static readonly string[] GreylistWords = ["greylist", "graylist", "grey-list", "gray-list", "grey list", "postgrey"];
    static readonly string[] RateWords =
    [
        "rate limit", "ratelimit", "rate-limit", "limited rate", "unusual rate", "too many", "throttl", "too fast", "excessive",
        "[tss0", "[ts0",
    ];
    static readonly string[] RecipientRateWords = ["receiving mail at a rate", "receivingrate"];
    static readonly string[] SoftWords =
    [
        "rate limit", "throttl", "too many", "try again", "try later", "temporarily deferred", "temporarily rejected",
    ];
    static readonly string[] AccountWords =
    [
        "suspended", "disabled your account", "account disabled", "sending limit", "daily limit", "sending quota", "credit",
        "unpaid",
    ];
    static readonly string[] AddressBlockWords =
    [
        "spamhaus", "blocklist", "block list", "blacklist", "black list", "banned sending ip", "reverse dns", "ptr record",
    ];
    static readonly string[] PolicyWords =
    [
        "spam", "blocked", "blacklist", "blocklist", "spamhaus", "reputation", "policy", "dmarc", "spf", "dkim", "unauthenticated",
        "ptr", "reverse dns", "relay",
    ];
    static readonly string[] InactiveWords =
    [
        "account is not active", "account disabled", "mailbox is disabled", "mailbox disabled", "disableduser", "account closed",
        "overquotaperm",
    ];
    static readonly string[] FullWords = ["over quota", "overquota", "quota exceeded", "mailbox full", "mailbox is full", "out of storage"];

    static readonly string[] UnknownUserWords =
    [
        "user unknown", "unknown user", "no such user", "no such mailbox", "does not exist", "doesn't exist", "mailbox not found",
        "mailbox unavailable", "invalid recipient", "unknown in virtual", "not our customer", "address unknown",
        "no mailbox here by that name", "recipient unrecognized", "undeliverable address",
    ];

    /// <param name="phase">The command it answers.</param>
    /// <param name="reply">4xx or 5xx; anything else is not understood and is a refusal here.</param>
    /// <param name="onlyRecipient">
    /// The transaction had no other recipient left: then even a refusal of the content can be about the address, as with servers that look
    /// it up late.
    /// </param>
    public static SmtpVerdict Classify(SmtpPhase phase, SmtpReply reply, bool onlyRecipient)
        => reply.IsTransient ? Transient(phase, reply)
            : reply.IsPermanent ? Permanent(phase, reply, onlyRecipient)
            : RefusedHere;

    static SmtpVerdict Transient(SmtpPhase phase, SmtpReply reply)
    {
        var isSession = phase is not (SmtpPhase.Rcpt or SmtpPhase.Data or SmtpPhase.Content or SmtpPhase.FinalDot);
        if (Says(reply, GreylistWords))
            return isSession ? Unreachable : Deferred;
        if (reply.Code == 455)
            return Unfit;
        if (IsRate(reply))
            return Throttled;
        if (phase == SmtpPhase.Auth && Says(reply, AccountWords))
            return RefusedAccount;
        // 421 is about the connection whatever it answers, and so is what comes before the recipients: another transport may work now.
        if (reply.IsClosing)
            return Unreachable;
        if (phase == SmtpPhase.Mail && Subject(reply) == 1)
            return Deferred;
        return isSession ? Unreachable : Deferred;
    }

    /// <summary>About us, not about one mailbox: those have x.1, x.2 and x.5.3 (too many recipients).</summary>
    static bool IsRate(SmtpReply reply)
    {
        if (Subject(reply) is 1 or 2 or 5)
            return false;
        return Detail(reply) is (7, 28) || (reply.IsClosing && Subject(reply) == 7) || Says(reply, RateWords);
    }

    static SmtpVerdict Permanent(SmtpPhase phase, SmtpReply reply, bool onlyRecipient)
    {
        // RFC 4954 §6, RFC 3207 §4: whatever is asked of us before we may send.
        if (reply.Code is 525 or 530 or 534 or 535 or 538)
            return RefusedAccount;
        return phase switch
        {
            SmtpPhase.Mail => AtMail(reply),
            SmtpPhase.Rcpt or SmtpPhase.Data or SmtpPhase.Content or SmtpPhase.FinalDot
                => AtRecipient(reply, blamesAddress: phase == SmtpPhase.Rcpt || onlyRecipient),
            _ => RefusedAccount,
        };
    }

    static SmtpVerdict AtMail(SmtpReply reply)
    {
        if (reply.Code is 552 or 555 || Detail(reply) is (3, 4) or (2, 3) or (6, _) or (5, 4))
            return Unfit;
        if (Says(reply, AccountWords) || Says(reply, AddressBlockWords) || Detail(reply) is (7, >= 606 and <= 649) or (7, 25))
            return RefusedAccount;
        return RefusedSender;
    }

    static SmtpVerdict AtRecipient(SmtpReply reply, bool blamesAddress)
    {
        var address = blamesAddress ? BadAddress : RefusedHere;
        if (reply.Enhanced is ['4', ..])
            return BadForThisMessage;
        if (Says(reply, RecipientRateWords))
            return Deferred;
        return (reply.Code, Detail(reply)) switch
        {
            (555, _) or (_, (5, 4)) => Unfit,
            (_, (3, 4)) or (_, (2, 3)) or (_, (6, 7 or 8 or 9 or 10)) => Unfit,
            (_, (6, _)) => BadForThisMessage,
            // The sender's address or domain; the rest of x.1 is the recipient's (RFC 3463 §3.2, RFC 7505 §4.2).
            (_, (1, 7 or 8)) or (_, (7, 27)) => RefusedSender,
            (_, (1, _)) => address,
            (_, (2, 1)) => address,
            (_, (2, 2)) => Says(reply, InactiveWords) ? address : BadForThisMessage,
            (_, (4, 1)) when Says(reply, "recipient address rejected") || Says(reply, "access denied") => address,
            (_, (4, _)) => BadForThisMessage,
            (_, (7, _)) => RefusedHere,
            (521 or 556, _) => address,
            (500 or 502 or 503 or 504, _) => RefusedHere,
            (_, (2, _)) => BadForThisMessage,
            (_, (3 or 5, _)) => RefusedHere,
            _ => ByWords(reply, address),
        };
    }

    static SmtpVerdict ByWords(SmtpReply reply, SmtpVerdict address)
    {
        if (Says(reply, SoftWords))
            return Deferred;
        if (Says(reply, PolicyWords))
            return RefusedHere;
        if (Says(reply, InactiveWords))
            return address;
        if (Says(reply, FullWords))
            return BadForThisMessage;
        if (reply.Code == 552)
            return Unfit;
        return Says(reply, UnknownUserWords) ? address : RefusedHere;
    }

    static bool Says(SmtpReply reply, string words) => reply.Text.Contains(words, StringComparison.OrdinalIgnoreCase);

    static bool Says(SmtpReply reply, string[] words)
    {
        foreach (var each in words)
        {
            if (Says(reply, each))
                return true;
        }
        return false;
    }

    static int Subject(SmtpReply reply) => Detail(reply).Subject;

    /// <summary>The last two numbers of the enhanced code; (0, 0) when there is none. x.0.0 says as little.</summary>
    static (int Subject, int Detail) Detail(SmtpReply reply)
        => reply.Enhanced?.Split('.') is [_, var subject, var detail]
            ? (int.Parse(subject, CultureInfo.InvariantCulture), int.Parse(detail, CultureInfo.InvariantCulture))
            : (0, 0);
}
