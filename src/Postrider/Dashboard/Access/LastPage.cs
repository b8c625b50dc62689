using System.Net.Mime;
using Postrider.Messages;

namespace Postrider.Dashboard.Access;

/// <summary>What a person sees where nothing else could be shown: in plain words, never with our insides.</summary>
sealed partial class LastPage(RequestDelegate next, ILogger<LastPage> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be told.
            return;
        }
        catch (Exception fault) when (!context.Response.HasStarted)
        {
            var (status, text) = Explain(context, fault);
            await WriteAsync(context, status, text);
            return;
        }
        if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null, ContentType: null })
            await WriteAsync(context, context.Response.StatusCode, context.Response.StatusCode == StatusCodes.Status404NotFound
                ? "There is nothing here." : "This request makes no sense to the dashboard.");
    }

    (int Status, string Text) Explain(HttpContext context, Exception fault)
    {
        switch (fault)
        {
            case StoreUnavailableException or TimeoutException:
                return (StatusCodes.Status503ServiceUnavailable,
                    "The database cannot be reached at the moment, so nothing can be shown. Mail that was accepted is safe. Load the page again in a minute.");
            case StorageLowException:
                return (StatusCodes.Status503ServiceUnavailable, "The disk is nearly full, so nothing new is written. Free some space and load the page again.");
            case BadHttpRequestException bad:
                return (bad.StatusCode, "The request could not be read. Go back, load the page again, and try once more.");
            default:
                LogFault(fault, context.TraceIdentifier, context.Request.Method, context.Request.Path);
                return (StatusCodes.Status500InternalServerError, $"A fault of the server. It has been logged under {context.TraceIdentifier}.");
        }
    }

    static Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = $"{MediaTypeNames.Text.Plain}; charset=utf-8";
        return context.Response.WriteAsync(text + "\n");
    }

    [LoggerMessage(1, LogLevel.Error, "Dashboard request {TraceId} failed: {Method} {Path}")]
    partial void LogFault(Exception fault, string traceId, string method, string path);
}
