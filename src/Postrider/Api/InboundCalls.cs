using Microsoft.AspNetCore.Http.Features;
using Postrider.Providers;

namespace Postrider.Api;

/// <summary>Requests as those read them who speak for a vendor: its dialects, and its callbacks.</summary>
static class InboundCalls
{
    /// <summary>The request without its body.</summary>
    /// <param name="path">Without a prefix of ours.</param>
    public static InboundCall Of(HttpContext context, string path) => new()
    {
        Method = context.Request.Method,
        Path = path,
        Target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
        Headers = [.. context.Request.Headers.SelectMany(
            header => header.Value, (header, value) => KeyValuePair.Create(header.Key, value ?? ""))],
    };
}
