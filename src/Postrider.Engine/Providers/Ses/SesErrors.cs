using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>From SES's answers to outcomes. A call is taken or refused for all its recipients.</summary>
static class SesErrors
{
    /// <summary>SES names no time; its rate is counted in seconds.</summary>
    static readonly TimeSpan RateWait = TimeSpan.FromSeconds(1);

    public static IReadOnlyList<Outcome> Read(VendorAnswer answer, OutgoingEnvelope envelope) =>
        Outcomes.ForAll(envelope, Of(answer, envelope.Content));

    static Outcome Of(VendorAnswer answer, MessageContent content)
    {
        if (answer.Status == 200 && answer.As(SesJson.Default.SesSent)?.MessageId is { Length: > 0 } id)
            return answer.ToAccepted("SES", id);
        return answer.Status >= 400 && ErrorOf(answer) is var (type, message)
            ? Of(answer, type, $"{type}: {message}", content)
            : answer.WithoutShape("SES");
    }

    static Outcome Of(VendorAnswer answer, string type, string words, MessageContent content) => type switch
    {
        "MessageRejected" or "MessageRejectedException" when words.Contains("not verified", StringComparison.OrdinalIgnoreCase)
            => answer.ToOutcome(OutcomeKind.Refused, ScopeOf(words, content), words, "5.7.1"),
        // A virus, a header or an attachment that SES does not take: others may.
        "MessageRejected" or "MessageRejectedException" => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words),
        "MailFromDomainNotVerifiedException" => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.SenderDomain, words, "5.7.1"),
        "BadRequestException" => answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Message, words, "5.6.0"),
        "TooManyRequestsException" when words.Contains("quota", StringComparison.OrdinalIgnoreCase)
            => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words, "4.7.0"),
        "TooManyRequestsException" or "LimitExceededException" or "Throttling" or "ThrottlingException"
            => answer.ToThrottled(words, RateWait),
        _ => answer.Status switch
        {
            413 => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words, "5.3.4"),
            429 => answer.ToThrottled(words, RateWait),
            // Credentials, a suspended or paused account, a configuration set that is not there, a wrong base URL.
            < 500 => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words),
            _ => answer.ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, words),
        },
    };

    /// <summary>"…the following identities failed the check in region X: a, b": in the sandbox it may be the recipients alone.</summary>
    static OutcomeScope ScopeOf(string words, MessageContent content)
    {
        var from = content.From.Address;
        var identities = words[(words.LastIndexOf(": ", StringComparison.Ordinal) + 2)..].Split(',', StringSplitOptions.TrimEntries)
            .Where(text => text.Contains('@', StringComparison.Ordinal) || !text.Contains(' ', StringComparison.Ordinal)).ToList();
        var isSender = identities.Count == 0 || identities.Any(identity =>
            identity.Contains(from.ToAscii(), StringComparison.OrdinalIgnoreCase)
            || identity.Equals(from.AsciiDomain, StringComparison.OrdinalIgnoreCase));
        return isSender ? OutcomeScope.SenderDomain : OutcomeScope.Recipient;
    }

    /// <summary>Null when neither header nor body names a type: then it was not SES that answered.</summary>
    static (string Type, string Message)? ErrorOf(VendorAnswer answer)
    {
        var body = answer.As(SesJson.Default.SesErrorBody);
        // The header may carry a URL behind a colon, the body a namespace before a hash.
        var type = answer.Header("x-amzn-errortype")?.Split(':')[0].Trim() ?? (body?.Type ?? body?.Code)?.Split('#')[^1].Split(':')[0];
        return string.IsNullOrEmpty(type) ? null : (type, body?.Message ?? body?.MessageInCapitals ?? "no text");
    }
}
