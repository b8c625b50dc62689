namespace Postrider.Doctor;

/// <summary>What the settings say, and what the world sees of them.</summary>
static class ConfigurationChecks
{
    static readonly TimeSpan Soon = TimeSpan.FromDays(14);

    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("configuration.faults", "Would a server start with these settings?", static (facts, found) =>
            facts.ConfigurationFaults.Select(fault => found.Fault(fault, "Mend the setting; postrider config check names all faults."))),
        Check.Of("configuration.warnings", "Is any setting dangerous?", static (facts, found) =>
            facts.ConfigurationWarnings.Select(warning => found.Warning(warning, "postrider config show tells where each setting is given."))),
        Check.Of("public-url.missing", "Do tracked links lead to us?", static (facts, found) => facts.Tracks && IsOfThisMachine(facts)
            ? [found.Fault("Opens and clicks are to be tracked, and POSTRIDER_PUBLIC_URL names no address of the world: nothing is tracked.",
                "Set POSTRIDER_PUBLIC_URL to how recipients reach this server, such as https://mail.example.com.")]
            : []),
        Check.Of("public-url.clear", "Is what the world sends us encrypted?", static (facts, found) =>
            facts.PublicUrl is { Scheme: "http", IsLoopback: false } url
                ? [found.Warning($"The world reaches us at {url}, in the clear: secrets of callbacks and links can be read on the way.",
                    "Put TLS in front and write POSTRIDER_PUBLIC_URL=https://…")]
                : []),
        Check.Of("telemetry.unreachable", "Does the collector take traces and metrics?", static (facts, found) =>
            facts.DeafCollectors.Select(collector => found.Warning(
                $"{collector.Endpoint}, where traces and metrics are to be sent, does not answer: {collector.Why}.",
                "Look at OTEL_EXPORTER_OTLP_ENDPOINT, and at the collector; mail goes on without it."))),
        Check.Of("certificate.ends", "Does our own certificate last?", static (facts, found) =>
            facts.Certificate is { } certificate && certificate.Ends - facts.Now < Soon
                ? [certificate.Ends <= facts.Now
                    ? found.Fault($"{certificate.Name} has expired on {Day(certificate.Ends)}.", "Renew it and start the server again.")
                    : found.Warning($"{certificate.Name} expires on {Day(certificate.Ends)}.", "Renew it and start the server again.")]
                : []),
    ];

    /// <summary>Whoever is elsewhere cannot come here.</summary>
    public static bool IsOfThisMachine(Facts facts) => facts.PublicUrl is null or { IsLoopback: true };

    public static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
}
