using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>Sends through Amazon SES v2 as raw MIME: nothing is lost, and the envelope is apart from what people see.</summary>
sealed class SesProvider(VendorHttp http, SesOptions options, Func<ValueTask<SesKey?>> keys, TimeProvider clock) : IProvider
{
    const string Path = "/v2/email/outbound-emails";

    /// <summary>Comes back with notifications that include the original headers; tags come back with event publishing only.</summary>
    public const string IdHeader = "X-Postrider-Id";

    public ProviderCapabilities Capabilities { get; } = new()
    {
        // Of the MIME message ("Message quotas", SES developer guide); base64 in JSON makes a third more of it.
        MaxMessageBytes = 40_000_000,
        MaxRecipients = 50,
        Settle = VendorHttp.AnswerTimeout,
    };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        if (Capabilities.WhyUnfit(envelope.Content) is { } why)
            return Outcomes.Unfit(envelope, why);
        if (await keys() is not { } key)
        {
            return Outcomes.ForAll(envelope, new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport, new Reply(0, null,
                "no AWS credentials were found: write ses://ID:SECRET@region, or give the machine a role, a profile, AWS_ACCESS_KEY_ID")));
        }
        var body = Body(envelope);
        var answer = await http.SendAsync(Request(body, key), envelope.LastLeave, ct);
        return SesErrors.Read(answer, envelope);
    }

    public ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => http.LookAsync(ct);

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    VendorRequest Request(byte[] body, SesKey key)
    {
        const string Json = "application/json";
        var address = http.AddressOf(Path);
        var request = new SigV4Request("POST", address.PathAndQuery, [new("host", address.Authority), new("content-type", Json)], body);
        var headers = SigV4.Sign(request, key, options.Region, clock.GetUtcNow());
        return new VendorRequest(HttpMethod.Post, Path, body, Json) { Headers = headers };
    }

    byte[] Body(OutgoingEnvelope envelope)
    {
        var id = CarriedId.Of(envelope);
        using var rendered = RenderedMessage.Of(envelope, HeaderField.TryCreate(IdHeader, id, out var header, out _) ? header : null);
        return JsonSerializer.SerializeToUtf8Bytes(new SesEmail
        {
            Destination = new SesDestination
            {
                ToAddresses = Of(RecipientKind.To),
                CcAddresses = Of(RecipientKind.Cc),
                BccAddresses = Of(RecipientKind.Bcc),
            },
            Content = new SesContent { Raw = new SesRaw(rendered.Bytes) },
            EmailTags = [new SesTag(CarriedId.Name, id)],
            ConfigurationSetName = options.ConfigurationSet,
        }, SesJson.Plain.SesEmail);

        string[]? Of(RecipientKind kind)
        {
            var some = envelope.Recipients.Where(recipient => recipient.Kind == kind);
            return some.Any() ? [.. some.Select(recipient => recipient.Mailbox.Address.ToAscii())] : null;
        }
    }
}

/// <summary>Where a transport of SES sends.</summary>
/// <param name="ConfigurationSet">Needed for events with our id in them; null: the identity's default set.</param>
sealed record SesOptions(Uri Endpoint, string Region, string? ConfigurationSet);

/// <summary>Makes transports from <c>ses://ID:SECRET@region</c>, or <c>ses://region</c> with the credentials that AWS's own chain
/// finds.</summary>
/// <remarks>
/// Options: <c>endpoint=</c> · <c>configuration_set=</c> · <c>topics=</c> the ARNs of the SNS topics whose notifications are believed, with
/// commas · <c>confirm=true</c> confirms their subscriptions when Amazon asks. The chain is that of all AWS tools: environment, profile,
/// container, machine role.
/// </remarks>
public sealed class SesProviderFactory(TimeProvider clock) : VendorProviderFactory
{
    public override string Scheme => "ses";

    public override IReadOnlyCollection<string> OptionNames { get; } = ["endpoint", "configuration_set", "topics", "confirm", "callback_key"];

    protected override Func<IProvider> Read(TransportSettings settings, List<string> faults)
    {
        var region = settings.Host;
        if (region.Length == 0 || region.Any(c => c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')))
            faults.Add("the region is missing or none: ses://ID:SECRET@eu-west-1");
        if ((settings.User is null) != (settings.Password is null))
            faults.Add("access key id and secret come together: ses://ID:SECRET@region; without both, AWS's own chain is asked");
        if (settings.User?.AsSpan().ContainsAnyExceptInRange('!', '~') == true)
            faults.Add("the access key id holds other than printable ASCII");
        foreach (var topic in Topics(settings))
        {
            if (!topic.StartsWith("arn:", StringComparison.Ordinal) || topic.Split(':').Length < 6)
                faults.Add("option 'topics' is a list of SNS topic ARNs, such as arn:aws:sns:eu-west-1:123456789012:mail");
        }
        if (settings.Options.GetValueOrDefault("confirm", "false") is not ("true" or "false"))
            faults.Add("option 'confirm' is true or false: whether a topic of 'topics' that asks to be confirmed is");
        if (settings.Options.ContainsKey("callback_key") && SesSigner.Of(settings) is null)
            faults.Add("option 'callback_key' is a certificate beside Amazon's: base64 of its PEM, or the path of a file that holds it");
        var configurationSet = settings.Options.GetValueOrDefault("configuration_set");
        if (configurationSet is { } set && (set.Length > 64 || set.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))))
            faults.Add("option 'configuration_set' is a name of letters, digits, '-' and '_'");
        var endpoint = VendorOptions.At(settings, faults.Count > 0 ? new Uri("https://x.invalid") : EndpointOf(region), faults);
        var options = new SesOptions(endpoint, region, configurationSet);
        return () => new SesProvider(new VendorHttp(options.Endpoint, clock, settings.IsConfined), options, KeysOf(settings), clock);
    }

    /// <summary>China is a partition of its own.</summary>
    static Uri EndpointOf(string region) =>
        new($"https://email.{region}.amazonaws.com{(region.StartsWith("cn-", StringComparison.Ordinal) ? ".cn" : "")}");

    /// <summary>The topics whose notifications are believed.</summary>
    internal static IReadOnlyList<string> Topics(TransportSettings settings) =>
        settings.Options.GetValueOrDefault("topics", "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Whether one of them that asks to be confirmed is confirmed: only while the operator says so.</summary>
    public static bool ConfirmsTopics(TransportSettings settings) => settings.Options.GetValueOrDefault("confirm") == "true";

    static Func<ValueTask<SesKey?>> KeysOf(TransportSettings settings)
    {
        if (settings is { User: { } id, Password: { } secret })
        {
            var key = new SesKey(id, secret);
            return () => ValueTask.FromResult<SesKey?>(key);
        }
        return ChainAsync;
    }

    /// <summary>AWS's own chain; it keeps what it found and renews it in time. Null when it finds nothing, or cannot ask now.</summary>
    static async ValueTask<SesKey?> ChainAsync()
    {
        try
        {
            var found = await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync();
            var key = await found.GetCredentialsAsync();
            return new SesKey(key.AccessKey, key.SecretKey, key.UseToken ? key.Token : null);
        }
        catch (Exception fault) when (fault is AmazonClientException or AmazonServiceException or HttpRequestException or IOException
            or TimeoutException or InvalidOperationException)
        {
            return null;
        }
    }
}
