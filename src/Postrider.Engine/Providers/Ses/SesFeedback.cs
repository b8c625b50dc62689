using System.Security.Cryptography.X509Certificates;
using Postrider.Messages;

namespace Postrider.Providers.Ses;

/// <summary>Reads what SES reports through SNS: the envelope is verified here, the events in it are read by
/// <see cref="SesEvents"/>.</summary>
/// <param name="certificates">Fetches a certificate from an address that was found to be Amazon's; null when it cannot be had now.</param>
public sealed class SesFeedback(Func<Uri, CancellationToken, ValueTask<X509Certificate2?>> certificates) : IFeedbackReader
{
    /// <summary>SNS repeats for at most an hour (delivery policy, maximum total backoff).</summary>
    static readonly TimeSpan Oldest = TimeSpan.FromMinutes(65);

    /// <summary>How far the clocks may be apart.</summary>
    static readonly TimeSpan Ahead = TimeSpan.FromMinutes(5);

    public string Vendor => "ses";

    public async ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now,
        CancellationToken ct)
    {
        if (SnsMessage.Parse(call.Body) is not { } message)
            return new FeedbackReading.Refused(400, "not a message of SNS; is raw message delivery switched on? It must be off");
        // Tested first: it costs nothing, and nobody else's topic makes us fetch anything.
        if (!SesProviderFactory.Topics(settings).Contains(message.TopicArn))
            return new FeedbackReading.Refused(403, $"the topic {message.TopicArn} is not among the transport's topics=");
        if (message.SentAt is not { } at || at < now - Oldest || at > now + Ahead)
            return new FeedbackReading.Refused(403, "the timestamp is too far from now");
        using var own = SesSigner.Of(settings);
        if (own is null || !Stands(message, own, now))
        {
            if (!message.TryGetCertificateUrl(out var url))
                return new FeedbackReading.Refused(403, "the certificate is not at an address of Amazon SNS");
            if (await certificates(url, ct) is not { } certificate)
                return new FeedbackReading.Refused(503, "the certificate cannot be fetched now");
            if (!Stands(message, certificate, now))
                return new FeedbackReading.Refused(403, "the signature does not match");
        }
        return message.Type switch
        {
            "Notification" => SesEvents.Read(message),
            "SubscriptionConfirmation" when SnsMessage.IsAmazons(message.SubscribeUrl, out var confirm) =>
                new FeedbackReading.Confirmation(confirm),
            // Somebody ended the subscription: known here, and nothing is done about it by itself.
            "UnsubscribeConfirmation" => new FeedbackReading.Events([]),
            _ => new FeedbackReading.Refused(403, $"a message of type {message.Type} means nothing here"),
        };
    }

    static bool Stands(SnsMessage message, X509Certificate2 certificate, DateTimeOffset now) =>
        now <= certificate.NotAfter.ToUniversalTime() && now >= certificate.NotBefore.ToUniversalTime() && message.IsSignedBy(certificate);
}
