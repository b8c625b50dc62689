using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Postmark;

/// <summary>Where a transport of Postmark sends, and in which of its message streams.</summary>
/// <param name="Transactional">Null: Postmark's own default, <c>outbound</c>.</param>
/// <param name="Bulk">As <paramref name="Transactional"/>.</param>
sealed record PostmarkOptions(string Token, VendorOptions Vendor, string? Transactional, string? Bulk);

/// <summary>Sends through Postmark's API. Whatever waits goes together in one batch: each message in it is whole and has a result of its
/// own.</summary>
/// <remarks>Attachments with a content id are inline here and those without are not, whatever the message says: Postmark has no other word
/// for it.</remarks>
sealed class PostmarkProvider(VendorHttp http, PostmarkOptions options, TimeProvider clock)
    : CoalescingProvider<AddressedEntry>(options.Vendor.Limits, clock), IProvider
{
    static readonly object Together = new();

    /// <summary>500 messages and 50 MB are the vendor's; a recipient needs a message of its own at most, and a smaller call that is lost
    /// costs less.</summary>
    public static CallLimits MostInACall { get; } = new(Entries: 500, Recipients: 500, Bytes: 5_000_000);

    public override ProviderCapabilities Capabilities { get; } = new()
    {
        MaxMessageBytes = 10_000_000,
        MaxRecipients = 50,
        Settle = VendorHttp.AnswerTimeout,
        WholeMessages = false,
        EmptyBody = false,
    };

    protected override AddressedEntry Prepare(OutgoingEnvelope envelope) => new(envelope, Together);

    protected override async ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
        IReadOnlyList<AddressedEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var ledger = new CopyLedger(entries);
        for (var isFirst = true; ledger.Left() is { Count: > 0 } copies; isFirst = false)
        {
            var results = PostmarkErrors.Read(await PostAsync(copies, commitPoint, ct), copies);
            if (results is null && isFirst && entries.Count > 1)
                return new IReadOnlyList<Outcome>?[entries.Count];
            // A lone message in several copies, or a second round: one by one, so that it is known whom it is about.
            results ??= await OneByOneAsync(copies, commitPoint, ct);
            foreach (var (copy, outcomes) in copies.Zip(results))
                ledger.Record(copy, outcomes);
        }
        return ledger.Results();
    }

    public async ValueTask<IReadOnlyList<FeedbackEvent>?> FindAsync(DoubtfulMessage message, CancellationToken ct)
    {
        var found = new List<FeedbackEvent>();
        foreach (var id in PostmarkSearch.IdsOf(message))
        {
            var request = new VendorRequest(HttpMethod.Get, PostmarkSearch.PathFor(id, message.Stream == MailStream.Bulk
                ? options.Bulk : options.Transactional))
            {
                Headers = [new("X-Postmark-Server-Token", options.Token), new("Accept", "application/json")],
            };
            var answer = await http.SendAsync(request, null, ct);
            if (answer.Status != 200 || PostmarkSearch.Read(answer.Body, id) is not { } events)
                return null;
            found.AddRange(events);
        }
        return found;
    }

    public override ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => http.LookAsync(ct);

    public override ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    async ValueTask<IReadOnlyList<CopyOutcomes>> OneByOneAsync(
        IReadOnlyList<AddressedCopy> copies, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var results = new List<CopyOutcomes>();
        foreach (var copy in copies)
            results.AddRange(PostmarkErrors.Read(await PostAsync([copy], commitPoint, ct), [copy])!);
        return results;
    }

    async ValueTask<VendorAnswer> PostAsync(IReadOnlyList<AddressedCopy> copies, Func<CancellationToken, ValueTask<bool>>? commitPoint,
        CancellationToken ct)
    {
        var (path, body) = copies is [var only]
            ? ("/email", JsonSerializer.SerializeToUtf8Bytes(Mail(only), PostmarkJson.Plain.PostmarkMail))
            : ("/email/batch", JsonSerializer.SerializeToUtf8Bytes([.. copies.Select(Mail)], PostmarkJson.Plain.IReadOnlyListPostmarkMail));
        var request = new VendorRequest(HttpMethod.Post, path, body) { Headers = [new("X-Postmark-Server-Token", options.Token), new("Accept", "application/json")] };
        return await http.SendAsync(request, commitPoint, ct);
    }

    PostmarkMail Mail(AddressedCopy copy)
    {
        var content = copy.Envelope.Content;
        return new PostmarkMail
        {
            From = content.From.ToStringWithAsciiDomain(),
            To = List(copy.To.Select(recipient => recipient.Mailbox)),
            Cc = List(copy.Cc.Select(recipient => recipient.Mailbox)),
            Bcc = List(copy.Bcc.Select(recipient => recipient.Mailbox)),
            ReplyTo = List(content.ReplyTo),
            Subject = content.Subject,
            TextBody = string.IsNullOrEmpty(content.Text) ? null : content.Text,
            HtmlBody = string.IsNullOrEmpty(content.Html) ? null : content.Html,
            // ASCII, because nobody says what becomes of other text.
            Headers = content.Headers.Count == 0 ? null : [.. content.Headers.Select(header =>
                new PostmarkHeader(header.Name, HeaderText.ToAscii(header.Value)))],
            Attachments = content.Attachments.Count == 0 ? null : [.. content.Attachments.Select(Attachment)],
            Metadata = new() { [CarriedId.Name] = copy.CarriedId },
            MessageStream = copy.Envelope.Stream == MailStream.Bulk ? options.Bulk : options.Transactional,
        };
    }

    static PostmarkAttachment Attachment(MimeAttachment attachment) => new(
        attachment.FileName, Convert.ToBase64String(attachment.Content.Span), attachment.ContentType, attachment.ContentId is { } id
            ? $"cid:{id}" : null);

    static string? List(IEnumerable<Mailbox> mailboxes) =>
        string.Join(", ", mailboxes.Select(mailbox => mailbox.ToStringWithAsciiDomain())) is { Length: > 0 } list ? list : null;
}

/// <summary>Makes transports from <c>postmark://TOKEN@</c>, the token being that of a server.</summary>
/// <remarks>
/// Options beside those of <see cref="VendorOptions"/>: <c>message_stream=</c> and, for bulk mail, <c>bulk_stream=</c>, the ids of
/// Postmark's message streams.
/// <c>callback_key</c> is the password of the webhook's Basic authentication, or the value of its header <c>X-Callback-Key</c>.
/// </remarks>
public sealed class PostmarkProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    const string TransactionalOption = "message_stream";
    const string BulkOption = "bulk_stream";

    public override string Scheme => "postmark";

    public override IReadOnlyCollection<string> OptionNames { get; } = [.. VendorOptions.Names, TransactionalOption, BulkOption];

    protected override Func<IProvider> Read(TransportSettings settings, List<string> faults)
    {
        var token = VendorOptions.OnlyKey(settings, "postmark://TOKEN@", faults);
        var vendor = VendorOptions.Read(settings, new Uri("https://api.postmarkapp.com"), PostmarkProvider.MostInACall, faults);
        var options = new PostmarkOptions(token, vendor, Stream(TransactionalOption), Stream(BulkOption));
        return () => new PostmarkProvider(new VendorHttp(vendor.Endpoint, clock, settings.IsConfined), options, clock);

        string? Stream(string name)
        {
            if (settings.Options.TryGetValue(name, out var id) && (id.Length == 0 || id.AsSpan().ContainsAnyExceptInRange('!', '~')))
                faults.Add($"option '{name}' is the id of a message stream, such as outbound");
            return settings.Options.GetValueOrDefault(name);
        }
    }
}
