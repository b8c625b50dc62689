using System.Collections.Concurrent;
using System.IO.Compression;

namespace Postrider.Dashboard.Assets;

/// <summary>Answers the dashboard's own files, to anybody: there is nothing of anybody's in them.</summary>
sealed class AssetFiles(RequestDelegate next, AssetBook book)
{
    // Some hundred kilobytes, kept once somebody has looked at the dashboard.
    readonly ConcurrentDictionary<string, byte[]> _compressed = [];

    public Task InvokeAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method)
            || request.Path.Value is not ['/', .. var path] || book.Find(path) is not { } asset)
            return next(context);
        var tag = $"\"{asset.Version}\"";
        response.Headers.ETag = tag;
        response.Headers.CacheControl = request.Query["v"] == asset.Version ? "public, max-age=31536000, immutable" : "no-cache";
        if (request.Headers.IfNoneMatch == tag)
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }
        response.ContentType = asset.ContentType;
        ReadOnlyMemory<byte> bytes = asset.Bytes;
        if (!path.EndsWith(".woff2", StringComparison.Ordinal))
        {
            response.Headers.Vary = "Accept-Encoding";
            if (request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal))
            {
                response.Headers.ContentEncoding = "br";
                bytes = _compressed.GetOrAdd(path, static (_, whole) => Compress(whole), asset.Bytes);
            }
        }
        response.ContentLength = bytes.Length;
        return HttpMethods.IsHead(request.Method) ? Task.CompletedTask : response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }

    static byte[] Compress(ReadOnlyMemory<byte> bytes)
    {
        using var result = new MemoryStream();
        using (var brotli = new BrotliStream(result, CompressionLevel.Optimal))
            brotli.Write(bytes.Span);
        return result.ToArray();
    }
}
