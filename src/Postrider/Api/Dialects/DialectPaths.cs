using Postrider.Providers;

namespace Postrider.Api.Dialects;

/// <summary>A request that speaks a vendor's API: what goes wrong with it is told in that vendor's shape.</summary>
/// <param name="Path">Without a prefix of ours.</param>
sealed record DialectCall(IDialect Dialect, string Path);

/// <summary>Finds the requests that speak a vendor's API: at the root, where the vendors' paths do not clash, or below the vendor's name
/// (<c>/sendgrid/v3/mail/send</c>). SDKs double slashes when their base address ends in one, so runs of them count as one.</summary>
sealed class DialectPaths(RequestDelegate next, IEnumerable<IDialect> dialects)
{
    /// <summary>Resend's API is ours with its names for the errors, so below its prefix are our own addresses.</summary>
    const string ResendPrefix = "/resend";

    readonly (string Prefix, IDialect Dialect)[] _mounts = [.. dialects.Select(dialect => ($"/{dialect.Vendor}", dialect))];

    public Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (path.Contains("//", StringComparison.Ordinal))
            context.Request.Path = path = Collapse(path);
        if (Find(path) is { } call)
            context.Features.Set(call);
        else if (IsBelow(path, ResendPrefix))
            context.Request.Path = path[ResendPrefix.Length..];
        return next(context);
    }

    DialectCall? Find(string path)
    {
        foreach (var (prefix, dialect) in _mounts)
        {
            if (dialect.Serves(path))
                return new DialectCall(dialect, path);
            if (IsBelow(path, prefix))
                return new DialectCall(dialect, path[prefix.Length..]);
        }
        return null;
    }

    static bool IsBelow(string path, string prefix) =>
        path.Length > prefix.Length && path[prefix.Length] == '/' && path.StartsWith(prefix, StringComparison.Ordinal);

    static string Collapse(string path) => "/" + string.Join('/', path.Split('/', StringSplitOptions.RemoveEmptyEntries));
}
