using Postrider.Api.Callbacks;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Api;

/// <summary>Transports as people see them, with what all nodes have used of their quotas.</summary>
sealed class TransportShapes(CallbackAddresses callbacks, TransportBook book, IQuotaStore quotas, TimeProvider clock)
{
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
        return [.. transports.Select(transport => Shape(caller, transport, [.. answers[$"transport {transport.Key}"]]))];
    }

    TransportAnswer Shape(Principal caller, Transport transport, IReadOnlyList<QuotaAnswer> quotas)
    {
        var status = transport.GetStatus();
        var isOwn = transport.Options.Owner is null ? TransportEndpoints.MayNotRun(caller) is null : caller.May(Scopes.Manage);
        var dsn = book.DsnOf(transport);
        var whole = Whole(transport, status, quotas) with
        {
            Shared = transport.Options.Owner is null,
            Source = dsn is null ? "configuration" : "database",
            Dsn = dsn,
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
            RefusedSenderDomains = new Dictionary<string, DateTimeOffset>(),
            CallbackUrl = null,
        };
    }

    TransportAnswer Whole(Transport transport, TransportStatus status, IReadOnlyList<QuotaAnswer> quotas) =>
        new()
        {
            Name = status.Name,
            Scheme = status.Scheme,
            Shared = true,
            Source = "",
            Dsn = null,
            State = State(status),
            Fault = status.Fault,
            Paused = status.Paused,
            Stalled = status.Stalled,
            Circuit = status.Circuit,
            CircuitOpenUntil = status.CircuitOpenUntil,
            ThrottledUntil = status.ThrottledUntil,
            InFlight = status.InFlight,
            Concurrency = status.Concurrency,
            Rate = status.Rate is { } rate ? new RateAnswer(rate.Count, rate.Per.TotalSeconds, rate.Burst) : null,
            Quotas = quotas,
            Tries = status.Tries,
            Outcomes = status.Outcomes.ToDictionary(o => ApiJson.Word(o.Key), o => o.Value),
            LastErrors = [.. status.LastErrors.Select(
                e => new TransportErrorAnswer(e.At, e.Kind, e.Reply.Code == 0 ? null : e.Reply.Code, e.Reply.Enhanced, e.Reply.Text))],
            RefusedSenderDomains = status.RefusedSenderDomains,
            CallbackUrl = callbacks.UrlOf(transport.Key),
        };

    static string State(TransportStatus status) => status switch
    {
        { Fault: not null } => "unusable",
        { Paused: true } => "paused",
        { Stalled: true } => "stalled",
        { Circuit: CircuitPosition.Open } => "open",
        { Circuit: CircuitPosition.HalfOpen } => "half_open",
        { ThrottledUntil: not null } => "throttled",
        _ => "ok",
    };
}
