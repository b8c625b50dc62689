using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Postrider.Testing;

/// <summary>Verifies DKIM signatures by the letter of RFC 6376 §6, written apart from the signer and only for tests.</summary>
public static partial class DkimVerifier
{
    /// <param name="message">As it came over the wire.</param>
    /// <param name="findRecord">The TXT record at a name, its strings put together; null when there is none.</param>
    /// <returns>Null when the topmost signature is good, else what is wrong with it.</returns>
    public static string? Verify(ReadOnlySpan<byte> message, Func<string, string?> findRecord)
    {
        var text = Encoding.Latin1.GetString(message);
        var split = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var fields = FieldEnd().Split(split < 0 ? text : text[..split]).ToList();
        var body = split < 0 ? "" : text[(split + 4)..];
        var at = fields.FindIndex(field => NameOf(field) == "dkim-signature");
        if (at < 0)
            return "no signature";
        var tags = Tags(fields[at][(fields[at].IndexOf(':', StringComparison.Ordinal) + 1)..]);
        if (tags["v"] != "1" || tags["a"] != "rsa-sha256" || tags["c"] != "relaxed/relaxed" || tags.ContainsKey("l"))
            return $"another kind of signature: a={tags["a"]} c={tags["c"]}";
        if (Convert.ToBase64String(SHA256.HashData(Encoding.Latin1.GetBytes(RelaxedBody(body)))) != tags["bh"])
            return "the body was changed";
        if (findRecord($"{tags["s"]}._domainkey.{tags["d"]}") is not { } record)
            return $"no record of {tags["s"]}._domainkey.{tags["d"]}";

        var signed = new StringBuilder();
        var left = fields.Where((_, index) => index != at).ToList();
        foreach (var name in tags["h"].Split(':'))
        {
            var last = left.FindLastIndex(field => string.Equals(NameOf(field), name, StringComparison.OrdinalIgnoreCase));
            if (last < 0)
                continue;
            signed.Append(RelaxedField(left[last])).Append("\r\n");
            left.RemoveAt(last);
        }
        signed.Append(RelaxedField(SignatureValue().Replace(fields[at], "$1")));
        using var key = RSA.Create();
        key.ImportSubjectPublicKeyInfo(Convert.FromBase64String(Tags(record)["p"]), out _);
        return key.VerifyData(Encoding.Latin1.GetBytes(signed.ToString()), Convert.FromBase64String(tags["b"]), HashAlgorithmName.SHA256,
            RSASignaturePadding.Pkcs1)
            ? null
            : "the header was changed";
    }

    /// <summary>The tags of the topmost signature, white space taken out.</summary>
    public static IReadOnlyDictionary<string, string> TagsOf(ReadOnlySpan<byte> message)
    {
        var text = Encoding.Latin1.GetString(message);
        var field = FieldEnd().Split(text).First(field => NameOf(field) == "dkim-signature");
        return Tags(field[(field.IndexOf(':', StringComparison.Ordinal) + 1)..]);
    }

    static Dictionary<string, string> Tags(string list) => list.Split(';', StringSplitOptions.TrimEntries)
        .Where(tag => tag.Length > 0)
        .ToDictionary(tag => tag[..tag.IndexOf('=', StringComparison.Ordinal)].Trim(),
            tag => Space().Replace(tag[(tag.IndexOf('=', StringComparison.Ordinal) + 1)..], ""));

    static string NameOf(string field) => field[..Math.Max(0, field.IndexOf(':', StringComparison.Ordinal))].Trim().ToLowerInvariant();

    static string RelaxedField(string field)
    {
        var colon = field.IndexOf(':', StringComparison.Ordinal);
        var value = Blanks().Replace(field[(colon + 1)..].Replace("\r\n", "", StringComparison.Ordinal), " ").Trim(' ');
        return $"{NameOf(field)}:{value}";
    }

    static string RelaxedBody(string body)
    {
        var lines = body.Split("\r\n").Select(line => Blanks().Replace(line, " ").TrimEnd(' '));
        var kept = lines.Reverse().SkipWhile(line => line.Length == 0).Reverse().ToArray();
        return kept.Length == 0 ? "" : string.Join("\r\n", kept) + "\r\n";
    }

    [GeneratedRegex(@"\r\n(?![ \t])")]
    private static partial Regex FieldEnd();

    [GeneratedRegex(@"(;\s*b=)[^;]*")]
    private static partial Regex SignatureValue();

    [GeneratedRegex(@"[ \t]+")]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
