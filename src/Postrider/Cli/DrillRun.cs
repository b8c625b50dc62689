using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Cli;

/// <summary>What a drill is to be.</summary>
/// <param name="Share">Of the transport's tries that fail; above 0, at most 1.</param>
/// <param name="Before">How long mail is watched before, to compare with.</param>
/// <param name="Settle">How long the drill's mail is waited for afterwards.</param>
sealed record DrillPlan(double Share, TimeSpan During, TimeSpan Before, TimeSpan Settle);

/// <summary>How a drill came to its end.</summary>
enum DrillEnd
{
    /// <summary>It lasted as long as it was to.</summary>
    Complete,

    /// <summary>Somebody else ended it before its time.</summary>
    Early,

    /// <summary>Whoever watched was interrupted: its figures are partial.</summary>
    Interrupted,
}

/// <summary>What became of a drill.</summary>
/// <param name="Lasted">How long the transport was broken.</param>
sealed record DrillOutcome(DrillReport Report, DrillEnd End, TimeSpan Lasted)
{
    /// <summary>None of the transport's tries failed for it: whatever became of the mail, the drill had no part in it.</summary>
    public bool ShowsNothing => Report.Hit == 0;

    public int ExitCode => End == DrillEnd.Interrupted ? CommandFailure.Interrupted
        : Report.Lost + Report.Open + Report.Duplicated > 0 ? CommandFailure.Failed
        : End == DrillEnd.Early || ShowsNothing ? CommandFailure.NotYet : ExitCodes.Ok;
}

/// <summary>One drill: the mail is watched by the event feed before, during and after it.</summary>
/// <param name="say">How it goes.</param>
/// <param name="warn">What may spoil it.</param>
sealed class DrillRun(ServerClient server, string transport, DrillPlan plan, Action<string> say, Action<string> warn)
{
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan IsItOnEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly DrillBook _book = new(transport);
    string _place = "latest";
    DateTimeOffset _until;
    long _asked;            // before the server was asked to begin, so that it cannot have ended by itself before its time from here on
    long _began;
    long _askedWhetherOn;
    int _missed;            // times in a row

    string Path => PathOf(transport);

    public static string PathOf(string transport) => $"/transports/{Uri.EscapeDataString(transport)}/drill";

    /// <summary>Throws <see cref="OperationCanceledException"/> where it is interrupted before anything is broken.</summary>
    public async Task<DrillOutcome> RunAsync(CancellationToken ct)
    {
        await CheckAsync(ct);
        await LookAsync(ct);
        say($"Watching the mail for {Durations.Format(plan.Before)} first.");
        await WatchAsync(plan.Before, static _ => Task.FromResult(false), ct);
        await BeginAsync();
        var (end, lasted) = (DrillEnd.Interrupted, TimeSpan.Zero);
        try
        {
            (end, lasted) = await DuringAsync(ct);
            say(end == DrillEnd.Early ? $"{transport} is restored before its time." : $"{transport} is restored.");
            await WatchAsync(plan.Settle, _ => Task.FromResult(_book.Open == 0), ct);
        }
        catch (OperationCanceledException)
        {
            (end, lasted) = (DrillEnd.Interrupted, lasted == default ? TimeProvider.System.GetElapsedTime(_began) : lasted);
        }
        return new DrillOutcome(_book.Close(), end, lasted);
    }

    /// <summary>Asks what can be known before anybody waits; a server that is not there is not waited for either.</summary>
    async Task CheckAsync(CancellationToken ct)
    {
        var found = (await server.GetAsync($"/transports/{Uri.EscapeDataString(transport)}", ct)).As(ApiJson.Default.TransportAnswer);
        if (found.Drill is { } running)
            throw new CommandFailure(CommandFailure.Failed, $"a drill breaks {transport} already, since {Screen.Time(running.Since)} "
                + $"and until {Screen.Time(running.Until)}: wait for its end, or end it: postrider drill --transport {transport} --end");
        if (DrillChecks.WhyNothingGoesTo(found) is { } why)
            throw new CommandFailure(CommandFailure.NotYet, $"{transport} {why}: no mail goes to it, and a drill would show nothing");
        var routes = (await server.GetAsync("/routes", ct)).As(ApiJson.Default.RouteListAnswer).Data;
        if (DrillChecks.WhyLittleGoesTo(found, routes) is { } doubt)
            warn($"{transport} {doubt}: the drill may show nothing");
    }

    async Task BeginAsync()
    {
        _asked = TimeProvider.System.GetTimestamp();
        // Not to be interrupted: it would have begun, and nobody would know.
        var begun = (await server.PostAsync(Path,
            new JsonObject { ["fail"] = plan.Share, ["for"] = Durations.Format(plan.During) }.ToJsonString(), CancellationToken.None))
            .As(ApiJson.Default.DrillAnswer);
        (_book.Began, _until) = (begun.Since, begun.Until);
        _began = TimeProvider.System.GetTimestamp();
        say($"{transport} is broken inside Postrider until {Screen.Time(_until)}; interrupt to end it sooner.");
    }

    /// <summary>At its time it ends by itself, and nothing is asked: another one may have begun by then.</summary>
    async Task<(DrillEnd, TimeSpan)> DuringAsync(CancellationToken ct)
    {
        var isOver = false;
        try
        {
            await WatchAsync(plan.During, IsEndedEarlyAsync, ct);
            isOver = true;
        }
        finally
        {
            if (!isOver)
                await EndAsync();
            _book.Ended = _book.Began + TimeProvider.System.GetElapsedTime(_began); // by the server's clock, which may be another
        }
        return IsMissed ? (DrillEnd.Early, TimeProvider.System.GetElapsedTime(_began)) : (DrillEnd.Complete, plan.During);
    }

    // Once may be a node that has not heard of it yet.
    bool IsMissed => _missed >= 2;

    async Task<bool> IsEndedEarlyAsync(CancellationToken ct)
    {
        if (TimeProvider.System.GetElapsedTime(_askedWhetherOn) < IsItOnEvery)
            return IsMissed;
        var isOn = await IsOnAsync(AskAsync, ct);
        _askedWhetherOn = TimeProvider.System.GetTimestamp();
        // From its time on it has ended by itself.
        if (TimeProvider.System.GetElapsedTime(_asked) < plan.During)
            _missed = isOn ? 0 : _missed + 1;
        return IsMissed;
    }

    async Task<bool> IsOnAsync(Func<string, CancellationToken, Task<Answer>> ask, CancellationToken ct) =>
        (await ask($"/transports/{Uri.EscapeDataString(transport)}", ct)).As(ApiJson.Default.TransportAnswer).Drill?.Since == _book.Began;

    /// <summary>Before its time, and this one alone: it may have been ended, and another one begun.</summary>
    async Task EndAsync()
    {
        try
        {
            if (await IsOnAsync(server.GetAsync, CancellationToken.None))
                await server.DeleteAsync(Path, CancellationToken.None);
        }
        catch (CommandFailure failure)
        {
            warn($"the drill could not be ended ({failure.Message}); it ends by itself at {Screen.Time(_until)}");
        }
    }

    async Task WatchAsync(TimeSpan span, Func<CancellationToken, Task<bool>> isEnough, CancellationToken ct)
    {
        var began = TimeProvider.System.GetTimestamp();
        do
        {
            await LookAsync(ct);
            if (await isEnough(ct))
                return;
            await Task.Delay(LookAgain, TimeProvider.System, ct);
        }
        while (TimeProvider.System.GetElapsedTime(began) < span);
        await LookAsync(ct);
    }

    /// <summary>A server that is started again meanwhile is waited for: the drill goes on, and so does its mail.</summary>
    async Task<Answer> AskAsync(string path, CancellationToken ct)
    {
        for (var began = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                return await server.GetAsync(path, ct);
            }
            catch (CommandFailure away) when (away.ExitCode == ExitCodes.Unavailable
                && TimeProvider.System.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(LookAgain, TimeProvider.System, ct);
            }
        }
    }

    async Task LookAsync(CancellationToken ct)
    {
        for (var hasMore = true; hasMore;)
        {
            using var page = JsonDocument.Parse(
                (await AskAsync($"/events?limit=500&after={Uri.EscapeDataString(_place)}", ct)).Json);
            foreach (var happened in page.RootElement.GetProperty("data").EnumerateArray())
                _book.Take(happened);
            _place = page.RootElement.GetProperty("next").GetString()!;
            hasMore = page.RootElement.GetProperty("has_more").GetBoolean();
        }
    }
}

/// <summary>Whether a drill of a transport would show anything.</summary>
static class DrillChecks
{
    /// <summary>Behind the transport's name; null: mail goes there, as far as can be seen.</summary>
    public static string? WhyNothingGoesTo(TransportAnswer transport) => transport.State switch
    {
        "unusable" => $"cannot be used ({transport.Fault ?? "its settings have a fault"})",
        "paused" => $"is paused (postrider transports resume {transport.Name})",
        "stalled" => "is stalled, it does not answer",
        "open" => $"is down, its circuit is open{(transport.CircuitOpenUntil is { } until ? $" until {Screen.Time(until)}" : "")}",
        _ => transport.Routes.Count == 0 ? "is in no route of yours" : null,
    };

    /// <inheritdoc cref="WhyNothingGoesTo"/>
    /// <param name="routes">All that the caller has.</param>
    public static string? WhyLittleGoesTo(TransportAnswer transport, IReadOnlyList<RouteAnswer> routes)
    {
        var own = routes.Where(route => route.Transports.Contains(transport.Name)).ToList();
        return transport.State switch
        {
            "half_open" => "is only just coming back, its circuit is half-open",
            "throttled" => "is throttled by its provider",
            _ when own.Count > 0 && own.All(route => route.Strategy == RouteStrategy.Priority && route.Transports[0] != transport.Name) =>
                "is a standby, to which mail goes while "
                    + $"{string.Join(" or ", own.Select(route => route.Transports[0]).Distinct())} takes none",
            _ => null,
        };
    }
}
