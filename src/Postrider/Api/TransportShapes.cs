using Postrider.Api.Callbacks;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Api;

/// <summary>Transports as people see them: how they are doing on every node, with what all nodes have used of their quotas.</summary>
sealed class TransportShapes(
    CallbackAddresses callbacks, TransportBook book, IQuotaStore quotas, ITransportReports reports, Router router, Drills drills,
    TimeProvider clock)
{
    const int ShownErrors = 10;

    /// <summary>Of a transport that is not the caller's to change its state is shown, and nothing that was said of anybody's
    /// mail.</summary>
    public async Task<IReadOnlyList<TransportAnswer>> OfAsync(
        Principal caller, IReadOnlyList<Transport> transports, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        List<QuotaAsk> asks = [.. transports.SelectMany(transport =>
            transport.Options.Quotas.Select(quota => new QuotaAsk($"transport {transport.Key}", quota, quota.StartOf(now), 0)))];
        var used = asks.Count == 0 ? [] : await quotas.UsedAsync(asks, ct);
        var answers = asks.Zip(used).ToLookup(
            one => one.First.Scope,
            one => new QuotaAnswer(one.First.Quota.Count, one.First.Quota.Span, one.Second, one.First.Quota.EndOf(now)));
        var others = (await reports.ReadAsync([.. transports.Select(transport => transport.Key)], ct)).ToLookup(report => report.Transport);
        return
        [
            .. transports.Select(transport =>
                Shape(caller, transport, [.. others[transport.Key]], [.. answers[$"transport {transport.Key}"]])),
        ];
    }

    TransportAnswer Shape(
        Principal caller, Transport transport, IReadOnlyList<NodeReport> others, IReadOnlyList<QuotaAnswer> quotas)
    {
        var status = transport.GetStatus();
        List<NodeReport> nodes =
            [new(transport.Key, reports.Node, IsAlive: true, clock.GetUtcNow(), TransportReport.Of(status)), .. others];
        var isOwn = transport.Options.Owner is null ? RoutingChanges.MayNotRun(caller) is null : caller.May(Scopes.Manage);
        var dsn = book.DsnOf(transport);
        var isStalled = nodes.Exists(node => node is { IsAlive: true, Report.Stalled: true });
        var routes = router.Of(caller.Tenant).Routes.Where(route => route.Transports.Contains(transport));
        var whole = Whole(transport, status with { Stalled = isStalled }, nodes) with
        {
            Shared = transport.Options.Owner is null,
            Source = dsn is null ? "configuration" : "database",
            Dsn = dsn,
            Quotas = quotas,
            Routes = [.. routes.Select(route => route.Name).Order(StringComparer.Ordinal)],
        };
        return isOwn ? whole : whole with
        {
            Dsn = null,
            Fault = null,
            InFlight = 0,
            Quotas = [],
            Tries = 0,
            Outcomes = new Dictionary<string, long>(),
            LastErrors = [],
            Latency = null,
            LastCallbackAt = null,
            Nodes = [],
            RefusedSenderDomains = new Dictionary<string, DateTimeOffset>(),
            CallbackUrl = null,
        };
    }

    TransportAnswer Whole(Transport transport, TransportStatus status, IReadOnlyList<NodeReport> nodes) =>
        new()
        {
            Name = status.Name,
            Scheme = status.Scheme,
            Shared = true,
            Source = "",
            Dsn = null,
            State = ApiJson.Word(status.State),
            Fault = status.Fault,
            Paused = status.Paused,
            Stalled = status.Stalled,
            Circuit = status.Circuit,
            CircuitOpenUntil = status.CircuitOpenUntil,
            ThrottledUntil = status.ThrottledUntil,
            Drill = drills.Of(transport.Key, clock.GetUtcNow()) is { } drill ? DrillAnswer.Of(status.Name, drill) : null,
            InFlight = nodes.Sum(InFlight),
            Concurrency = status.Concurrency,
            Rate = status.Rate is { } rate ? new RateAnswer(rate.Count, rate.Per.TotalSeconds, rate.Burst) : null,
            Quotas = [],
            Tries = nodes.Sum(node => node.Report.Tries),
            Outcomes = Enum.GetValues<OutcomeKind>().ToDictionary(
                kind => ApiJson.Word(kind), kind => nodes.Sum(node => node.Report.Outcomes.GetValueOrDefault(kind))),
            Latency = Latency(nodes.Where(node => node.IsAlive).Select(node => node.Report.Times).MaxBy(times => times?.Slow)),
            LastCallbackAt = nodes.Max(node => node.Report.HeardAt),
            LastErrors =
            [
                .. nodes.SelectMany(node => node.Report.Errors.Select(error => new TransportErrorAnswer(
                    error.At, node.Node, error.Kind, error.Code == 0 ? null : error.Code, error.Enhanced, error.Text)))
                    .OrderByDescending(error => error.At).Take(ShownErrors),
            ],
            Nodes =
            [
                .. nodes.Select(node => new TransportNodeAnswer(
                    node.Node, node.IsAlive, node.At, InFlight(node), node.Report.Stalled, node.Report.Circuit, node.Report.Fault,
                    node.Report.Tries, node.Report.Outcomes.ToDictionary(outcome => ApiJson.Word(outcome.Key), outcome => outcome.Value),
                    Latency(node.Report.Times))),
            ],
            Routes = [],
            RefusedSenderDomains = status.RefusedSenderDomains,
            CallbackUrl = callbacks.UrlOf(transport.Key),
        };

    static LatencyAnswer? Latency(TryTimes? times) => times is { } took
        ? new LatencyAnswer(Math.Round(took.Median.TotalMilliseconds, 1), Math.Round(took.Slow.TotalMilliseconds, 1)) : null;

    static int InFlight(NodeReport node) => node.IsAlive ? node.Report.InFlight : 0;
}
