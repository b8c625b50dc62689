using Microsoft.Extensions.Logging;
using Postrider.Providers;

namespace Postrider.Feedback;

/// <summary>Takes what was reported, once it is known to be genuine: finds out of what it is, and has it stored.</summary>
public sealed partial class FeedbackReceiver(
    IFeedbackStore store, TimeProvider clock, FeedbackMetrics metrics, ILogger<FeedbackReceiver> logger)
{
    /// <summary>Reports of one transaction: some milliseconds of the writer.</summary>
    const int PerTransaction = 64;

    /// <summary>Between two warnings of the quarantine: an account that others use as well may report to us as often as it
    /// sends.</summary>
    static readonly TimeSpan BetweenWarnings = TimeSpan.FromMinutes(1);

    readonly Lock _lock = new();

    // Guarded by _lock.
    long _quarantined; // since the last warning
    DateTimeOffset _warnedAt;

    /// <summary>Stored when it returns; then the reporter may be told so. Throws where the store is away: then it has to repeat.</summary>
    /// <param name="vendor">Whose word the events' keys are.</param>
    /// <param name="transport">The transport whose callback it is; null for reports by mail.</param>
    public async Task TakeAsync(string vendor, string? transport, IReadOnlyList<FeedbackEvent> events, CancellationToken ct)
    {
        foreach (var some in events.Chunk(PerTransaction))
        {
            var reports = new FeedbackReport[some.Length];
            for (var i = 0; i < some.Length; i++)
                reports[i] = await IdentifyAsync(
                    new FeedbackReport { Event = Bounded(some[i]), Vendor = vendor, Transport = transport }, ct);
            await ApplyAsync(reports, ct);
        }
    }

    /// <summary>The same for those whose message is known already.</summary>
    public async Task TakeAsync(IReadOnlyList<FeedbackReport> reports, CancellationToken ct)
    {
        foreach (var some in reports.Chunk(PerTransaction))
            await ApplyAsync([.. some.Select(report => report with { Event = Bounded(report.Event) })], ct);
    }

    /// <summary>Keeps a report that is not to be believed, for people to look at.</summary>
    public async Task QuarantineAsync(FeedbackReport report, QuarantineReason reason, CancellationToken ct)
    {
        await store.QuarantineAsync([report with { Event = Bounded(report.Event) }], reason, clock.GetUtcNow(), ct);
        metrics.Took(report, FeedbackResult.Quarantined);
        Warn(report);
    }

    /// <summary>Looks again at what came too early. Returns how many: call again while there are any.</summary>
    public async Task<int> RetryAsync(CancellationToken ct)
    {
        var waiting = await store.WaitingAsync(clock.GetUtcNow(), PerTransaction, ct);
        if (waiting.Count == 0)
            return 0;
        var reports = new FeedbackReport[waiting.Count];
        for (var i = 0; i < reports.Length; i++)
            reports[i] = await IdentifyAsync(waiting[i], ct);
        await ApplyAsync(reports, ct);
        return reports.Length;
    }

    async Task ApplyAsync(FeedbackReport[] reports, CancellationToken ct)
    {
        var results = await store.ApplyAsync(reports, clock.GetUtcNow(), ct);
        if (results.Contains(FeedbackResult.Contradicts))
            results = await LookUpAsync(reports, results, ct);
        for (var i = 0; i < results.Count; i++)
        {
            var report = reports[i];
            metrics.Took(report, results[i]);
            if (results[i] == FeedbackResult.Quarantined)
                Warn(report);
        }
    }

    /// <summary>Our id says one message, what the provider calls it another: whoever could write our id into a mail of his own would report
    /// on other people's. The provider's id is the provider's; where it leads nowhere, ours stands.</summary>
    async Task<IReadOnlyList<FeedbackResult>> LookUpAsync(
        FeedbackReport[] reports, IReadOnlyList<FeedbackResult> results, CancellationToken ct)
    {
        var places = Enumerable.Range(0, reports.Length).Where(i => results[i] == FeedbackResult.Contradicts).ToArray();
        foreach (var i in places)
        {
            var (transport, happened) = (reports[i].TransportName!, reports[i].Event);
            var owner = await store.FindAsync(reports[i].Owner, transport, happened.ProviderId!, happened.Address!, happened.At, ct);
            reports[i] = owner is null ? reports[i] : reports[i] with { Message = owner, N = null };
            reports[i] = reports[i] with { IsLookedUp = true };
        }
        var again = await store.ApplyAsync([.. places.Select(i => reports[i])], clock.GetUtcNow(), ct);
        var all = results.ToArray();
        for (var i = 0; i < places.Length; i++)
            all[places[i]] = again[i];
        return all;
    }

    async ValueTask<FeedbackReport> IdentifyAsync(FeedbackReport report, CancellationToken ct)
    {
        if (report.Message is not null)
            return report;
        if (report.Event.CarriedId is { } carried && CarriedId.TryParse(carried, out var message, out var n))
            return report with { Message = message, N = n };
        if (report is { TransportName: { } transport, Event: { ProviderId: { } id, Address: { } address } })
            return report with { Message = await store.FindAsync(report.Owner, transport, id, address, report.Event.At, ct) };
        return report;
    }

    /// <summary>What others wrote, in the length that is kept.</summary>
    static FeedbackEvent Bounded(FeedbackEvent e) => e with
    {
        Type = Cut(e.Type, 100)!,
        CarriedId = Cut(e.CarriedId, 100),
        ProviderId = Cut(e.ProviderId, 300),
        Address = Cut(e.Address, 400),
        Suppressed = Cut(e.Suppressed, 100),
        Url = Cut(e.Url, 2_000),
        UserAgent = Cut(e.UserAgent, 300),
        Ip = Cut(e.Ip, 60),
        Reply = e.Reply is { } reply ? reply with { Enhanced = Cut(reply.Enhanced, 20), Text = Cut(reply.Text, 1_000)! } : null,
    };

    static string? Cut(string? text, int most) =>
        text is null || text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];

    void Warn(FeedbackReport report)
    {
        long count;
        lock (_lock)
        {
            _quarantined++;
            var now = clock.GetUtcNow();
            if ((now - _warnedAt).Duration() < BetweenWarnings)
                return;
            (count, _quarantined, _warnedAt) = (_quarantined, 0, now);
        }
        LogQuarantined(count, report.Transport ?? report.Vendor);
    }

    [LoggerMessage(LogLevel.Warning, "{Count} reports were put in quarantine, the last from {Source}; GET /feedback/quarantine shows them")]
    partial void LogQuarantined(long count, string source);
}
