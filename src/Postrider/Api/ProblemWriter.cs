using System.Globalization;
using System.Text.Json;
using Postrider.Api.Dialects;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>Writes problems as RFC 9457 has them; under <c>/emails</c> with the members that Resend's SDKs read as well; to calls in a
/// vendor's dialect, as that vendor does.</summary>
static class ProblemWriter
{
    public static async Task WriteAsync(HttpContext context, Problem problem)
    {
        RequestEndpoints.Note(context, problem);
        if (context.Features.Get<DialectCall>() is { } call)
        {
            await call.Dialect.Refuse(problem).WriteAsync(context);
            return;
        }
        var response = context.Response;
        response.StatusCode = problem.Status;
        response.ContentType = "application/problem+json";
        if (problem.RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        else if (problem.Status == StatusCodes.Status503ServiceUnavailable)
            response.Headers.RetryAfter = "5";
        if (problem.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        var body = ApiJson.Write(writer => Write(
            writer, problem, forResend: context.Request.Path.StartsWithSegments("/emails"),
            traceId: problem.Status == 500 ? context.TraceIdentifier : null));
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    public static void Write(Utf8JsonWriter writer, Problem problem, bool forResend, string? traceId = null)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, $"/problems/{problem.Slug}");
        writer.WriteString("title"u8, problem.Title);
        writer.WriteNumber("status"u8, problem.Status);
        writer.WriteString("detail"u8, problem.Detail);
        if (problem.Errors.Count > 0)
        {
            writer.WriteStartArray("errors"u8);
            foreach (var error in problem.Errors)
            {
                writer.WriteStartObject();
                writer.WriteString("pointer"u8, error.Pointer);
                writer.WriteString("slug"u8, error.Slug);
                writer.WriteString("detail"u8, error.Detail);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
        if (traceId is not null)
            writer.WriteString("trace_id"u8, traceId);
        if (forResend)
        {
            writer.WriteNumber("statusCode"u8, problem.Status);
            writer.WriteString("name"u8, ProblemCatalog.Find(problem.Slug)?.ResendName ?? "application_error");
            writer.WriteString("message"u8, problem.Detail);
        }
        writer.WriteEndObject();
    }
}

/// <summary>A refusal as the result of an endpoint.</summary>
sealed class ProblemResult(Problem problem) : IResult
{
    /// <summary>There is no such thing, or it is another tenant's.</summary>
    public static ProblemResult Absent { get; } = new(ProblemCatalog.Make("not-found", "There is nothing here."));

    public Task ExecuteAsync(HttpContext httpContext) => ProblemWriter.WriteAsync(httpContext, problem);
}
