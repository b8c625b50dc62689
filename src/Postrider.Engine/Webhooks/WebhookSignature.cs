using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Webhooks;

/// <summary>Standard Webhooks signatures (standardwebhooks.com, version 1): HMAC-SHA256 over id, time and body.</summary>
public static class WebhookSignature
{
    public const string SecretPrefix = "whsec_";

    /// <summary>What we make; what customers bring has 24 to 64 bytes, as the specification says.</summary>
    public const int SecretBytes = 32;

    const string Version = "v1,";

    public static string SecretText(ReadOnlySpan<byte> secret) => SecretPrefix + Convert.ToBase64String(secret);

    /// <summary>Null for what is no secret of 24 to 64 bytes.</summary>
    public static byte[]? ParseSecret(string text)
    {
        if (!text.StartsWith(SecretPrefix, StringComparison.Ordinal) || !Base64.IsValid(text.AsSpan(SecretPrefix.Length), out var length)
            || length is < 24 or > 64)
            return null;
        return Convert.FromBase64String(text[SecretPrefix.Length..]);
    }

    /// <summary>The header <c>webhook-signature</c>: one signature for each secret, separated by a space.</summary>
    public static string Sign(IEnumerable<byte[]> secrets, string id, long unixSeconds, ReadOnlySpan<byte> body)
    {
        var signed = Signed(id, unixSeconds, body);
        return string.Join(' ', secrets.Select(secret => Version + Convert.ToBase64String(HMACSHA256.HashData(secret, signed))));
    }

    /// <summary>Whether any of the signatures is the secret's.</summary>
    public static bool Verify(byte[] secret, string id, long unixSeconds, ReadOnlySpan<byte> body, string header)
    {
        var expected = HMACSHA256.HashData(secret, Signed(id, unixSeconds, body));
        var isValid = false;
        Span<byte> given = stackalloc byte[64];
        foreach (var part in header.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.StartsWith(Version, StringComparison.Ordinal)
                && Convert.TryFromBase64String(part[Version.Length..], given, out var length))
                isValid |= CryptographicOperations.FixedTimeEquals(given[..length], expected);
        }
        return isValid;
    }

    // No part but the last may hold a dot, or two different messages could be signed alike.
    static byte[] Signed(string id, long unixSeconds, ReadOnlySpan<byte> body)
    {
        if (id.Contains('.', StringComparison.Ordinal))
            throw new ArgumentException("The id of a webhook must not hold a dot.", nameof(id));
        return [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{unixSeconds}.")), .. body];
    }
}
