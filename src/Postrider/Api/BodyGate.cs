using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace Postrider.Api;

/// <summary>Marks calls that read a body of any type, which OpenAPI has no shape of.</summary>
sealed class AnyBody
{
    public static readonly AnyBody Instance = new();
}

/// <summary>Refuses a body that says something where a call reads none: what it asks for would not be done.</summary>
sealed class BodyGate(RequestDelegate next, JsonBody bodies)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true }
            || context.GetEndpoint() is not RouteEndpoint { Metadata: var about } || MayTakeOne(about))
            return next(context);
        return CheckAsync(context, [.. about.GetOrderedMetadata<DocumentedParameters>().SelectMany(p => p.All).Select(p => p.Name)]);
    }

    async Task CheckAsync(HttpContext context, IReadOnlyList<string> parameters) =>
        await (await bodies.ReadNothingAsync(context, parameters) is { } problem
            ? ProblemWriter.WriteAsync(context, problem) : next(context));

    // Whoever adds parameters as they like is not asked about bodies either.
    static bool MayTakeOne(EndpointMetadataCollection about) => about.GetMetadata<IAcceptsMetadata>() is not null
        || about.GetMetadata<AnyBody>() is not null || about.GetMetadata<AnyParameters>() is not null;
}
