using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Postmark;

/// <summary>From Postmark's answers to outcomes. A batch is answered with a result for each message, in order, whatever became of the
/// others.</summary>
static class PostmarkErrors
{
    /// <summary>RFC 3463: the mailbox is disabled. To Postmark an address is inactive after a hard bounce or a complaint.</summary>
    const string Inactive = "5.2.1";

    /// <summary>For each copy the outcomes of its recipients. Null where the call was refused as a whole for something in one of
    /// them.</summary>
    public static IReadOnlyList<CopyOutcomes>? Read(VendorAnswer answer, IReadOnlyList<AddressedCopy> copies)
    {
        if (copies.Count == 1 && answer.Kind == VendorAnswerKind.Answered)
            return [Result(answer) is { } single ? Read(answer, single, answer.Status, copies[0])
                : CopyOutcomes.ForAll(copies[0], WithoutShape(answer))];
        if (answer.Status == 200 && Results(answer) is { } results && results.Count == copies.Count)
            return [.. copies.Select((copy, i) => Read(answer, results[i], results[i].ErrorCode == 0 ? 200 : 422, copy))];
        var general = answer.Status != 200 && Result(answer) is { } result ? Refusal(answer, result, answer.Status) : WithoutShape(answer);
        return CopyOutcomes.ForCall(answer, copies, general);
    }

    static CopyOutcomes Read(VendorAnswer answer, PostmarkResult result, int status, AddressedCopy copy)
    {
        var words = result.Message ?? "";
        if (status == 200 && result.ErrorCode == 0)
        {
            if (string.IsNullOrEmpty(result.MessageID))
                return CopyOutcomes.ForAll(copy, WithoutShape(answer));
            var outcomes = CopyOutcomes.ForAll(copy, answer.ToAccepted("Postmark", result.MessageID));
            // "Message OK, but will not deliver to these inactive addresses: a, b."
            foreach (var inactive in words.Contains("inactive", StringComparison.OrdinalIgnoreCase)
                ? CopyOutcomes.Named(copy.Recipients, words) : [])
                outcomes[inactive.N] = answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Recipient, words, Inactive);
            return outcomes;
        }
        var refusal = Refusal(answer, result, status);
        return result.ErrorCode == 300 && refusal.Kind == OutcomeKind.Rejected && IsAboutRecipients(words)
            ? CopyOutcomes.ForNamed(copy, words, refusal)
            : CopyOutcomes.ForAll(copy, refusal);
    }

    static Outcome Refusal(VendorAnswer answer, PostmarkResult result, int status)
    {
        var (kind, scope, enhanced) = (status, result.ErrorCode) switch
        {
            ( >= 500, _) or (_, 100) => (OutcomeKind.Unreachable, OutcomeScope.Transport, (string?)null),
            (429, _) or (_, 429) => (OutcomeKind.Throttled, OutcomeScope.Transport, null),
            (401, _) or (_, 10) => (OutcomeKind.Refused, OutcomeScope.Transport, null),
            (413, _) => (OutcomeKind.Unfit, OutcomeScope.Message, "5.3.4"),
            (403 or 404 or 405 or 415, _) => (OutcomeKind.Refused, OutcomeScope.Transport, null),
            (_, 300) => (OutcomeKind.Rejected, OutcomeScope.Message, "5.6.0"),
            (_, 400 or 401) => (OutcomeKind.Refused, OutcomeScope.SenderDomain, "5.7.1"),
            (_, 402 or 403 or 409) => (OutcomeKind.Rejected, OutcomeScope.Message, "5.6.0"),
            (_, 405 or 413) => (OutcomeKind.Refused, OutcomeScope.Transport, null), // out of credits; may not send
            (_, 406) => (OutcomeKind.Rejected, OutcomeScope.Recipient, Inactive),
            (_, 410 or 411) => (OutcomeKind.Unfit, OutcomeScope.Message, null),
            (_, >= 1101) => (OutcomeKind.Refused, OutcomeScope.Transport, null), // no such stream or template
            // 412: until the account is approved, only recipients in the sender's own domain. And what nobody has told us of: another may
            // carry it.
            _ => (OutcomeKind.Refused, OutcomeScope.Recipient, null),
        };
        return WithStatus(answer.ToOutcome(kind, scope, Words(result), enhanced), status);
    }

    /// <summary>A blocked network answers 403 with a page, before Postmark has seen the call.</summary>
    static Outcome WithoutShape(VendorAnswer answer) => answer.WithoutShape("Postmark") is var outcome && answer.Status == 403
        ? outcome with { Kind = OutcomeKind.Unreachable } : outcome;

    // Within a batch the answer's own status is 200 for all.
    static Outcome WithStatus(Outcome outcome, int status) => outcome with { Reply = outcome.Reply with { Code = status } };

    static bool IsAboutRecipients(string words) => words.Contains("'To'", StringComparison.OrdinalIgnoreCase)
        || words.Contains("'Cc'", StringComparison.OrdinalIgnoreCase) || words.Contains("'Bcc'", StringComparison.OrdinalIgnoreCase);

    static string Words(PostmarkResult result) => $"{result.Message} ({result.ErrorCode})";

    /// <summary>Null when it is not of Postmark's shape.</summary>
    static PostmarkResult? Result(VendorAnswer answer) =>
        answer.As(PostmarkJson.Default.PostmarkResult) is { ErrorCode: not null } result ? result : null;

    /// <inheritdoc cref="Result"/>
    static IReadOnlyList<PostmarkResult>? Results(VendorAnswer answer) =>
        answer.As(PostmarkJson.Default.IReadOnlyListPostmarkResult) is { } results && results.All(result => result?.ErrorCode is not null)
            ? results : null;
}
