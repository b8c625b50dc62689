using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>From SES's answers to outcomes. A call is taken or refused for all its recipients.</summary>
static class SesErrors
{
    /// <summary>SES names no time; its rate is counted in seconds.</summary>
    static readonly TimeSpan RateWait = TimeSpan.FromSeconds(1);

    public static IReadOnlyList<Outcome> Read(VendorAnswer answer, OutgoingEnvelope envelope) => Outcomes.ForAll(envelope, Of(answer, envelope.Content));

    static Outcome Of(VendorAnswer answer, MessageContent content)
    {
        if (answer.Status == 200 && Sent(answer) is { Length: > 0 } id)
            return answer.ToOutcome(OutcomeKind.Accepted, OutcomeScope.Recipient, $"accepted by SES as {id}", "2.0.0") with { ProviderId = id };
        return answer.Status >= 400 && ErrorOf(answer) is var (type, message)
            ? Of(answer, type, $"{type}: {message}", content)
            : answer.WithoutShape("SES");
    }

    static Outcome Of(VendorAnswer answer, string type, string words, MessageContent content) => type switch
    {
        "MessageRejected" or "MessageRejectedException" when words.Contains("not verified", StringComparison.OrdinalIgnoreCase)
            => answer.ToOutcome(OutcomeKind.Refused, IsAboutSender(words, content) ? OutcomeScope.SenderDomain : OutcomeScope.Recipient, words, "5.7.1"),
        // A virus, a header or an attachment that SES does not take: others may.
        "MessageRejected" or "MessageRejectedException" => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words),
        "MailFromDomainNotVerifiedException" => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.SenderDomain, words, "5.7.1"),
        "BadRequestException" => answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Message, words, "5.6.0"),
        "TooManyRequestsException" when words.Contains("quota", StringComparison.OrdinalIgnoreCase)
            => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words, "4.7.0"),
        "TooManyRequestsException" or "LimitExceededException" or "Throttling" or "ThrottlingException" => Throttled(answer, words),
        _ => answer.Status switch
        {
            413 => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words, "5.3.4"),
            429 => Throttled(answer, words),
            // Credentials, a suspended or paused account, a configuration set that is not there, a wrong base URL.
            < 500 => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words),
            _ => answer.ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, words),
        },
    };

    static Outcome Throttled(VendorAnswer answer, string words)
    {
        var outcome = answer.ToOutcome(OutcomeKind.Throttled, OutcomeScope.Transport, words);
        return outcome with { RetryAfter = outcome.RetryAfter ?? RateWait };
    }

    /// <summary>"…the following identities failed the check in region X: a, b": in the sandbox it may be the recipients alone.</summary>
    static bool IsAboutSender(string words, MessageContent content)
    {
        var colon = words.LastIndexOf(": ", StringComparison.Ordinal);
        var identities = words[(colon + 2)..].Split(',', StringSplitOptions.TrimEntries);
        var named = identities.Where(identity => identity.Contains('@', StringComparison.Ordinal) || !identity.Contains(' ', StringComparison.Ordinal)).ToList();
        return named.Count == 0 || named.Any(identity => identity.Contains(content.From.Address.ToAscii(), StringComparison.OrdinalIgnoreCase)
            || identity.Equals(content.From.Address.AsciiDomain, StringComparison.OrdinalIgnoreCase));
    }

    static string? Sent(VendorAnswer answer)
    {
        try
        {
            return JsonSerializer.Deserialize(answer.Body.Span, SesJson.Default.SesSent)?.MessageId;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Null when neither header nor body names a type: then it was not SES that answered.</summary>
    static (string Type, string Message)? ErrorOf(VendorAnswer answer)
    {
        SesErrorBody? body;
        try
        {
            body = JsonSerializer.Deserialize(answer.Body.Span, SesJson.Default.SesErrorBody);
        }
        catch (JsonException)
        {
            body = null;
        }
        // The header may carry a URL behind a colon, the body a namespace before a hash.
        var type = answer.Header("x-amzn-errortype")?.Split(':')[0].Trim() ?? (body?.Type ?? body?.Code)?.Split('#')[^1].Split(':')[0];
        return string.IsNullOrEmpty(type) ? null : (type, body?.Message ?? body?.MessageInCapitals ?? "no text");
    }
}
