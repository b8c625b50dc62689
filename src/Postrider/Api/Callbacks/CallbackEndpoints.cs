using Postrider.Feedback;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Postrider.Routing;

namespace Postrider.Api.Callbacks;

/// <summary>Takes the callbacks of providers: verified over the bytes as they came, stored, and only then answered.</summary>
sealed partial class CallbackEndpoints(
    CallbackAddresses addresses, IEnumerable<IFeedbackReader> readers, FeedbackReceiver receiver, MailReportReceiver reports,
    Router router, SnsCertificates amazon, JsonBody bodies, FeedbackMetrics metrics, TimeProvider clock, ILogger<CallbackEndpoints> logger)
{
    /// <summary>The largest batches that a provider sends are some hundred KB.</summary>
    const long MaxBytes = 1_000_000;

    readonly Dictionary<string, IFeedbackReader> _readers = readers.ToDictionary(reader => reader.Vendor, StringComparer.Ordinal);

    public async Task<IResult> TakeAsync(string vendor, string secret, HttpContext context)
    {
        if (vendor == CallbackAddresses.Dsn && addresses.IsDsn(secret))
            return await TakeReportAsync(context);
        if (addresses.Find(vendor, secret) is not { } transport)
            return ProblemResult.Absent;
        var call = InboundCalls.Of(context, context.Request.Path.Value ?? "");
        return await bodies.ReadBytesAsync(
            context, body => TakeAsync(vendor, transport, call with { Body = body }), problem => new ProblemResult(problem), MaxBytes);
    }

    async Task<IResult> TakeAsync(string vendor, TransportSettings transport, InboundCall call)
    {
        // Not cut when the provider hangs up: what is read may as well be stored.
        var reading = await _readers[vendor].ReadAsync(call, transport, clock.GetUtcNow(), CancellationToken.None);
        switch (reading)
        {
            case FeedbackReading.Events events:
                if (events.Unreadable > 0)
                    LogUnreadable(transport.Name, events.Unreadable);
                await receiver.TakeAsync(vendor, transport.Key, events.Items, CancellationToken.None);
                router.FindTransport(transport.Key)?.HearBack();
                return Answered(StatusCodes.Status200OK);
            case FeedbackReading.Confirmation { Url: var url }:
                return Answered(await ConfirmAsync(transport, url));
            case FeedbackReading.Refused { Status: var status, Why: var why }:
                metrics.Refused(vendor, status);
                LogRefused(transport.Name, status, why);
                return Answered(status);
            default:
                throw new InvalidOperationException($"The callbacks of {vendor} were read as something unheard of.");
        }
    }

    /// <summary>A bounce or a complaint as it came by mail: the whole message, as it is.</summary>
    public async Task<IResult> TakeReportAsync(HttpContext context)
    {
        if (!reports.IsOn)
            return new ProblemResult(ProblemCatalog.Make("not-found", "No mail comes to us: POSTRIDER_BOUNCE_DOMAIN is not set."));
        EmailAddress? to = null;
        if (context.Request.Query["to"] is [var given] && !EmailAddress.TryParse(given, out to, out _))
            return new ProblemResult(ProblemCatalog.Make("not-found", "Nothing is taken for this address."));
        return await bodies.ReadBytesAsync<IResult>(
            context, async message => await reports.TakeAsync(to, message, CancellationToken.None)
                ? Answered(StatusCodes.Status200OK)
                : new ProblemResult(ProblemCatalog.Make("not-found", "The message is for no return path of ours.")),
            problem => new ProblemResult(problem));
    }

    /// <summary>Only where the operator asked for it: anybody can have a topic of Amazon's ask us.</summary>
    async Task<int> ConfirmAsync(TransportSettings transport, Uri url)
    {
        if (!SesProviderFactory.ConfirmsTopics(transport))
        {
            LogUnconfirmed(transport.Name);
            return StatusCodes.Status200OK;
        }
        var isDone = await amazon.VisitAsync(url, CancellationToken.None);
        LogConfirmed(transport.Name, isDone ? "confirmed" : "not confirmed: Amazon did not answer as expected");
        return isDone ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
    }

    // Nothing in the body: who does not know the key learns nothing, and no provider reads it.
    static EmptyAnswer Answered(int status) => new(status);

    /// <summary>A status alone.</summary>
    sealed class EmptyAnswer(int status) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = status;
            httpContext.Response.ContentLength = 0;
            return Task.CompletedTask;
        }
    }

    [LoggerMessage(LogLevel.Warning, "A callback of {Transport} was refused ({Status}): {Why}")]
    partial void LogRefused(string transport, int status, string why);

    [LoggerMessage(LogLevel.Warning, "A callback of {Transport} had {Count} entries that could not be read")]
    partial void LogUnreadable(string transport, int count);

    [LoggerMessage(LogLevel.Warning, "{Transport}: its topic asks to be confirmed. Nothing was done; to have it confirmed, set "
        + "confirm=true on the transport and ask Amazon to send the request again")]
    partial void LogUnconfirmed(string transport);

    [LoggerMessage(LogLevel.Information, "{Transport}: its topic was {Result}")]
    partial void LogConfirmed(string transport, string result);
}

/// <summary>Where callbacks are mounted.</summary>
static class CallbackRoutes
{
    public static void AddCallbacks(this IServiceCollection services)
    {
        services.AddSingleton<CallbackAddresses>();
        services.AddSingleton<CallbackEndpoints>();
    }

    public static void MapCallbacks(this IEndpointRouteBuilder app)
    {
        app.MapPost("/callbacks/{vendor}/{secret}", (string vendor, string secret, CallbackEndpoints callbacks, HttpContext context) =>
            callbacks.TakeAsync(vendor, secret, context))
            .For(Access.Open).TakingAnyParameters().AnswersPlain(200, null, "It is stored.")
            .Says("takeCallback",
                "For providers: what became of mail. GET /transports shows each transport's address. 200 after it is stored; what is not "
                + "genuine is answered 401 or 403.", null, "not-found", "too-large", "storage-unavailable");
        // Mail servers hand a message over with a key as well.
        app.MapPost("/callbacks/dsn", (CallbackEndpoints callbacks, HttpContext context) => callbacks.TakeReportAsync(context))
            .For(Access.Manage).WithMetadata(AnyBody.Instance).AnswersPlain(200, null, "It is stored.")
            .WithMetadata(new DocumentedParameters([new("to", "RCPT TO. Default: as the header says.")]))
            .Says("takeReport", "A bounce (RFC 3464) or complaint (RFC 5965) that came by mail to a return path of ours: the raw message.",
                null, "not-found", "too-large");
    }
}
