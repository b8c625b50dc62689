using System.Buffers;
using System.Text;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>Sends through Mailgun's <c>messages.mime</c>: the whole message as we render it, and its recipients beside it, so every reader
/// sees the To and Cc that the sender wrote and nothing is lost.</summary>
sealed class MailgunProvider(VendorHttp http, string domain, string key) : IProvider
{
    const string VariablesHeader = "X-Mailgun-Variables";

    static readonly MimeLimits AnyHeader = new() { MaxHeaderBytes = int.MaxValue, MaxFieldBytes = int.MaxValue, MaxFields = int.MaxValue };

    readonly string _authorization = $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"api:{key}"))}";

    public ProviderCapabilities Capabilities { get; } = new()
    {
        MaxMessageBytes = 25_000_000,
        MaxRecipients = 1_000,
        Settle = VendorHttp.AnswerTimeout,
    };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        if (Capabilities.WhyUnfit(envelope.Content) is { } why)
            return Outcomes.Unfit(envelope, why);
        using var rendered = RenderedMessage.Of(envelope);
        var message = WithoutVariables(rendered.Bytes);
        var isCommitted = false;
        Func<CancellationToken, ValueTask<bool>>? commit = envelope.CommitPoint is null ? null : CommitAsync;

        var all = await PostAsync(envelope, message, commit, ct);
        if (envelope.Recipients.Count == 1 || !MailgunErrors.IsAboutRecipients(all))
            return Outcomes.ForAll(envelope, all);
        // Somebody's address is bad and Mailgun does not say whose. The headers stay the same for all, so each is asked for alone.
        var outcomes = new List<Outcome>(envelope.Recipients.Count);
        foreach (var recipient in envelope.Recipients)
            outcomes.Add(await PostAsync(envelope with { Recipients = [recipient] }, message, commit, ct));
        return outcomes;

        // One commit point for the attempt, also when it takes several calls.
        async ValueTask<bool> CommitAsync(CancellationToken inCall) => isCommitted = isCommitted || await envelope.CommitPoint!(inCall);
    }

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Mailgun reads variables from this field as well: with our id in it, a sender's bounces would be said of another's
    /// message.</summary>
    static ReadOnlyMemory<byte> WithoutVariables(ReadOnlyMemory<byte> message)
    {
        if (!HeaderBlock.TryRead(message, AnyHeader, out var header, out _) || header.Find(VariablesHeader) is null)
            return message;
        var rest = new ArrayBufferWriter<byte>(message.Length);
        var at = 0;
        foreach (var field in header.Fields.Where(field => field.Is(VariablesHeader)))
        {
            rest.Write(message.Span[at..field.Start]);
            at = field.Start + field.Bytes.Length;
        }
        rest.Write(message.Span[at..]);
        return rest.WrittenMemory;
    }

    async ValueTask<Outcome> PostAsync(
        OutgoingEnvelope envelope, ReadOnlyMemory<byte> message, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var form = new MailgunForm(message.Span);
        foreach (var recipient in envelope.Recipients)
            form.AddField("to", recipient.Mailbox.Address.ToAscii());
        form.AddField($"v:{CarriedId.Name}", CarriedId.Of(envelope));
        // Our variable is for the callbacks, not for the readers of the mail.
        form.AddField("o:suppress-headers", VariablesHeader);
        var body = form.FinishWithFile("message", "message.mime", "message/rfc822", message.Span);
        var request = new VendorRequest(HttpMethod.Post, $"/v3/{Uri.EscapeDataString(domain)}/messages.mime", body, form.ContentType)
        {
            Headers = [new("Authorization", _authorization)],
        };
        return MailgunErrors.Read(await http.SendAsync(request, commitPoint, ct), isAlone: envelope.Recipients.Count == 1);
    }
}

/// <summary>Makes transports from <c>mailgun://KEY@domain</c>, the domain being the one at Mailgun that sends.</summary>
/// <remarks>Options: <c>endpoint=</c>, <c>region=eu</c> for domains that live there, <c>callback_key=</c> the webhook signing
/// key.</remarks>
public sealed class MailgunProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    public override string Scheme => "mailgun";

    // A call carries one message, so there is nothing to coalesce.
    public override IReadOnlyCollection<string> OptionNames { get; } = ["endpoint", "region", "callback_key"];

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
        var endpoint = VendorOptions.At(settings, own, faults);
        return () => new MailgunProvider(new VendorHttp(endpoint, clock), settings.Host, key);
    }
}
