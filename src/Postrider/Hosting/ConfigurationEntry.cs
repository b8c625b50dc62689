namespace Postrider.Hosting;

/// <summary>A setting as it was given, with where: <c>postrider.json:12</c>, <c>environment POSTRIDER_URLS</c>, <c>command line
/// --urls</c>.</summary>
/// <param name="Key">Sections and name joined by colons, as written.</param>
public sealed record ConfigurationEntry(string Key, string? Value, string Origin)
{
    /// <summary>Keys are compared without case and underscores: <c>public_url</c>, <c>PublicUrl</c> and <c>PUBLIC_URL</c> are
    /// one.</summary>
    public string Plain { get; } = PlainKey(Key);

    public static string PlainKey(string key) => key.Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();
}
