using System.Buffers;
using System.Text;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>Sends through Mailgun: each message as MIME as we render it, with its recipients beside it, so every reader sees the To and Cc
/// that the sender wrote and nothing is lost; messages of a batch that say the same as fields of one call, with recipient
/// variables.</summary>
sealed class MailgunProvider(VendorHttp http, string domain, string key, VendorOptions options, TimeProvider clock)
    : CoalescingProvider<MailgunEntry>(options.Limits, clock)
{
    static readonly MimeLimits AnyHeader = new() { MaxHeaderBytes = int.MaxValue, MaxFieldBytes = int.MaxValue, MaxFields = int.MaxValue };

    /// <summary>1,000 recipients of a batch are the vendor's ("Batch Sending", its user manual). The bytes are those of the variables: what
    /// the messages say goes once.</summary>
    public static CallLimits MostInACall { get; } = new(Entries: 1_000, Recipients: 1_000, Bytes: 1_000_000);

    readonly string _authorization = $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"api:{key}"))}";

    public override ProviderCapabilities Capabilities { get; } = new()
    {
        MaxMessageBytes = 25_000_000,
        MaxRecipients = 1_000,
        Settle = VendorHttp.AnswerTimeout,
    };

    protected override MailgunEntry Prepare(OutgoingEnvelope envelope) => new(envelope);

    protected override async ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
        IReadOnlyList<MailgunEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        // Mailgun tells the recipients of a batch by their addresses and ignores one that comes twice: that one's turn is the next call.
        var addresses = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var together = entries.Where(entry => addresses.Add(entry.Address)).ToHashSet();
        IReadOnlyList<Outcome>? outcomes;
        if (together.Count == 1)
            outcomes = await SendAloneAsync(entries[0].Envelope, commitPoint, ct);
        else
        {
            var outcome = MailgunErrors.Read(await PostAsync("messages", MailgunBatch.Of([.. together]), commitPoint, ct), isAlone: false);
            outcomes = MailgunErrors.MayBeOfOne(outcome) ? null : [outcome];
        }
        return [.. entries.Select(entry => together.Contains(entry) ? outcomes : null)];
    }

    public override ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => http.LookAsync(ct);

    public override ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    async ValueTask<IReadOnlyList<Outcome>> SendAloneAsync(
        OutgoingEnvelope envelope, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        using var rendered = RenderedMessage.Of(envelope);
        var message = WithoutVariables(rendered.Bytes);
        var all = await SendAsync(envelope);
        if (envelope.Recipients.Count == 1 || !MailgunErrors.IsAboutRecipients(all))
            return Outcomes.ForAll(envelope, all);
        // Somebody's address is bad and Mailgun does not say whose. The headers stay the same for all, so each is asked for alone.
        var outcomes = new List<Outcome>(envelope.Recipients.Count);
        foreach (var recipient in envelope.Recipients)
            outcomes.Add(await SendAsync(envelope with { Recipients = [recipient] }));
        return outcomes;

        async ValueTask<Outcome> SendAsync(OutgoingEnvelope some) => MailgunErrors.Read(
            await PostAsync("messages.mime", FormOf(some, message), commitPoint, ct), isAlone: some.Recipients.Count == 1);
    }

    ValueTask<VendorAnswer> PostAsync(
        string call, MailgunForm form, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var path = $"/v3/{Uri.EscapeDataString(domain)}/{call}";
        var request = new VendorRequest(HttpMethod.Post, path, form.Finish(), form.ContentType)
        {
            Headers = [new("Authorization", _authorization)],
        };
        return http.SendAsync(request, commitPoint, ct);
    }

    static MailgunForm FormOf(OutgoingEnvelope envelope, ReadOnlyMemory<byte> message)
    {
        var form = new MailgunForm(message);
        foreach (var recipient in envelope.Recipients)
            form.AddField("to", recipient.Mailbox.Address.ToAscii());
        form.AddId(CarriedId.Of(envelope));
        form.AddFile("message", "message.mime", "message/rfc822", message.Span);
        return form;
    }

    /// <summary>Mailgun reads variables from this field as well: with our id in it, a sender's bounces would be said of another's
    /// message.</summary>
    static ReadOnlyMemory<byte> WithoutVariables(ReadOnlyMemory<byte> message)
    {
        if (!HeaderBlock.TryRead(message, AnyHeader, out var header, out _) || header.Find(MailgunForm.VariablesHeader) is null)
            return message;
        var rest = new ArrayBufferWriter<byte>(message.Length);
        var at = 0;
        foreach (var field in header.Fields.Where(field => field.Is(MailgunForm.VariablesHeader)))
        {
            rest.Write(message.Span[at..field.Start]);
            at = field.Start + field.Bytes.Length;
        }
        rest.Write(message.Span[at..]);
        return rest.WrittenMemory;
    }
}

/// <summary>Makes transports from <c>mailgun://KEY@domain</c>, the domain being the one at Mailgun that sends.</summary>
/// <remarks>Options beside those of <see cref="VendorOptions"/>: <c>region=eu</c> for domains that live there. <c>callback_key</c> is the
/// webhook signing key.</remarks>
public sealed class MailgunProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    public override string Scheme => "mailgun";

    public override IReadOnlyCollection<string> OptionNames { get; } = [.. VendorOptions.Names, "region"];

    protected override Func<IProvider> Read(TransportSettings settings, List<string> faults)
    {
        var key = VendorOptions.Key(settings, "mailgun://KEY@mg.example.com", faults);
        if (settings.Host.Length == 0 || settings.Port is not null)
            faults.Add("the sending domain is missing, or has a port: mailgun://KEY@mg.example.com");
        var region = settings.Options.GetValueOrDefault("region", "us");
        if (region is not ("us" or "eu"))
            faults.Add("option 'region' is us or eu");
        if (settings.Options.TryGetValue("callback_key", out var callbackKey) && callbackKey.Length == 0)
            faults.Add("option 'callback_key' is the webhook signing key");
        var own = new Uri(region == "eu" ? "https://api.eu.mailgun.net" : "https://api.mailgun.net");
        var options = VendorOptions.Read(settings, own, MailgunProvider.MostInACall, faults);
        return () => new MailgunProvider(new VendorHttp(options.Endpoint, clock, settings.IsConfined), settings.Host, key, options, clock);
    }
}
