using Microsoft.AspNetCore.Connections;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>Turns what nobody else answered into a problem: unknown addresses, wrong methods, broken requests, lost storage, and
/// bugs.</summary>
sealed partial class LastResort(RequestDelegate next, ILogger<LastResort> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception e) when (IsGone(context, e))
        {
            // Nobody to answer, and nothing of ours went wrong. The connection must not be read on: it stands in the middle of a body.
            context.Abort();
            return;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            // What is left of a broken request cannot be told from the next one.
            if (e is BadHttpRequestException && context.Request.Protocol == HttpProtocol.Http11)
                context.Response.Headers.Connection = "close";
            await ProblemWriter.WriteAsync(context, Explain(context, e));
            return;
        }
        // Its target is no path, so routing knows no address for it.
        if (HttpMethods.IsConnect(context.Request.Method) && !context.Response.HasStarted)
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        if (!context.Response.HasStarted && context.Response is { ContentLength: null, ContentType: null }
            && Explain(context.Response.StatusCode) is { } problem)
            await ProblemWriter.WriteAsync(context, problem);
    }

    static bool IsGone(HttpContext context, Exception e) =>
        e is ConnectionResetException or ConnectionAbortedException
        || (e is BadHttpRequestException or OperationCanceledException && context.RequestAborted.IsCancellationRequested);

    Problem Explain(HttpContext context, Exception e)
    {
        switch (e)
        {
            case BadHttpRequestException bad:
                return Explain(bad.StatusCode) ?? ProblemCatalog.Make("bad-request", "The request could not be read.");
            case StoreUnavailableException { MayHaveCommitted: true }:
                return SubmissionProblems.CommitUnknown;
            case StoreUnavailableException:
            case TimeoutException: // a read that was cut because it took too long
                return SubmissionProblems.StorageUnavailable;
            case StorageLowException:
                return SubmissionProblems.StorageLow;
            default:
                LogFault(e, context.TraceIdentifier, context.Request.Method, context.GetEndpoint()?.DisplayName);
                return ProblemCatalog.Make("internal-error", "A fault of the server. It has been logged under the trace id.");
        }
    }

    static Problem? Explain(int status) => status switch
    {
        StatusCodes.Status400BadRequest => ProblemCatalog.Make("bad-request", "The request could not be read."),
        StatusCodes.Status404NotFound => ProblemCatalog.Make("not-found", "There is nothing here. GET / says where to read on."),
        StatusCodes.Status405MethodNotAllowed => ProblemCatalog.Make("method-not-allowed", "This address has no such method."),
        StatusCodes.Status408RequestTimeout => ProblemCatalog.Make("request-timeout", "The body came too slowly."),
        StatusCodes.Status413PayloadTooLarge => ProblemCatalog.Make("too-large", "The body is larger than this call takes."),
        StatusCodes.Status415UnsupportedMediaType =>
            ProblemCatalog.Make("unsupported-media-type", "The body must be application/json in UTF-8."),
        _ => null,
    };

    [LoggerMessage(1, LogLevel.Error, "Request {TraceId} failed: {Method} {Endpoint}")]
    partial void LogFault(Exception fault, string traceId, string method, string? endpoint);
}
