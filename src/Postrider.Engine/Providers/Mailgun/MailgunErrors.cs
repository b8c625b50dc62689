using System.Globalization;
using System.Text.RegularExpressions;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>From Mailgun's answers to outcomes. It has no codes: the HTTP status and the words are all there is.</summary>
static partial class MailgunErrors
{
    /// <param name="isAlone">Whether the call was for one recipient: a bad address is then that one.</param>
    public static Outcome Read(VendorAnswer answer, bool isAlone)
    {
        if (answer.Status == 401)
            return answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, "Mailgun: the key is refused"); // "Forbidden", in plain text
        if (answer.As(MailgunJson.Default.MailgunAnswer) is not { Message: { } words } body)
            return answer.Status == 200 && answer.Body.Span.IndexOf("Mailgun Magnificent API"u8) >= 0
                ? answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, "Mailgun's front page answered: the endpoint is wrong")
                : answer.WithoutShape("Mailgun");
        return answer.Status switch
        {
            // Callbacks have the id without brackets.
            200 when body.Id is { Length: > 2 } id => answer.ToAccepted("Mailgun", id) with { ProviderId = id.Trim('<', '>') },
            400 => OfRequest(answer, words, isAlone),
            // 402 not paid, 403 disabled, 404 a domain of another region or none.
            402 or 403 or 404 or 405 => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words),
            413 => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words, "5.3.4"),
            429 => answer.ToThrottled(words, SecondsIn(words)),
            >= 500 => answer.ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, words),
            // What nobody has told us of: another may carry it.
            >= 400 => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Recipient, words),
            _ => answer.WithoutShape("Mailgun"),
        };
    }

    /// <summary>Whether a call for several recipients was refused for one of them, whom Mailgun does not name.</summary>
    public static bool IsAboutRecipients(Outcome outcome) =>
        outcome.Kind == OutcomeKind.Rejected && IsAboutRecipients(outcome.Reply.Text)
        || outcome.Kind == OutcomeKind.Refused && IsSandbox(outcome.Reply.Text);

    /// <summary>Whether a call for several messages may have been refused for the sake of one of them, or for being one call: alone each of
    /// them may be taken.</summary>
    public static bool MayBeOfOne(Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Rejected or OutcomeKind.Unfit => true,
        OutcomeKind.Refused => outcome.Scope == OutcomeScope.Recipient,
        OutcomeKind.Accepted or OutcomeKind.Deferred or OutcomeKind.Throttled or OutcomeKind.Unreachable or OutcomeKind.Unknown => false,
    };

    static Outcome OfRequest(VendorAnswer answer, string words, bool isAlone)
    {
        if (IsSandbox(words))
            return answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Recipient, words); // this recipient, not the account
        if (Has(words, "not allowed") || Has(words, "disabled"))
            return answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words);
        if (Has(words, "limited to") || Has(words, "too large"))
            return answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words);
        return IsAboutRecipients(words) && isAlone
            ? answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Recipient, words, "5.1.3")
            : answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Message, words, "5.6.0");
    }

    static bool IsSandbox(string words) => Has(words, "authorized recipients") || Has(words, "test purposes");

    static bool IsAboutRecipients(string words) => Has(words, "'to' parameter");

    static bool Has(string words, string part) => words.Contains(part, StringComparison.OrdinalIgnoreCase);

    /// <summary>The delay stands in the words: "… limit exceeded, try again after 120 seconds".</summary>
    static TimeSpan? SecondsIn(string words) =>
        After().Match(words) is { Success: true } match
            ? TimeSpan.FromSeconds(int.Parse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture))
            : null;

    [GeneratedRegex(@"try again after ([0-9]{1,6}) second", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex After();
}
