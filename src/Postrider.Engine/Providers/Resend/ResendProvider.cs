using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Resend;

/// <summary>Sends through Resend's API: every message by itself, with a key by which Resend knows a repetition; or, with <c>coalesce=</c>,
/// in batches without it.</summary>
/// <remarks>
/// A batch has one key for all of it, and a repetition never has the same company, so batches give up what makes Resend safe to ask again.
/// Attachments travel alone (batches take none); those with a content id are inline here and those without are not, whatever the message
/// says.
/// </remarks>
sealed class ResendProvider(VendorHttp http, string key, VendorOptions options, TimeProvider clock)
    : CoalescingProvider<AddressedEntry>(options.Limits, clock)
{
    static readonly object Together = new();

    /// <summary>100 messages are the vendor's.</summary>
    public static CallLimits MostInABatch { get; } = new(Entries: 100, Recipients: 1_000, Bytes: 5_000_000);

    public static CallLimits Alone { get; } = MostInABatch with { Entries = 1, Recipients = 1 };

    public override ProviderCapabilities Capabilities { get; } = new()
    {
        MaxMessageBytes = 40_000_000,
        MaxRecipients = 50,
        Idempotent = options.Limits.Recipients == 1,
        Settle = VendorHttp.AnswerTimeout,
        WholeMessages = false,
        RepeatedHeaders = false,
        EmptyBody = false,
        EmptySubject = false,
    };

    protected override AddressedEntry Prepare(OutgoingEnvelope envelope) => new(envelope, CanShare(envelope) ? Together : new object());

    bool CanShare(OutgoingEnvelope envelope) => options.Limits.Recipients > 1 && envelope.Content.Attachments.Count == 0;

    protected override async ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
        IReadOnlyList<AddressedEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var ledger = new CopyLedger(entries);
        if (entries.Count > 1 && ledger.Left() is { Count: <= 100 } copies)
        {
            var body = JsonSerializer.SerializeToUtf8Bytes([.. copies.Select(Email)], ResendJson.Plain.IReadOnlyListResendEmail);
            if (ResendErrors.ReadBatch(await PostAsync("/emails/batch", body, new("x-batch-validation", "permissive"), commitPoint, ct), copies) is not { } results)
                return new IReadOnlyList<Outcome>?[entries.Count];
            foreach (var (copy, outcomes) in copies.Zip(results))
                ledger.Record(copy, outcomes);
        }
        // One by one, each round without those whom the last one named as bad.
        while (ledger.Left() is [var next, ..])
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(Email(next), ResendJson.Plain.ResendEmail);
            ledger.Record(next, ResendErrors.Read(await PostAsync("/emails", body, new("Idempotency-Key", KeyOf(next)), commitPoint, ct), next));
        }
        return ledger.Results();
    }

    public override ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => http.LookAsync(ct);

    public override ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    ValueTask<VendorAnswer> PostAsync(
        string path, byte[] body, KeyValuePair<string, string> header, Func<CancellationToken, ValueTask<bool>>? commitPoint,
            CancellationToken ct) =>
        http.SendAsync(new VendorRequest(HttpMethod.Post, path, body) { Headers = [new("Authorization", $"Bearer {key}"), header] }, commitPoint, ct);

    /// <summary>Stands for these recipients of this message: the same key with other recipients would be another body, which Resend
    /// refuses.</summary>
    static string KeyOf(AddressedCopy copy)
    {
        var first = copy.Envelope.IdempotencyValue(copy.Recipients[0]);
        if (copy.Recipients.Count == 1)
            return first;
        var numbers = string.Join(',', copy.Recipients.Select(recipient => recipient.N.ToString(CultureInfo.InvariantCulture)));
        return $"{first}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(numbers)).AsSpan(0, 12))}";
    }

    static ResendEmail Email(AddressedCopy copy)
    {
        var content = copy.Envelope.Content;
        return new ResendEmail
        {
            From = content.From.ToStringWithAsciiDomain(),
            To = Written(copy.To)!,
            Cc = Written(copy.Cc),
            Bcc = Written(copy.Bcc),
            ReplyTo = content.ReplyTo.Count == 0 ? null : [.. content.ReplyTo.Select(mailbox => mailbox.ToStringWithAsciiDomain())],
            Subject = content.Subject,
            Text = string.IsNullOrEmpty(content.Text) ? null : content.Text,
            Html = string.IsNullOrEmpty(content.Html) ? null : content.Html,
            // ASCII, because nobody says what becomes of other text.
            Headers = content.Headers.Count == 0 ? null : content.Headers.ToDictionary(header => header.Name, header =>
                HeaderText.ToAscii(header.Value)),
            Attachments = content.Attachments.Count == 0 ? null : [.. content.Attachments.Select(attachment => new ResendAttachment(
                attachment.FileName, Convert.ToBase64String(attachment.Content.Span), attachment.ContentType, attachment.ContentId))],
            Tags = [new ResendTag(CarriedId.Name, copy.CarriedId)],
        };
    }

    static IReadOnlyList<string>? Written(IReadOnlyList<MessageRecipient> recipients) =>
        recipients.Count == 0 ? null : [.. recipients.Select(recipient => recipient.Mailbox.ToStringWithAsciiDomain())];
}

/// <summary>Makes transports from <c>resend://KEY@</c>.</summary>
/// <remarks>The options are those of <see cref="VendorOptions"/>, but <c>coalesce</c> is 1 unless it is set. <c>callback_key</c> is the
/// webhook's signing secret, <c>whsec_…</c>.</remarks>
public sealed class ResendProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    public override string Scheme => "resend";

    public override IReadOnlyCollection<string> OptionNames => VendorOptions.Names;

    protected override Func<IProvider> Read(TransportSettings settings, List<string> faults)
    {
        var key = VendorOptions.OnlyKey(settings, "resend://KEY@", faults);
        if (settings.Options.TryGetValue("callback_key", out var secret) && ResendFeedback.KeyOf(secret) is null)
            faults.Add("option 'callback_key' is the webhook's signing secret: whsec_ and base64");
        var most = settings.Options.ContainsKey("coalesce") ? ResendProvider.MostInABatch : ResendProvider.Alone;
        var options = VendorOptions.Read(settings, new Uri("https://api.resend.com"), most, faults);
        return () => new ResendProvider(new VendorHttp(options.Endpoint, clock, settings.IsConfined), key, options, clock);
    }
}
