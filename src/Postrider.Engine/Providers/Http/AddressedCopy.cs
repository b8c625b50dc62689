using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>A message for those who see each other in it, for APIs where the visible To and Cc are the envelope.</summary>
/// <param name="To">Never empty.</param>
sealed record AddressedCopy(
    OutgoingEnvelope Envelope, IReadOnlyList<MessageRecipient> To, IReadOnlyList<MessageRecipient> Cc, IReadOnlyList<MessageRecipient> Bcc)
{
    public IReadOnlyList<MessageRecipient> Recipients => field ??= [.. To, .. Cc, .. Bcc];

    /// <summary>What the vendor is given to tell us of it.</summary>
    public string CarriedId => Providers.CarriedId.Of(Envelope with { Recipients = Recipients });

    /// <summary>
    /// One copy for all, where there is a To. Recipients without one (blind copies alone, or the rest of a message whose others have it
    /// already) become their own To: those of Cc together, each blind one by itself, so nobody sees a blind recipient.
    /// </summary>
    public static IReadOnlyList<AddressedCopy> Of(OutgoingEnvelope envelope, IReadOnlyList<MessageRecipient> recipients)
    {
        var (to, cc, bcc) = (OfKind(RecipientKind.To), OfKind(RecipientKind.Cc), OfKind(RecipientKind.Bcc));
        if (to.Count > 0)
            return [new AddressedCopy(envelope, to, cc, bcc)];
        var blind = bcc.Select(one => new AddressedCopy(envelope, [one], [], []));
        return cc.Count > 0 ? [new AddressedCopy(envelope, cc, [], []), .. blind] : [.. blind];

        List<MessageRecipient> OfKind(RecipientKind kind) => [.. recipients.Where(recipient => recipient.Kind == kind)];
    }
}

/// <summary>A message on its way to an API where the visible To and Cc are the envelope.</summary>
sealed class AddressedEntry(OutgoingEnvelope envelope, object key) : CallEntry(envelope)
{
    public override object Key => key;

    // Base64 makes four characters of three bytes; 500 for names and addresses of the fields.
    public override long Bytes { get; } = 500 + envelope.Content.Subject.Length + (envelope.Content.Text?.Length ?? 0)
        + (envelope.Content.Html?.Length ?? 0)
        + envelope.Content.Attachments.Sum(attachment => attachment.Content.Length * 4L / 3 + 200);
}

/// <summary>What became of the recipients of a call's entries; it takes more than one round where recipients whom the vendor named as bad
/// are left out.</summary>
sealed class CopyLedger(IReadOnlyList<AddressedEntry> entries)
{
    readonly Dictionary<RecipientId, Outcome> _outcomes = [];

    /// <summary>Copies for those who have no outcome yet.</summary>
    public IReadOnlyList<AddressedCopy> Left() => [.. entries.SelectMany(entry =>
        AddressedCopy.Of(entry.Envelope, [.. entry.Envelope.Recipients.Where(recipient =>
            !_outcomes.ContainsKey(IdOf(entry.Envelope, recipient)))]))];

    public void Record(AddressedCopy copy, CopyOutcomes outcomes)
    {
        foreach (var (n, outcome) in outcomes)
            _outcomes.Add(new RecipientId(copy.Envelope.Message, n), outcome);
    }

    public IReadOnlyList<IReadOnlyList<Outcome>?> Results() =>
        [.. entries.Select(entry => (IReadOnlyList<Outcome>)[.. entry.Envelope.Recipients.Select(recipient =>
            _outcomes[IdOf(entry.Envelope, recipient)])])];

    static RecipientId IdOf(OutgoingEnvelope envelope, MessageRecipient recipient) => new(envelope.Message, recipient.N);
}

/// <summary>Outcomes of a copy's recipients by their numbers. Never empty; who has none was refused for another's sake and is sent again
/// without that one.</summary>
sealed class CopyOutcomes : Dictionary<int, Outcome>
{
    public static CopyOutcomes ForAll(AddressedCopy copy, Outcome outcome) => ForSome(copy.Recipients, outcome);

    public static CopyOutcomes ForSome(IEnumerable<MessageRecipient> recipients, Outcome outcome)
    {
        var outcomes = new CopyOutcomes();
        foreach (var recipient in recipients)
            outcomes.Add(recipient.N, outcome);
        return outcomes;
    }

    /// <summary>Of a call that was refused or lost as a whole. Null where something in one of several copies is to blame: the vendor does
    /// not say in which.</summary>
    public static IReadOnlyList<CopyOutcomes>? ForCall(VendorAnswer answer, IReadOnlyList<AddressedCopy> copies, Outcome outcome) =>
        answer.Kind == VendorAnswerKind.Answered
        && outcome is { KnownUnsent: true, Scope: OutcomeScope.Message or OutcomeScope.Recipient }
            ? null : [.. copies.Select(copy => ForAll(copy, outcome))];

    /// <summary>Of a refusal that is about addresses: those that the vendor names are bad, and the others go again without them. All are
    /// refused where it names nobody.</summary>
    public static CopyOutcomes ForNamed(AddressedCopy copy, string words, Outcome refusal)
    {
        var bad = refusal with { Scope = OutcomeScope.Recipient, Reply = refusal.Reply with { Enhanced = "5.1.3" } };
        if (copy.Recipients.Count == 1)
            return ForAll(copy, bad);
        var named = Named(copy.Recipients, words).ToList();
        return named.Count > 0 ? ForSome(named, bad) : ForAll(copy, refusal);
    }

    /// <summary>Those whose address stands in a vendor's words, as a whole.</summary>
    public static IEnumerable<MessageRecipient> Named(IEnumerable<MessageRecipient> recipients, string words) =>
        recipients.Where(recipient => IsNamed(recipient.Mailbox.Address.ToAscii(), words)
            || IsNamed(recipient.Mailbox.Address.ToString(), words));

    static bool IsNamed(string address, string words)
    {
        for (var at = 0; (at = words.IndexOf(address, at, StringComparison.OrdinalIgnoreCase)) >= 0; at++)
        {
            var end = at + address.Length;
            // A full stop may end the sentence, or go on with the domain.
            if ((at == 0 || words[at - 1] is ' ' or '\'' or '"' or '<' or ',' or ':' or '(' or '`')
                && (end == words.Length || words[end] is ' ' or '\'' or '"' or '>' or ',' or ';' or ')' or '`' || words[end] == '.'
                    && (end + 1 == words.Length || words[end + 1] == ' ')))
                return true;
        }
        return false;
    }
}
