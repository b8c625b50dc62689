using System.Buffers.Text;
using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;

namespace Postrider.Dashboard.Assets;

/// <summary>A style sheet, script or font as it is answered.</summary>
/// <param name="Version">Of its content; an address with it may be kept for ever.</param>
sealed record Asset(ReadOnlyMemory<byte> Bytes, string ContentType, string Version);

/// <summary>The dashboard's files. They are in the assembly: one program, whole wherever it is put, and nothing is fetched from
/// elsewhere.</summary>
sealed class AssetBook
{
    const string Prefix = "ui/";

    readonly FrozenDictionary<string, Lazy<Asset>> _assets = Assembly.GetExecutingAssembly().GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToFrozenDictionary(name => name[Prefix.Length..], name => new Lazy<Asset>(() => Read(name)), StringComparer.Ordinal);

    /// <param name="path">Below the dashboard, without a slash before it.</param>
    public Asset? Find(string path) => _assets.TryGetValue(path, out var asset) ? asset.Value : null;

    /// <summary>The address to write into a page.</summary>
    public string Url(string path) => $"{path}?v={Find(path)?.Version ?? throw new FileNotFoundException("No such asset.", path)}";

    static Asset Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return new Asset(bytes, TypeOf(name), Base64Url.EncodeToString(SHA256.HashData(bytes).AsSpan(0, 9)));
    }

    static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".woff2" => "font/woff2",
        ".svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };
}
