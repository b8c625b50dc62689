using System.Globalization;
using Microsoft.Extensions.Logging;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Alerts;

/// <summary>Tells those who run the installation. False: it did not reach them all; it is told again.</summary>
public delegate Task<bool> AlertTeller(Alert alert, CancellationToken ct);

/// <summary>Looks every 15 seconds whether all is well, and says so where it is not.</summary>
/// <remarks>
/// Each node reports what it sees itself: transports, its disk, what providers told it. What all nodes share is looked at by one in each
/// minute, whichever comes first. An alert is a row that any of them keeps alive: it is raised when it has been seen for a while, resolved
/// when no node has seen it for a while, and told by one node, or by another where that one dies over it. So there is no leader.
/// </remarks>
public sealed partial class AlertWatch(
    IAlertStore store, IQueueStore queue, Router router, FeedbackMetrics feedback, AlertOptions options, AlertPlace place, AlertTeller tell,
    TimeProvider clock, ILogger<AlertWatch> log)
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(15);
    static readonly TimeSpan TurnEvery = TimeSpan.FromMinutes(1);

    /// <summary>A node that tells has so long for it before another one does.</summary>
    static readonly TimeSpan TellWithin = TimeSpan.FromMinutes(2);

    /// <summary>With fewer recipients silence means nothing.</summary>
    const int EnoughSent = 100;

    /// <summary>Of the routes of one transport, in one sentence.</summary>
    const int RoutesNamed = 3;

    // Loop only.
    readonly Dictionary<string, long> _accepted = [];
    bool _isAway;

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
                await GuardedTickAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What is still to be told is told by another node, or after the start.
        }
    }

    async Task GuardedTickAsync(CancellationToken ct)
    {
        try
        {
            await TickAsync(ct);
            _isAway = false;
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            if (!_isAway)
                LogAway(e.Message);
            _isAway = true;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Watching must not end the mail, nor itself.
            LogFault(e);
        }
    }

    /// <summary>One look, with all that follows from it.</summary>
    internal async Task TickAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var findings = new List<Finding>();
        var news = FindHere(findings);
        if (news.Count > 0)
            await store.NoteAsync(news, now);
        if (await store.TakeTurnAsync(now, TurnEvery))
            await FindSharedAsync(findings, now, ct);
        if (findings.Count > 0 || (await store.ListAsync(ct)).Any(alert => alert.State != AlertState.Resolved || alert.IsToTell))
            await store.ReportAsync(findings, now, options.RaiseAfter, options.ResolveAfter);
        foreach (var alert in await store.LeaseToldAsync(now, now + TellWithin))
            await TellAsync(alert, ct);
    }

    /// <summary>What this node alone can see. Returns what is to be noted of transports.</summary>
    List<TransportNews> FindHere(List<Finding> findings)
    {
        if (place.FreeBytes() is { } free && free < options.DiskFreeBytes)
            findings.Add(new(AlertKind.DiskLow, place.Node, Invariant($"{free >> 20} MB of disk are free on {place.Node}")));
        FindRoutes(findings);
        var heard = feedback.TakeHeard();
        var news = new List<TransportNews>();
        foreach (var transport in router.Transports.Where(transport => transport.Options.Owner is null))
        {
            var status = transport.GetStatus();
            var accepted = status.Outcomes[OutcomeKind.Accepted];
            var sent = _accepted.TryGetValue(transport.Key, out var before) ? Math.Max(0, accepted - before) : accepted;
            _accepted[transport.Key] = accepted;
            if (status.Trouble is { } why)
                findings.Add(new(AlertKind.TransportDown, transport.Key, $"Transport {transport.Key} {why}{WhereMailGoes(transport)}"));
            if (sent > 0 && router.Table.IsStandby(transport))
                findings.Add(new(AlertKind.StandbyCarriesTraffic, transport.Key, $"The standby {transport.Key} carries mail"));
            var (told, delivered) = heard.GetValueOrDefault(transport.Key);
            if (sent > 0 || told)
                news.Add(new TransportNews(transport.Key, sent, told, delivered));
        }
        return news;
    }

    void FindRoutes(List<Finding> findings)
    {
        foreach (var route in router.Table.Routes.Where(route => route.IsDown))
            findings.Add(new(AlertKind.RouteDown, route.Name, $"Nothing can go out by route {route.Name}: none of its transports "
                + $"({string.Join(", ", route.Transports.Select(transport => transport.Name))}) takes mail, and its mail waits"));
    }

    /// <summary>What becomes of mail that a transport which is down would take, route by route.</summary>
    string WhereMailGoes(Transport transport) => string.Concat(router.Table.Routes.Where(route => route.Transports.Contains(transport))
        .Take(RoutesNamed).Select(route => route.Transports.FirstOrDefault(other => other.GetStatus().TakesMail) is { } other
            ? $"; mail of route {route.Name} goes by {other.Name}"
            : $"; mail of route {route.Name} waits, as none of its transports takes any"));

    async Task FindSharedAsync(List<Finding> findings, DateTimeOffset now, CancellationToken ct)
    {
        var oldest = (await queue.DueKeysAsync(ct))
            .Where(due => !router.Pauses.Covers(due.Key.Tenant, due.Key.Stream, due.Key.Route))
            .GroupBy(due => due.Key.Stream).Select(stream => (Stream: stream.Key, Age: now - stream.Min(due => due.DueAt)));
        foreach (var (stream, age) in oldest)
        {
            if (age > (stream == MailStream.Transactional ? options.OldestDue : options.OldestDueBulk))
                findings.Add(new(AlertKind.OldestDueTooOld, stream.ToString().ToLowerInvariant(),
                    $"The oldest {stream.ToString().ToLowerInvariant()} mail has been due for {Durations.Format(Whole(age))}"));
        }
        var letters = await store.CountDeadLettersAsync(now - TimeSpan.FromHours(1), ct);
        if (letters > options.DeadLettersPerHour)
            findings.Add(new(AlertKind.DeadLettersGrowing, "", Invariant($"{letters} recipients became dead letters within an hour")));
        foreach (var silence in await store.SilencesAsync(ct))
        {
            var age = now - silence.Since;
            if (silence.Sent < EnoughSent || age <= (silence.OfDelivered ? options.NothingDelivered : options.CallbacksSilent)
                || router.FindTransport(silence.Transport) is null)
                continue;
            findings.Add(silence.OfDelivered
                ? new(AlertKind.SentWithoutDelivered, silence.Transport, Invariant(
                    $"{silence.Transport} took mail for {silence.Sent} recipients and has told of no delivery for {Durations.Format(Whole(age))}"))
                : new(AlertKind.CallbacksSilent, silence.Transport, Invariant(
                    $"{silence.Transport} took mail for {silence.Sent} recipients and has reported nothing for {Durations.Format(Whole(age))}")));
        }
    }

    async Task TellAsync(Alert alert, CancellationToken ct)
    {
        if (alert.State == AlertState.Raised)
            LogRaised(alert.Kind, alert.Words, alert.Remedy);
        else
            LogResolved(alert.Kind, alert.Words);
        if (await tell(alert, ct))
            await store.ToldAsync(alert);
    }

    static TimeSpan Whole(TimeSpan age) => TimeSpan.FromMinutes((long)age.TotalMinutes);

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [LoggerMessage(LogLevel.Error, "Alert {Kind}: {Words}. {Remedy}")]
    partial void LogRaised(AlertKind kind, string words, string remedy);

    [LoggerMessage(LogLevel.Warning, "Alert {Kind} is over: {Words}")]
    partial void LogResolved(AlertKind kind, string words);

    [LoggerMessage(LogLevel.Warning, "Nobody watches while the store is away: {Reason}")]
    partial void LogAway(string reason);

    [LoggerMessage(LogLevel.Error, "A fault in watching")]
    partial void LogFault(Exception fault);
}

/// <summary>Where this node runs.</summary>
/// <param name="FreeBytes">Of the disk; null: it cannot be asked.</param>
public sealed record AlertPlace(string Node, Func<long?> FreeBytes);
