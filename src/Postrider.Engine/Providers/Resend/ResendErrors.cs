using System.Globalization;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Resend;

/// <summary>From Resend's answers to outcomes.</summary>
static class ResendErrors
{
    /// <summary>Of a call for one copy.</summary>
    public static CopyOutcomes Read(VendorAnswer answer, AddressedCopy copy) =>
        answer.As(ResendJson.Default.ResendTaken) is { Id.Length: > 0 } taken && IsSuccess(answer)
        ? CopyOutcomes.ForAll(copy, answer.ToAccepted("Resend", taken.Id))
        : Error(answer) is { } error ? OfRecipients(answer, error, answer.Status, copy)
            : CopyOutcomes.ForAll(copy, answer.WithoutShape("Resend"));

    /// <summary>Of a permissive batch: for each copy the outcomes of its recipients. Null where the call was refused as a whole for
    /// something in one of them.</summary>
    public static IReadOnlyList<CopyOutcomes>? ReadBatch(VendorAnswer answer, IReadOnlyList<AddressedCopy> copies)
    {
        if (IsSuccess(answer) && answer.As(ResendJson.Default.ResendBatch) is { Data: { } data } batch)
        {
            var errors = (batch.Errors ?? []).Where(error => error is { Index: >= 0, Message: not null } && error.Index < copies.Count)
                .GroupBy(error => error!.Index!.Value).ToDictionary(group => group.Key, group => group.First()!.Message!);
            var ids = data.Where(taken => taken?.Id is { Length: > 0 }).Select(taken => taken!.Id!).ToList();
            if (ids.Count + errors.Count == copies.Count)
            {
                var next = 0;
                return [.. copies.Select((copy, i) => errors.TryGetValue(i, out var words)
                    ? OfRecipients(answer, new ResendError("validation_error", words), 422, copy)
                    : CopyOutcomes.ForAll(copy, answer.ToAccepted("Resend", ids[next++])))];
            }
        }
        var general = Error(answer) is { } whole ? Refusal(answer, whole, answer.Status) : answer.WithoutShape("Resend");
        return CopyOutcomes.ForCall(answer, copies, general);
    }

    static CopyOutcomes OfRecipients(VendorAnswer answer, ResendError error, int status, AddressedCopy copy)
    {
        var refusal = Refusal(answer, error, status);
        return refusal.Kind == OutcomeKind.Rejected && IsAboutRecipients(error.Message!)
            ? CopyOutcomes.ForNamed(copy, error.Message!, refusal)
            : CopyOutcomes.ForAll(copy, refusal);
    }

    static Outcome Refusal(VendorAnswer answer, ResendError error, int status)
    {
        var (kind, scope, enhanced) = (status, error.Name) switch
        {
            // Unlike a page of somebody in between, Resend's own error says that it was not taken.
            ( >= 500, _) => (OutcomeKind.Unreachable, OutcomeScope.Transport, (string?)null),
            (429, "daily_quota_exceeded" or "monthly_quota_exceeded") => (OutcomeKind.Refused, OutcomeScope.Transport, null),
            (429, _) or (409, "resource_locked") => (OutcomeKind.Throttled, OutcomeScope.Transport, null),
            // The first call with this key is under way, or had another body: either way something of ours may have been taken.
            (409, _) => (OutcomeKind.Unknown, OutcomeScope.Transport, null),
            (413, _) or (_, "invalid_attachment") => (OutcomeKind.Unfit, OutcomeScope.Message, null),
            (403, "validation_error") when IsSandbox(error.Message!) => (OutcomeKind.Refused, OutcomeScope.Recipient, null),
            (403 or 422, _) when IsAboutDomain(error.Message!) => (OutcomeKind.Refused, OutcomeScope.SenderDomain, "5.7.1"),
            (401 or 403 or 404 or 405, _) => (OutcomeKind.Refused, OutcomeScope.Transport, null),
            (400 or 422, "validation_error" or "missing_required_field" or "missing_required_parameter" or "invalid_parameter"
                or "invalid_from_address") => (OutcomeKind.Rejected, OutcomeScope.Message, "5.6.0"),
            // What nobody has told us of: another may carry it.
            _ => (OutcomeKind.Refused, OutcomeScope.Recipient, null),
        };
        var outcome = answer.ToOutcome(kind, scope, $"{error.Message} ({error.Name})", enhanced);
        return outcome with
        {
            Reply = outcome.Reply with { Code = status },
            RetryAfter = outcome.RetryAfter ?? (kind == OutcomeKind.Throttled ? UntilReset(answer) : null),
        };
    }

    static bool IsSuccess(VendorAnswer answer) => answer.Status is >= 200 and < 300;

    /// <summary>"You can only send testing emails to your own email address": this recipient, not the account.</summary>
    static bool IsSandbox(string words) => words.Contains("testing emails", StringComparison.OrdinalIgnoreCase);

    static bool IsAboutDomain(string words) =>
        words.Contains("domain", StringComparison.OrdinalIgnoreCase) && words.Contains("not verified", StringComparison.OrdinalIgnoreCase);

    static bool IsAboutRecipients(string words) =>
        words.Contains("`to`", StringComparison.Ordinal) || words.Contains("`cc`", StringComparison.Ordinal)
        || words.Contains("`bcc`", StringComparison.Ordinal);

    /// <summary>Seconds until the rate limit starts afresh; null when it does not say.</summary>
    static TimeSpan? UntilReset(VendorAnswer answer) =>
        int.TryParse(answer.Header("ratelimit-reset"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Null when it is not of Resend's error shape.</summary>
    static ResendError? Error(VendorAnswer answer) =>
        answer.Status >= 400 && answer.As(ResendJson.Default.ResendError) is { Name: not null, Message: not null } error ? error : null;
}
