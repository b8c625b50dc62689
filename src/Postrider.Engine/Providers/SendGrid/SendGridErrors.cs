using System.Globalization;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>From SendGrid's answers to outcomes. SendGrid takes a call whole or not at all, and names what is wrong by the path of the
/// field.</summary>
static class SendGridErrors
{
    /// <summary>For each entry its outcomes, or null where it was refused for another's sake only
    /// (<see cref="CoalescingProvider{TEntry}"/>).</summary>
    public static IReadOnlyList<IReadOnlyList<Outcome>?> Read(VendorAnswer answer, IReadOnlyList<SendGridEntry> entries, DateTimeOffset now)
    {
        if (Errors(answer) is not { } errors)
            return [.. entries.Select(entry => Outcomes.ForAll(entry.Envelope, WithoutErrors(answer)))];
        var general = errors.FirstOrDefault(error => PlaceOf(error, entries) is null);
        if (general is not null && answer.Status == 400 && general.Field is null)
            return new IReadOnlyList<Outcome>?[entries.Count]; // it does not say which of them is to blame
        if (general is not null || !MayBeOfOne(answer))
            return [.. entries.Select(entry => Outcomes.ForAll(entry.Envelope, General(answer, general ?? errors[0], now)))];
        var results = new IReadOnlyList<Outcome>?[entries.Count];
        foreach (var error in errors)
        {
            var place = PlaceOf(error, entries)!.Value;
            var entry = entries[place.Entry];
            // With several recipients it is asked again, and at last alone, where the others of them can still be sent.
            if (place.Recipient is null)
                results[place.Entry] = Outcomes.ForAll(entry.Envelope, General(answer, error, now));
            else if (entry.Envelope.Recipients.Count == 1)
                results[place.Entry] ??= [OfRecipient(answer, error)];
        }
        return results;
    }

    /// <summary>For a lone entry: outcomes by recipient number. Who has none was not at fault, and is to be sent again without those who
    /// were.</summary>
    public static IReadOnlyDictionary<int, Outcome> ReadAlone(VendorAnswer answer, SendGridEntry entry, DateTimeOffset now)
    {
        SendGridEntry[] entries = [entry];
        if (Errors(answer) is not { } errors)
            return ForAll(entry, WithoutErrors(answer));
        var general = errors.FirstOrDefault(error => !MayBeOfOne(answer) || PlaceOf(error, entries)?.Recipient is null);
        if (general is not null)
            return ForAll(entry, General(answer, general, now));
        var outcomes = new Dictionary<int, Outcome>();
        foreach (var error in errors)
            outcomes.TryAdd(PlaceOf(error, entries)!.Value.Recipient!.N, OfRecipient(answer, error));
        return outcomes;
    }

    /// <summary>Other refusals are about the account, whatever field they name.</summary>
    static bool MayBeOfOne(VendorAnswer answer) => answer.Status is 400 or 403;

    static Dictionary<int, Outcome> ForAll(SendGridEntry entry, Outcome outcome) =>
        entry.Envelope.Recipients.ToDictionary(recipient => recipient.N, _ => outcome);

    /// <summary>Accepted, or what HTTP alone says.</summary>
    static Outcome WithoutErrors(VendorAnswer answer) =>
        answer.Status == 202 && answer.Header("X-Message-Id") is { Length: > 0 } id
            ? answer.ToAccepted("SendGrid", id)
            : answer.WithoutShape("SendGrid");

    /// <summary>What is wrong with the call as a whole: account, sender, or a field that all share.</summary>
    static Outcome General(VendorAnswer answer, SendGridError error, DateTimeOffset now)
    {
        var words = Words(error);
        return answer.Status switch
        {
            400 => OfField(answer, error),
            403 when IsAboutSender(error) => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.SenderDomain, words, "5.7.1"),
            413 => answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, words, "5.3.4"),
            429 => answer.ToThrottled(words, UntilReset(answer, now)),
            // 401 credentials or credits, 403 scope or account, 404, 405 and 415 a wrong base URL.
            >= 400 and < 500 => answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Transport, words),
            >= 500 => answer.ToOutcome(OutcomeKind.Unreachable, OutcomeScope.Transport, words),
            _ => answer.WithoutShape("SendGrid"),
        };
    }

    /// <summary>A 400 whose field is about the message.</summary>
    static Outcome OfField(VendorAnswer answer, SendGridError error)
    {
        var field = error.Field ?? "";
        var carriesNot = field.StartsWith("attachments", StringComparison.Ordinal) || field.StartsWith("headers", StringComparison.Ordinal)
            || field.Contains(".headers", StringComparison.Ordinal)
            || error.Message!.Contains("size", StringComparison.OrdinalIgnoreCase)
            || error.Message.Contains("exceed", StringComparison.OrdinalIgnoreCase);
        return carriesNot
            ? answer.ToOutcome(OutcomeKind.Unfit, OutcomeScope.Message, Words(error))
            : answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Message, Words(error), "5.6.0");
    }

    /// <summary>The address is bad, or this account may not send to it.</summary>
    static Outcome OfRecipient(VendorAnswer answer, SendGridError error) => answer.Status == 403
        ? answer.ToOutcome(OutcomeKind.Refused, OutcomeScope.Recipient, Words(error))
        : answer.ToOutcome(OutcomeKind.Rejected, OutcomeScope.Recipient, Words(error), "5.1.3");

    static bool IsAboutSender(SendGridError error) =>
        error.Field?.StartsWith("from", StringComparison.Ordinal) == true
        || error.Message?.Contains("Sender Identity", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Null when the answer is not of SendGrid's error shape.</summary>
    static IReadOnlyList<SendGridError>? Errors(VendorAnswer answer) =>
        answer.Status >= 400 && answer.As(SendGridJson.Default.SendGridErrorBody)?.Errors is { Count: > 0 } errors
        && errors.All(error => error?.Message is not null)
            ? errors : null;

    /// <summary>Seconds until the rate limit starts afresh; null when it does not say.</summary>
    static TimeSpan? UntilReset(VendorAnswer answer, DateTimeOffset now) =>
        !UnixSeconds.TryRead(answer.Header("X-RateLimit-Reset"), out var reset) ? null
        : reset > now ? reset - now
        : TimeSpan.Zero;

    static string Words(SendGridError error) => error.Field is null ? error.Message! : $"{error.Message} ({error.Field})";

    /// <summary>Whose fault it is, when the field lies within a personalization; null when it does not.</summary>
    static Place? PlaceOf(SendGridError error, IReadOnlyList<SendGridEntry> entries)
    {
        if (error.Field?.Split('.') is not ["personalizations", var number, .. var rest] || !TryIndex(number, out var index))
            return null;
        for (var i = 0; i < entries.Count; index -= entries[i].Copies.Count, i++)
        {
            if (index < entries[i].Copies.Count)
                return new Place(i, RecipientOf(entries[i].Copies[index], rest));
        }
        return null;
    }

    static MessageRecipient? RecipientOf(SendGridCopy copy, string[] rest)
    {
        if (rest is not [var list, var number, ..] || !TryIndex(number, out var index))
            return null;
        var recipients = list switch
        {
            "to" => copy.Shown.To,
            "cc" => copy.Shown.Cc,
            "bcc" => copy.Shown.Bcc,
            _ => [],
        };
        return index < recipients.Count ? recipients[index] : null;
    }

    static bool TryIndex(string text, out int index) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index);

    /// <param name="Recipient">Null when it is about the personalization, not one address in it.</param>
    readonly record struct Place(int Entry, MessageRecipient? Recipient);
}
