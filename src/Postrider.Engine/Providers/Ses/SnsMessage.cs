using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>A message of Amazon SNS as it is posted to us: what it carries, and how its signature is checked.</summary>
/// <remarks>A signature that stands proves only that some topic of anybody's sent it; whose, says <see cref="TopicArn"/>.</remarks>
sealed partial record SnsMessage
{
    public required string Type { get; init; }
    public required string MessageId { get; init; }
    public required string TopicArn { get; init; }
    public required string Message { get; init; }
    public required string Timestamp { get; init; }
    public required string SignatureVersion { get; init; }
    public required string Signature { get; init; }
    public required string SigningCertUrl { get; init; }
    public string? Subject { get; init; }
    public string? SubscribeUrl { get; init; }
    public string? Token { get; init; }

    /// <summary>Null when the body is not such a message; then it has no signature either (raw delivery must be off).</summary>
    public static SnsMessage? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.Text("Type") is not { } type || root.Text("MessageId") is not { } id || root.Text("TopicArn") is not { } topic
                || root.Text("Message") is not { } message || root.Text("Timestamp") is not { } timestamp
                || root.Text("SignatureVersion") is not { } version || root.Text("Signature") is not { } signature
                || root.Text("SigningCertURL") is not { } url)
                return null;
            return new SnsMessage
            {
                Type = type,
                MessageId = id,
                TopicArn = topic,
                Message = message,
                Timestamp = timestamp,
                SignatureVersion = version,
                Signature = signature,
                SigningCertUrl = url,
                Subject = root.Text("Subject"),
                SubscribeUrl = root.Text("SubscribeURL"),
                Token = root.Text("Token"),
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Null when the timestamp is none.</summary>
    public DateTimeOffset? SentAt => DateTimeOffset.TryParse(
        Timestamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;

    /// <summary>
    /// Whether an address is Amazon's own: the only place that a certificate, or a confirmation, may come from. Nothing is fetched to find
    /// out.
    /// </summary>
    public static bool IsAmazons(string? address, out Uri url)
    {
        url = null!;
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri))
            return false;
        url = uri;
        return uri is { Scheme: "https", IsDefaultPort: true, UserInfo: "" } && AmazonHost().IsMatch(uri.Host);
    }

    /// <summary>The certificate's address; false for any that is not Amazon's.</summary>
    public bool TryGetCertificateUrl(out Uri url) =>
        IsAmazons(SigningCertUrl, out url) && url.AbsolutePath.EndsWith(".pem", StringComparison.Ordinal);

    /// <summary>Version 1 is SHA-1, version 2 SHA-256; there is no other.</summary>
    public bool IsSignedBy(X509Certificate2 certificate)
    {
        HashAlgorithmName? hash = SignatureVersion switch
        {
            "1" => HashAlgorithmName.SHA1,
            "2" => HashAlgorithmName.SHA256,
            _ => null,
        };
        var signature = new byte[Signature.Length];
        if (hash is not { } algorithm || !Convert.TryFromBase64String(Signature, signature, out var length))
            return false;
        using var rsa = certificate.GetRSAPublicKey();
        return rsa?.VerifyData(Encoding.UTF8.GetBytes(ToSign()), signature.AsSpan(0, length), algorithm, RSASignaturePadding.Pkcs1) == true;
    }

    /// <summary>Names and values on lines of their own, in the order of their names. Values as they are after JSON was read.</summary>
    string ToSign()
    {
        (string Name, string? Value)[] parts = Type == "Notification"
            ? [("Message", Message), ("MessageId", MessageId), ("Subject", Subject), ("Timestamp", Timestamp), ("TopicArn", TopicArn),
                ("Type", Type)]
            : [("Message", Message), ("MessageId", MessageId), ("SubscribeURL", SubscribeUrl), ("Timestamp", Timestamp), ("Token", Token),
                ("TopicArn", TopicArn), ("Type", Type)];
        var text = new StringBuilder();
        foreach (var (name, value) in parts)
        {
            if (value is not null)
                text.Append(name).Append('\n').Append(value).Append('\n');
        }
        return text.ToString();
    }

    // The name of a region and nothing else: sns.s3-eu-west-1.amazonaws.com is a bucket called sns, which is somebody's.
    [GeneratedRegex(@"^sns\.[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(\.cn)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex AmazonHost();
}
