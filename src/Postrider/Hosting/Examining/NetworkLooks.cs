using System.Collections.Concurrent;
using System.Net.Sockets;
using Postrider.Doctor;
using Postrider.Mail.Dns;
using Postrider.Providers;
using Postrider.Routing;
using Postrider.Senders;

namespace Postrider.Hosting.Examining;

/// <summary>What providers and the DNS show when they are asked.</summary>
static class NetworkLooks
{
    /// <summary>More would take longer than somebody waits.</summary>
    const int MostDomains = 50;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Connects to all transports at once.</summary>
    /// <param name="look">Null: there is nothing to connect to.</param>
    public static async Task<IReadOnlyList<TransportFact>> ConnectAsync(
        IEnumerable<TransportFact> transports, Func<TransportFact, CancellationToken, ValueTask<ProviderLook?>> look, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        return await Task.WhenAll(transports.Select(async transport => await look(transport, patience.Token) is { } seen
            ? transport with { Unreachable = seen.Unreachable, Refused = seen.Refused, CertificateEnds = seen.CertificateEnds }
            : transport));
    }

    /// <summary>Asks for every sender domain that has a key or was verified.</summary>
    /// <param name="unseen">What was not asked for, and why.</param>
    public static async Task<IReadOnlyList<DnsFact>> AskAsync(
        IReadOnlyList<SenderDomain> domains, DnsResolver resolver, DomainChecker checker, ICollection<UnseenThing> unseen,
        CancellationToken ct)
    {
        if (domains.Count > MostDomains)
            unseen.Add(new UnseenThing("dns", $"there are {domains.Count} sender domains, and {MostDomains} were asked for"));
        var facts = new ConcurrentBag<DnsFact>();
        await Parallel.ForEachAsync(domains.Take(MostDomains), ct, async (domain, cancel) =>
        {
            foreach (var check in (await checker.CheckAsync(domain, cancel)).Items)
                facts.Add(Fact(domain, check));
            facts.Add(Mx(domain.Name, await resolver.AskAsync(domain.Name, DnsRecordType.Mx, cancel)));
        });
        return
        [
            .. facts.DistinctBy(fact => (fact.Kind, fact.Name))
                .OrderBy(fact => fact.Name, StringComparer.Ordinal).ThenBy(fact => fact.Kind),
        ];
    }

    static DnsFact Fact(SenderDomain domain, DnsCheck check)
    {
        var kind = check.Kind switch
        {
            DnsCheckKind.Dkim => DnsLook.Dkim,
            DnsCheckKind.Spf => DnsLook.Spf,
            DnsCheckKind.Dmarc => DnsLook.Dmarc,
            DnsCheckKind.BounceMx => DnsLook.BounceMx,
            DnsCheckKind.BounceSpf => DnsLook.BounceSpf,
        };
        var signs = domain.Signing is { } key && check.Name.StartsWith(key.Selector + ".", StringComparison.OrdinalIgnoreCase);
        return new DnsFact(kind, check.Name, check.State == DnsCheckState.Ok ? null : check.Detail, check.State == DnsCheckState.Unknown,
            kind == DnsLook.Dkim && signs);
    }

    static DnsFact Mx(string domain, DnsAnswer answer) => answer.Outcome switch
    {
        DnsOutcome.Found => new DnsFact(DnsLook.Mx, domain, null),
        DnsOutcome.Absent => new DnsFact(DnsLook.Mx, domain,
            "There is no MX record: answers to mail from this domain reach nobody, and some receivers refuse such mail. Publish one."),
        DnsOutcome.Failed => new DnsFact(DnsLook.Mx, domain, $"The DNS could not be asked: {answer.Reason}", IsSilent: true),
    };

    /// <summary>Collectors of traces and metrics that cannot be connected to.</summary>
    public static async Task<IReadOnlyList<(string Endpoint, string Why)>> DeafAsync(IEnumerable<Uri> collectors, CancellationToken ct)
    {
        var deaf = new List<(string, string)>();
        foreach (var collector in collectors.DistinctBy(collector => collector.Authority))
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
            patience.CancelAfter(CollectorPatience);
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(collector.Host, collector.Port, patience.Token);
            }
            catch (SocketException e)
            {
                deaf.Add((collector.GetLeftPart(UriPartial.Authority), e.Message.ToLowerInvariant()));
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                deaf.Add((collector.GetLeftPart(UriPartial.Authority), "no connection within 3 s"));
            }
        }
        return deaf;
    }

    static readonly TimeSpan CollectorPatience = TimeSpan.FromSeconds(3);

    public static IReadOnlyList<RouteFact> Of(RouteTable table) =>
    [
        .. table.Routes.Select(route => new RouteFact(route.Name, [.. route.Transports.Select(transport => transport.Key)],
            [.. route.Transports.Where(table.IsStandby).Select(transport => transport.Key)])),
    ];
}

/// <summary>What could not be looked at.</summary>
sealed record UnseenThing(string What, string Why);
