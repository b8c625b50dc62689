using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Postrider.Mail.Dkim;

/// <summary>The record in the DNS that publishes a key (RFC 6376 §3.6.1): <c>v=DKIM1; k=rsa; p=…</c> in TXT at
/// <c>selector._domainkey.domain</c>.</summary>
public sealed record DkimRecord
{
    /// <summary>RFC 1035 §3.3: a character-string of a TXT record has at most so many octets.</summary>
    const int MaxString = 255;

    DkimRecord(string keyType, ReadOnlyMemory<byte> publicKey) => (KeyType, PublicKey) = (keyType, publicKey);

    /// <summary>k=: <c>rsa</c> when it does not say.</summary>
    public string KeyType { get; }

    /// <summary>p=, DER of SubjectPublicKeyInfo. Empty: the key is revoked.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Where the record belongs.</summary>
    public static string Name(string selector, string domain) => $"{selector}._domainkey.{domain}";

    /// <summary>What the record says for this key.</summary>
    public static string Text(DkimKey key) => Text(key.PublicKey.Span);

    /// <param name="publicKey">DER of SubjectPublicKeyInfo.</param>
    public static string Text(ReadOnlySpan<byte> publicKey) => $"v=DKIM1; k=rsa; p={Convert.ToBase64String(publicKey)}";

    /// <summary>A record's text in the strings that a TXT record is made of; who reads it puts them together without anything
    /// between.</summary>
    public static IReadOnlyList<string> Strings(string text)
    {
        var strings = new List<string>();
        for (var at = 0; at < text.Length; at += MaxString)
            strings.Add(text.Substring(at, Math.Min(MaxString, text.Length - at)));
        return strings;
    }

    /// <summary>Reads a record's text, its strings put together; false when it is none of DKIM.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out DkimRecord? record)
    {
        record = null;
        if (!DkimTags.TryParse(text, out var tags))
            return false;
        // v= is recommended, and when it is there it is the first tag (RFC 6376 §3.6.1).
        if (tags.TryGetValue("v", out var version) && (version != "DKIM1" || !text.AsSpan().TrimStart().StartsWith("v")))
            return false;
        if (!tags.TryGetValue("p", out var p))
            return false;
        var key = new byte[p.Length];
        if (!Convert.TryFromBase64String(DkimTags.WithoutSpace(p), key, out var written))
            return false;
        record = new DkimRecord(tags.GetValueOrDefault("k", "rsa"), key.AsMemory(0, written));
        return true;
    }
}

/// <summary>Lists of tags, <c>a=1; b=2</c> (RFC 6376 §3.2), as signatures, key records and DMARC records are.</summary>
static class DkimTags
{
    /// <summary>False when it is no such list or a tag is there twice.</summary>
    public static bool TryParse(string text, out Dictionary<string, string> tags)
    {
        tags = [];
        foreach (var part in text.Split(';'))
        {
            var tag = part.Trim(' ', '\t', '\r', '\n');
            if (tag.Length == 0)
                continue; // the last may end with a semicolon
            var equals = tag.IndexOf('=');
            if (equals <= 0)
                return false;
            var name = tag[..equals].TrimEnd(' ', '\t', '\r', '\n');
            var value = tag[(equals + 1)..].TrimStart(' ', '\t', '\r', '\n');
            if (name.Length == 0 || name.AsSpan().ContainsAny(" \t\r\n") || !tags.TryAdd(name, value))
                return false;
        }
        return tags.Count > 0;
    }

    /// <summary>Values such as base64 may be folded anywhere.</summary>
    public static string WithoutSpace(string value)
    {
        if (!value.AsSpan().ContainsAny(" \t\r\n"))
            return value;
        var plain = new StringBuilder(value.Length);
        foreach (var c in value)
        {
            if (c is not (' ' or '\t' or '\r' or '\n'))
                plain.Append(c);
        }
        return plain.ToString();
    }
}
