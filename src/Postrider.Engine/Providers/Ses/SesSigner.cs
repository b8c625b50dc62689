using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Postrider.Messages;

namespace Postrider.Providers.Ses;

/// <summary>The certificate that a transport believes beside Amazon's: that of a simulated SES, which is not where Amazon's are.</summary>
static class SesSigner
{
    const string PemStart = "-----BEGIN ";

    /// <summary>
    /// From <c>callback_key</c>: base64 of PEM (a DSN has no line breaks), or the path of a file that holds it. Null when there is none,
    /// or it is neither.
    /// </summary>
    public static X509Certificate2? Of(TransportSettings settings)
    {
        if (!settings.Options.TryGetValue("callback_key", out var given))
            return null;
        try
        {
            return PemOf(given.Trim()) is { } pem ? X509Certificate2.CreateFromPem(pem) : null;
        }
        catch (Exception fault) when (fault is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    static string? PemOf(string given)
    {
        var bytes = new byte[given.Length];
        if (Convert.TryFromBase64String(given, bytes, out var length)
            && Encoding.ASCII.GetString(bytes, 0, length) is var decoded && decoded.StartsWith(PemStart, StringComparison.Ordinal))
            return decoded;
        return File.Exists(given) ? File.ReadAllText(given) : null;
    }
}
