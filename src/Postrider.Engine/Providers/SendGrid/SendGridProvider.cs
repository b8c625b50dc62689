using System.Buffers;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>Sends through SendGrid's v3 API. Messages of a batch that say the same travel together as personalizations of one
/// call.</summary>
sealed class SendGridProvider(VendorHttp http, string key, VendorOptions options, TimeProvider clock)
    : CoalescingProvider<SendGridEntry>(options.Limits, clock)
{
    /// <summary>Of a whole request (API reference, "Limitations").</summary>
    const long MaxRequestBytes = 30_000_000;

    /// <summary>1,000 personalizations and 1,000 recipients a call are the vendor's.</summary>
    public static CallLimits MostInACall { get; } = new(Entries: 1_000, Recipients: 1_000, Bytes: 1_000_000);

    public override ProviderCapabilities Capabilities { get; } = new()
    {
        MaxMessageBytes = MaxRequestBytes,
        MaxRecipients = 1_000,
        Settle = VendorHttp.AnswerTimeout,
        WholeMessages = false,
        RepeatedHeaders = false,
        EmptyBody = false,
        EmptySubject = false,
        EmptyAttachments = false,
        ReservedHeaders = SendGridRules.ReservedHeaders,
    };

    protected override SendGridEntry Prepare(OutgoingEnvelope envelope) => SendGridEntry.Of(envelope);

    protected override async ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
        IReadOnlyList<SendGridEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        if (entries.Count > 1)
            return SendGridErrors.Read(await PostAsync(entries, commitPoint, ct), entries, Clock.GetUtcNow());

        // Alone: recipients that SendGrid names as bad are left out and the others sent at once. Each round has fewer, so it ends.
        var outcomes = new Dictionary<int, Outcome>();
        var entry = entries[0];
        while (true)
        {
            var read = SendGridErrors.ReadAlone(await PostAsync([entry], commitPoint, ct), entry, Clock.GetUtcNow());
            foreach (var (n, outcome) in read)
                outcomes.Add(n, outcome);
            var left = entry.Envelope.Recipients.Where(recipient => !outcomes.ContainsKey(recipient.N)).ToList();
            if (left.Count == 0)
                return [[.. entries[0].Envelope.Recipients.Select(recipient => outcomes[recipient.N])]];
            entry = entry.For(left);
        }
    }

    public override ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => http.LookAsync(ct);

    public override ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    ValueTask<VendorAnswer> PostAsync(
        IReadOnlyList<SendGridEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        var request = new VendorRequest(HttpMethod.Post, "/v3/mail/send", Body(entries));
        return http.SendAsync(request with { Headers = [new("Authorization", $"Bearer {key}")] }, commitPoint, ct);
    }

    /// <summary>The shared object with the personalizations put in front.</summary>
    static ReadOnlyMemory<byte> Body(IReadOnlyList<SendGridEntry> entries)
    {
        var shared = entries[0].Shared;
        var body = new ArrayBufferWriter<byte>(shared.Length + (int)entries.Sum(entry => entry.Bytes) + 1_024);
        body.Write("{\"personalizations\":["u8);
        var isFirst = true;
        foreach (var entry in entries)
        {
            foreach (var copy in entry.Copies)
            {
                if (!isFirst)
                    body.Write(","u8);
                isFirst = false;
                body.Write(copy.Json);
            }
        }
        body.Write("],"u8);
        body.Write(shared.AsSpan(1));
        return body.WrittenMemory;
    }
}

/// <summary>Makes transports from <c>sendgrid://KEY@</c>.</summary>
/// <remarks>Options beside those of <see cref="VendorOptions"/>: <c>region=eu</c> for subusers in the EU. <c>callback_key</c> is the
/// verification key of the signed event webhook.</remarks>
public sealed class SendGridProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    public override string Scheme => "sendgrid";

    public override IReadOnlyCollection<string> OptionNames { get; } = [.. VendorOptions.Names, "region"];

    protected override Func<IProvider> Read(TransportSettings settings, List<string> faults)
    {
        var key = VendorOptions.OnlyKey(settings, "sendgrid://KEY@", faults);
        var region = settings.Options.GetValueOrDefault("region", "global");
        if (region is not ("global" or "eu"))
            faults.Add("option 'region' is global or eu");
        if (settings.Options.TryGetValue("callback_key", out var callbackKey) && !SendGridFeedback.IsKey(callbackKey))
            faults.Add("option 'callback_key' is the verification key of the signed event webhook: one line of base64");
        var endpoint = new Uri(region == "eu" ? "https://api.eu.sendgrid.com" : "https://api.sendgrid.com");
        var options = VendorOptions.Read(settings, endpoint, SendGridProvider.MostInACall, faults);
        return () => new SendGridProvider(new VendorHttp(options.Endpoint, clock, settings.IsConfined), key, options, clock);
    }
}
