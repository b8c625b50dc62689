using System.Globalization;
using System.Security.Cryptography;

namespace Postrider.Tenants;

/// <summary>What is stored of a password: PBKDF2 with HMAC-SHA-512, as <c>pbkdf2-sha512$iterations$salt$hash</c> in base64.</summary>
public static class PasswordHash
{
    const string Scheme = "pbkdf2-sha512";
    const int SaltBytes = 16;
    const int HashBytes = 32;

    /// <summary>OWASP's Password Storage Cheat Sheet (2023) for this function; about 0.1 s.</summary>
    const int Iterations = 210_000;

    // Somebody who is not there takes as long as a wrong password.
    static readonly string Nobody = $"{Scheme}${Iterations}${Convert.ToBase64String(new byte[SaltBytes])}${Convert.ToBase64String(new byte[HashBytes])}";

    public static string Of(string password, Entropy entropy)
    {
        Span<byte> salt = stackalloc byte[SaltBytes];
        entropy.Fill(salt);
        var hash = Derive(password, salt, Iterations, HashBytes);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Scheme}${Iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}");
    }

    /// <param name="stored">Null: there is no such user, or no password; the answer is false and takes as long.</param>
    public static bool Matches(string password, string? stored)
    {
        var parts = (stored ?? Nobody).Split('$');
        if (parts is not [Scheme, var count, var salt, var hash]
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations))
            return false;
        var expected = Convert.FromBase64String(hash);
        var found = Derive(password, Convert.FromBase64String(salt), iterations, expected.Length);
        return CryptographicOperations.FixedTimeEquals(found, expected) && stored is not null;
    }

    static byte[] Derive(string password, ReadOnlySpan<byte> salt, int iterations, int bytes) =>
        Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA512, bytes);
}
