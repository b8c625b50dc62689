using Postrider.Api.Callbacks;
using Postrider.Routing;

namespace Postrider.Api;

/// <summary>Transports as people see them, with what all nodes have used of their quotas.</summary>
sealed class TransportShapes(CallbackAddresses callbacks, IQuotaStore quotas, TimeProvider clock)
{
    public async Task<IReadOnlyList<TransportAnswer>> OfAsync(IReadOnlyList<Transport> transports, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        List<QuotaAsk> asks = [.. transports.SelectMany(transport =>
            transport.Options.Quotas.Select(quota => new QuotaAsk(transport.Name, quota, quota.StartOf(now), 0)))];
        var used = asks.Count == 0 ? [] : await quotas.UsedAsync(asks, ct);
        var answers = asks.Zip(used).ToLookup(
            one => one.First.Scope,
            one => new QuotaAnswer(one.First.Quota.Count, one.First.Quota.Span, one.Second, one.First.Quota.EndOf(now)));
        return [.. transports.Select(transport => Shape(transport, [.. answers[transport.Name]]))];
    }

    TransportAnswer Shape(Transport transport, IReadOnlyList<QuotaAnswer> quotas)
    {
        var status = transport.GetStatus();
        return new TransportAnswer
        {
            Name = status.Name,
            Scheme = status.Scheme,
            State = State(status),
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
            CallbackUrl = callbacks.UrlOf(status.Name),
        };
    }

    static string State(TransportStatus status) => status switch
    {
        { Paused: true } => "paused",
        { Stalled: true } => "stalled",
        { Circuit: CircuitPosition.Open } => "open",
        { Circuit: CircuitPosition.HalfOpen } => "half_open",
        { ThrottledUntil: not null } => "throttled",
        _ => "ok",
    };
}
