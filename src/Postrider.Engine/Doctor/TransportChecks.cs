using System.Globalization;

namespace Postrider.Doctor;

/// <summary>The providers: that they can be reached, let us in, carry the mail that they are to carry, and report.</summary>
static class TransportChecks
{
    static readonly TimeSpan Soon = TimeSpan.FromDays(14);

    /// <summary>With fewer recipients silence or a share means nothing.</summary>
    const long Enough = 20;

    /// <summary>More than this part of a route's mail by those that stand by is no accident.</summary>
    const double MuchByStandbys = 0.2;

    public static readonly IReadOnlyList<Check> All =
    [
        Each("transports.unreachable", "Can every provider be reached?", static (transport, _, found) => transport.Unreachable is { } why
            ? found.Fault($"{transport.Key} cannot be reached: {why}.", "Look at host and port of its DSN, at firewall and DNS; "
                + $"postrider transports test {transport.Key} --to YOU tries it with a mail.")
            : null),
        Each("transports.refused", "Do they let us in?", static (transport, _, found) => transport.Refused is { } why
            ? found.Fault($"{transport.Key} does not let us in: {why}.",
                "Look at user and password of its DSN (percent-encoded), and whether the provider has suspended the account.")
            : null),
        Each("transports.certificate", "Do their certificates last?", static (transport, now, found) => transport.CertificateEnds is { } ends
            && ends - now < Soon
                ? found.Warning($"The certificate of {transport.Key} {(ends <= now ? "has expired" : "expires")} on {ConfigurationChecks.Day(ends)}.",
                    "Tell who runs that server: a transport with tls=starttls or tls=implicit stops then.")
                : null),
        Each("transports.state", "Does every transport work?", static (transport, _, found) => transport.Trouble is { } trouble
            ? found.Fault($"{transport.Key} {trouble}.", "postrider transports list shows its last errors; it is tried by itself, and goes on when "
                + "it answers.")
            : null),
        Each("transports.paused", "Is any transport paused?", static (transport, _, found) => transport.IsPaused
            ? found.Warning($"{transport.Key} is paused.", $"postrider transports resume {transport.Key}")
            : null),
        Each("transports.sandbox", "Is any account still in a sandbox?", static (transport, _, found) => transport.LastErrors.FirstOrDefault(IsSandbox)
            is { } said
                ? found.Fault($"{transport.Key} refuses mail as an account on trial does: {said}",
                    "Ask the provider to take the account out of its sandbox, or verify the recipients there.")
                : null),
        Check.Of("transports.twice", "Is each transport another way out?", static (facts, found) => facts.Twins.Select(twins =>
            found.Warning($"{twins.First} and {twins.Second} are the same account at the same server: when one fails, both do.",
                $"Lead {twins.Second} elsewhere, or take it out: rates and quotas, too, are counted for each name alone."))),
        Check.Of("transports.capture", "Does mail leave?", static (facts, found) => facts.Captures.Select(name =>
            found.Warning($"{name} keeps mail in the inbox: what goes by it is called sent, and reaches nobody.",
                "Take it out of POSTRIDER_TRANSPORTS; or say with POSTRIDER_ENVIRONMENT=Development that this is to try things out."))),
        Check.Of("callbacks.unreachable", "Can providers report to us?", static (facts, found) =>
            facts.Transports.Where(transport => transport.Reports).Select(transport => transport.Key).ToList() is { Count: > 0 } reporting
                && ConfigurationChecks.IsOfThisMachine(facts)
                ? [found.Warning(
                    $"{string.Join(", ", reporting)} can report bounces and complaints, and POSTRIDER_PUBLIC_URL names no address of the world.",
                    "Set POSTRIDER_PUBLIC_URL, and paste what postrider transports callbacks shows at the provider's.")]
                : []),
        Check.Of("callbacks.silent", "Do they report?", static (facts, found) => facts.Transports
            .Where(transport => transport.Reports && facts.Store is { } store && store.Taken.GetValueOrDefault(transport.Key) >= Enough
                && !store.Heard.Contains(transport.Key))
            .Select(transport => found.Warning(string.Create(CultureInfo.InvariantCulture,
                    $"{transport.Key} took mail for {facts.Store!.Taken[transport.Key]} recipients and has reported nothing: bounces stay unknown."),
                "Paste the address that postrider transports callbacks shows at the provider's, with the events delivered, bounced and complained."))),
        Check.Of("routes.down", "Has every route a way out?", static (facts, found) =>
            facts.Routes.Where(route => IsDown(facts, route)).Select(route => found.Fault(
                $"No transport of the route {route.Name} takes mail ({string.Join(", ", route.Transports)}): what goes by it waits.",
                "Mend one of them, or add another: postrider transports add NAME DSN, and name it in the route."))),
        Check.Of("routes.standby", "Does the mail go the way that was meant?", static (facts, found) =>
            facts.Routes.Where(route => route.Standbys.Count > 0).SelectMany(route => Standby(facts, route, found))),
    ];

    // Where an operator paused them all nothing is wrong but the pauses, which are told.
    static bool IsDown(Facts facts, RouteFact route)
    {
        var transports = route.Transports.Select(key => facts.Transports.FirstOrDefault(transport => transport.Key == key)).ToList();
        return transports.Count > 0 && transports.All(one => one is { IsPaused: true } || IsBroken(one)) && transports.Any(IsBroken);
    }

    static bool IsBroken(TransportFact? transport) =>
        transport is not null && (transport.Trouble ?? transport.Unreachable ?? transport.Refused) is not null;

    static IEnumerable<Finding> Standby(Facts facts, RouteFact route, Findings found)
    {
        long Taken(string transport) => facts.Store?.Taken.GetValueOrDefault(transport) ?? 0;
        var (first, others) = (Taken(route.Transports[0]), route.Standbys.Sum(Taken));
        if (first + others >= Enough && others > MuchByStandbys * (first + others))
            yield return found.Warning(string.Create(CultureInfo.InvariantCulture,
                    $"Of the last {first + others} recipients of {route.Name}, {others} went by {string.Join(", ", route.Standbys)}, not {route.Transports[0]}."),
                $"Find out why {route.Transports[0]} does not take them: postrider transports list.");
    }

    // SES: "Email address is not verified. The following identities failed the check in region …"; others name their sandbox.
    static bool IsSandbox(string error) => error.Contains("sandbox", StringComparison.OrdinalIgnoreCase)
        || error.Contains("identities failed the check", StringComparison.OrdinalIgnoreCase);

    static Check Each(string name, string question, Func<TransportFact, DateTimeOffset, Findings, Finding?> look) =>
        Check.Of(name, question, (facts, found) =>
            facts.Transports.Select(transport => look(transport, facts.Now, found)).OfType<Finding>());
}

/// <summary>What the DNS says of the domains that mail is sent from.</summary>
static class DnsChecks
{
    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("dns.silent", "Can the DNS be asked?", static (facts, found) => facts.Dns.FirstOrDefault(fact => fact.IsSilent) is { } silent
            ? [found.Warning($"{silent.Name}: {silent.Fault}", "Set POSTRIDER_DNS to servers that answer, such as 192.0.2.1:53.")]
            : []),
        Of("dns.dkim", "Are the keys published?", DnsLook.Dkim),
        Of("dns.spf", "Does SPF say who may send?", DnsLook.Spf),
        Of("dns.dmarc", "Is there a DMARC policy?", DnsLook.Dmarc),
        Of("dns.mx", "Do answers reach somebody?", DnsLook.Mx),
        Of("dns.bounces", "Do reports of failure reach us?", DnsLook.BounceMx, DnsLook.BounceSpf),
    ];

    // A signature that nobody can verify does harm; the rest is missing.
    static Check Of(string name, string question, params DnsLook[] kinds) => Check.Of(name, question, (facts, found) => facts.Dns
        .Where(fact => !fact.IsSilent && kinds.Contains(fact.Kind) && fact.Fault is not null)
        .Select(fact => fact.IsSigning
            ? found.Fault($"{fact.Name}: mail is signed with this key, and receivers cannot verify it.", fact.Fault!)
            : found.Warning($"{fact.Name} is not as it should be.", fact.Fault!)));
}
