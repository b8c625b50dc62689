using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/events</c>: what happened to the tenant's mail, to be fetched or watched.</summary>
static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder app)
    {
        app.MapGet("/events", ListAsync).For(Access.Read).WithMetadata(EventQuery.PullParameters)
            .Answers<EventListAnswer>(200)
            .Says("listEvents", "What happened, in the order in which it was stored. Ask again with after=next: nothing is left out, "
                + "nothing comes twice.", null, "invalid-cursor", "unknown-field", "invalid-field", "too-many-streams");
        app.MapGet("/events/stream", StreamAsync).For(Access.Read).WithMetadata(EventQuery.StreamParameters)
            .Answers<string>(200)
            .Says("streamEvents", "What happens from now on, as server-sent events; with Last-Event-ID or after from there on.", null,
                "invalid-cursor", "unknown-field", "invalid-field", "too-many-streams");
    }

    static async Task<Results<JsonHttpResult<EventListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IEventFeed feed, EventSeats seats, IHostApplicationLifetime lifetime, TimeProvider clock)
    {
        if (EventQuery.Read(context.Request.Query, EventQuery.PullParameters, out var problem) is not { } asked)
            return new ProblemResult(problem!);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        var (tenant, started) = (context.Caller.Tenant, clock.GetTimestamp());
        var place = asked.FromLatest ? await feed.LatestAsync(context.RequestAborted) : asked.After ?? EventCursor.Start;
        IDisposable? seat = null;
        try
        {
            while (true)
            {
                var page = await feed.ReadEventsAsync(tenant, place, asked.Filter, asked.Limit, context.RequestAborted);
                if (page.Events.Count > 0 || page.HasMore || clock.GetElapsedTime(started) >= asked.Wait || ends.IsCancellationRequested)
                    return ApiJson.Answer(new EventListAnswer(page.Events, page.HasMore, page.Next.ToString()));
                place = page.Next;
                seat ??= seats.Take(context.Caller.KeyId);
                if (seat is null)
                    return NoSeat;
                await EventStream.PauseAsync(clock, ends.Token);
            }
        }
        finally
        {
            seat?.Dispose();
        }
    }

    static readonly ProblemResult NoSeat = new(ProblemCatalog.Make("too-many-streams",
        $"This key has {EventSeats.PerKey} streams or waiting calls open, or the server {EventSeats.InAll}. "
        + "Close one first, or ask without wait."));

    static async Task<Results<EmptyHttpResult, ProblemResult>> StreamAsync(
        HttpContext context, IEventFeed feed, EventSeats seats, Authenticator authenticator, IHostApplicationLifetime lifetime,
        TimeProvider clock)
    {
        if (EventQuery.Read(context.Request.Query, EventQuery.StreamParameters, out var problem) is not { } asked)
            return new ProblemResult(problem!);
        var after = asked.After;
        // A client that reconnects by itself says where it was; that is later than where it once began.
        if (context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } last])
        {
            if (!EventCursor.TryParse(last, out var place))
                return new ProblemResult(ProblemCatalog.Make("invalid-cursor", "Last-Event-ID is not the id of an event of this stream."));
            after = place;
        }
        using var seat = seats.Take(context.Caller.KeyId);
        if (seat is null)
            return NoSeat;
        var from = after ?? await feed.LatestAsync(context.RequestAborted);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        await new EventStream(context, feed, authenticator, clock).RunAsync(from, asked.Filter, ends.Token);
        return TypedResults.Empty;
    }
}

/// <summary>One open live stream: server-sent events (WHATWG HTML §9.2), each with its place in the log as id.</summary>
sealed class EventStream(HttpContext context, IEventFeed feed, Authenticator authenticator, TimeProvider clock)
{
    // Proxies close what is silent for a minute, some for 30 s.
    static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>Between two looks at the log: what a listener waits at most, and how soon a revoked key's stream ends.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    const int PageSize = 100;

    public static async Task PauseAsync(TimeProvider clock, CancellationToken ct) =>
        await Task.Delay(Pause, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public async Task RunAsync(EventCursor from, EventFilter filter, CancellationToken ct)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no"; // nginx would collect it
        var place = from;
        var said = clock.GetTimestamp();
        await WriteAsync($"retry: 2000\n: connected\nid: {place}\n\n", ct);
        while (!ct.IsCancellationRequested && await IsStillAllowedAsync())
        {
            if (await ReadAsync(place, filter, ct) is not { } page)
                return;
            foreach (var happened in page.Events)
                await WriteAsync($"id: {happened.Cursor}\nevent: {happened.Type}\ndata: {Encoding.UTF8.GetString(happened.ToJson())}\n\n", ct);
            if (page.Events.Count > 0)
                said = clock.GetTimestamp();
            else if (clock.GetElapsedTime(said) >= Heartbeat)
            {
                // With the place: after a filter has passed over much, a reconnect does not look at it again.
                await WriteAsync($": \nid: {page.Next}\n\n", ct);
                said = clock.GetTimestamp();
            }
            place = page.Next;
            if (!page.HasMore)
                await PauseAsync(clock, ct);
        }
    }

    /// <summary>Null when the storage is away, or the client: it connects again and says where it was.</summary>
    async Task<EventPage?> ReadAsync(EventCursor place, EventFilter filter, CancellationToken ct)
    {
        try
        {
            return await feed.ReadEventsAsync(context.Caller.Tenant, place, filter, PageSize, ct);
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException or OperationCanceledException)
        {
            return null;
        }
    }

    async Task<bool> IsStillAllowedAsync() =>
        (await authenticator.AuthenticateAsync(context.BearerText)).Principal is { } principal && principal.Missing(Scopes.Read) is null;

    async Task WriteAsync(string text, CancellationToken ct)
    {
        try
        {
            await context.Response.WriteAsync(text, ct);
            await context.Response.Body.FlushAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // The client has gone, or the process stops: the loop sees it.
        }
    }
}

/// <summary>Counts open streams, and calls that wait, so that one key cannot take all connections.</summary>
sealed class EventSeats
{
    public const int PerKey = 10;
    public const int InAll = 1_000;

    readonly Lock _lock = new();
    readonly Dictionary<string, int> _taken = []; // guarded by _lock
    int _all;                                     // guarded by _lock

    /// <summary>Null when there is none left.</summary>
    public IDisposable? Take(string key)
    {
        lock (_lock)
        {
            var taken = _taken.GetValueOrDefault(key);
            if (taken >= PerKey || _all >= InAll)
                return null;
            _taken[key] = taken + 1;
            _all++;
            return new Seat(this, key);
        }
    }

    void Leave(string key)
    {
        lock (_lock)
        {
            _all--;
            if (--_taken[key] == 0)
                _taken.Remove(key);
        }
    }

    sealed class Seat(EventSeats seats, string key) : IDisposable
    {
        public void Dispose() => seats.Leave(key);
    }
}

/// <summary>Answer to <c>GET /events</c>.</summary>
/// <param name="Next">For <c>after=</c>, always: also where nothing has happened yet.</param>
sealed record EventListAnswer(IReadOnlyList<PublicEvent> Data, bool HasMore, string Next)
{
    [System.Text.Json.Serialization.JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}
