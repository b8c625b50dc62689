using System.Globalization;
using System.Text;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>Reads and writes transports in their short form: <c>name=scheme://user:password@host:port?option=value</c>,
/// separated by white space.</summary>
/// <remarks>
/// Names that are not given are the scheme, then <c>scheme-2</c>, <c>scheme-3</c>. User, password and option values are percent-encoded
/// (RFC 3986 §2.1) where they hold a reserved character; <c>+</c> is a plus. Faults never repeat what may be a secret.
/// </remarks>
public static class TransportDsn
{
    const string Hidden = "***";
    const int MaxNameLength = 63;

    /// <summary>Reads all of them in order. Those with faults are left out and named in <paramref name="faults"/>.</summary>
    public static IReadOnlyList<TransportSettings> ParseAll(string? text, ICollection<TransportFault> faults)
    {
        var parsed = new List<(TransportSettings Settings, bool Named)>();
        foreach (var (index, dsn) in (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Index())
            if (Parse(dsn, $"transport {index + 1}", faults, out var named) is { } settings)
                parsed.Add((settings, named));
        return Name(parsed, faults);
    }

    static List<TransportSettings> Name(List<(TransportSettings Settings, bool Named)> parsed, ICollection<TransportFault> faults)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (settings, named) in parsed)
            if (named && !taken.Add(settings.Name))
                faults.Add(new TransportFault(settings.Name, null,
                    "there are two transports of this name; put another name in front: other=scheme://…"));
        var result = new List<TransportSettings>();
        var given = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (settings, named) in parsed)
        {
            var name = settings.Name;
            for (var n = 2; !named && !taken.Add(name); n++)
                name = string.Create(CultureInfo.InvariantCulture, $"{settings.Scheme}-{n}");
            if (given.Add(name))
                result.Add(settings with { Name = name });
        }
        return result;
    }

    /// <param name="place">What to call it in faults before its name is known.</param>
    /// <param name="named">False: the name is the scheme.</param>
    static TransportSettings? Parse(string dsn, string place, ICollection<TransportFault> faults, out bool named)
    {
        named = false;
        var schemeEnd = dsn.IndexOf("://", StringComparison.Ordinal);
        var equals = dsn.AsSpan(0, Math.Max(schemeEnd, 0)).IndexOf('=');
        named = equals >= 0;
        var name = named ? dsn[..equals] : null;
        var scheme = schemeEnd < 0 ? "" : dsn[(equals + 1)..schemeEnd];
        if (name is not null && !IsName(name))
            return Fail("the name in front of '=' consists of a-z, 0-9, '-', '_' and '.', starts with a letter or digit"
                + $" and has at most {MaxNameLength} characters");
        if (!IsScheme(scheme))
            return Fail(
                "is written name=scheme://user:password@host:port?option=value, with the name optional and the scheme in lower case");
        place = name ?? $"{place} ({scheme})";
        var rest = dsn.AsSpan(schemeEnd + 3);
        if (rest.Contains('#'))
            return Fail("'#' must be written as %23");
        var question = rest.IndexOf('?');
        var before = faults.Count;
        var settings = ParseAuthority(question < 0 ? rest : rest[..question], place, faults);
        var options = ParseOptions(question < 0 ? [] : rest[(question + 1)..], place, faults);
        return faults.Count > before ? null : settings with { Name = name ?? scheme, Scheme = scheme, Options = options };

        TransportSettings? Fail(string words)
        {
            faults.Add(new TransportFault(place, null, words));
            return null;
        }
    }

    static TransportSettings ParseAuthority(ReadOnlySpan<char> authority, string place, ICollection<TransportFault> faults)
    {
        var settings = new TransportSettings { Name = "", Scheme = "" };
        if (authority is [.., '/'])
            authority = authority[..^1];
        var at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            // Where they stand unescaped, host or password may be another than was meant.
            if (authority[..at].IndexOfAny('@', '/') >= 0)
                faults.Add(new TransportFault(place, null, "'@' and '/' inside user or password must be percent-encoded: %40 and %2F"));
            var colon = authority[..at].IndexOf(':');
            settings = settings with
            {
                User = Decode(colon < 0 ? authority[..at] : authority[..colon], "the user"),
                Password = colon < 0 ? null : Decode(authority[(colon + 1)..at], "the password"),
            };
        }
        var hostAndPort = authority[(at + 1)..];
        var portColon = hostAndPort.LastIndexOf(':');
        if (portColon > hostAndPort.LastIndexOf(']'))
        {
            if (ushort.TryParse(hostAndPort[(portColon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0)
                settings = settings with { Port = port };
            else
                faults.Add(new TransportFault(place, null,
                    "the port is a number from 1 to 65535; a ':', '/' or '@' inside user or password must be percent-encoded"));
            hostAndPort = hostAndPort[..portColon];
        }
        if (hostAndPort is ['[', .. var literal, ']'])
            hostAndPort = literal;
        else if (hostAndPort.IndexOfAny("/:[]") >= 0)
            faults.Add(new TransportFault(place, null,
                "the host is a name, an IPv4 address or an IPv6 address in brackets, with no path behind it"));
        return settings with { Host = Decode(hostAndPort, "the host") ?? "" };

        string? Decode(ReadOnlySpan<char> text, string what)
        {
            if (TryDecode(text, out var decoded))
                return decoded;
            faults.Add(
                new TransportFault(place, null, $"{what} is not percent-encoded text (a '%' is written %25) or holds a control character"));
            return null;
        }
    }

    static Dictionary<string, string> ParseOptions(ReadOnlySpan<char> query, string place, ICollection<TransportFault> faults)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var range in query.Split('&'))
        {
            var pair = query[range];
            if (pair.IsEmpty)
                continue;
            var equals = pair.IndexOf('=');
            var name = (equals < 0 ? pair : pair[..equals]).ToString().ToLowerInvariant();
            if (!IsName(name))
                faults.Add(new TransportFault(place, null, "an option is written name=value; options are separated by '&'"));
            else if (equals < 0 || equals == pair.Length - 1)
                faults.Add(new TransportFault(place, name, "has no value"));
            else if (!TryDecode(pair[(equals + 1)..], out var value))
                faults.Add(
                    new TransportFault(place, name, "is not percent-encoded text (a '%' is written %25) or holds a control character"));
            else if (!options.TryAdd(name, value))
                faults.Add(new TransportFault(place, name, "is given twice"));
        }
        return options;
    }

    /// <summary>The DSN as people may see it: secrets are <c>***</c>, everything else reads back as it was.</summary>
    public static string Show(TransportSettings settings) => Write(settings, hideSecrets: true);

    /// <summary>Whether it says <c>***</c> for a secret, as <see cref="Show"/> does: the one that there is shall stay.</summary>
    internal static bool HasHidden(TransportSettings settings) => settings.Password == Hidden
        || (settings.User == Hidden && settings.Password is null) || settings.Options.Any(option => IsHidden(option.Key, option.Value));

    /// <summary>With the secrets of another in the place of <c>***</c>.</summary>
    internal static TransportSettings WithHidden(TransportSettings settings, TransportSettings stored) => settings with
    {
        User = settings.User == Hidden && settings.Password is null ? stored.User : settings.User,
        Password = settings.Password == Hidden ? stored.Password : settings.Password,
        Options = settings.Options.Where(option => !IsHidden(option.Key, option.Value) || stored.Options.ContainsKey(option.Key))
            .ToDictionary(option => option.Key, option => IsHidden(option.Key, option.Value) ? stored.Options[option.Key] : option.Value,
                StringComparer.Ordinal),
    };

    static bool IsHidden(string option, string value) => value == Hidden && IsSecret(option);

    /// <summary>The whole DSN, secrets included: <see cref="ParseAll"/> reads it back to the same.</summary>
    internal static string Write(TransportSettings settings) => Write(settings, hideSecrets: false);

    static string Write(TransportSettings settings, bool hideSecrets)
    {
        var text = new StringBuilder($"{settings.Name}={settings.Scheme}://");
        if (settings.User is { } user)
        {
            // Alone it is an API key with most vendors; beside a password it is only a name.
            text.Append(hideSecrets && settings.Password is null ? Hidden : Uri.EscapeDataString(user));
            if (settings.Password is { } password)
                text.Append(':').Append(hideSecrets ? Hidden : Uri.EscapeDataString(password));
            text.Append('@');
        }
        text.Append(settings.Host.Contains(':') ? $"[{settings.Host}]" : Uri.EscapeDataString(settings.Host));
        if (settings.Port is { } port)
            text.Append(CultureInfo.InvariantCulture, $":{port}");
        var separator = '?';
        foreach (var (name, value) in settings.Options)
        {
            text.Append(separator).Append(name).Append('=').Append(hideSecrets && IsSecret(name) ? Hidden : EscapeValue(value));
            separator = '&';
        }
        return text.ToString();
    }

    /// <summary>Whether an option's value must never be shown, by its name: <c>callback_key</c>, <c>token</c>.</summary>
    public static bool IsSecret(string option) =>
        option.Contains("key") || option.Contains("secret") || option.Contains("token") || option.Contains("pass")
            || option.Contains("cred");

    // Kept as people write them: 14/s, 10,30s,5s, gmail.com:5, 10s+60s.
    static string EscapeValue(string value) => new StringBuilder(Uri.EscapeDataString(value))
        .Replace("%2F", "/").Replace("%2C", ",").Replace("%3A", ":").Replace("%2B", "+").Replace("%3B", ";").Replace("%2A", "*").ToString();

    static bool TryDecode(ReadOnlySpan<char> text, out string decoded)
    {
        decoded = "";
        var bytes = new List<byte>(text.Length);
        var utf8 = Encoding.UTF8.GetBytes(text.ToString());
        for (var i = 0; i < utf8.Length; i++)
        {
            if (utf8[i] != '%')
            {
                bytes.Add(utf8[i]);
                continue;
            }
            if (i + 2 >= utf8.Length
                || !byte.TryParse(utf8.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var escaped))
                return false;
            bytes.Add(escaped);
            i += 2;
        }
        try
        {
            decoded = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
        return !decoded.Any(char.IsControl);
    }

    internal static bool IsName(string text) =>
        text is [(>= 'a' and <= 'z') or (>= '0' and <= '9'), ..] && text.Length <= MaxNameLength
        && text.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-' or '_' or '.');

    static bool IsScheme(string text) =>
        text is [>= 'a' and <= 'z', ..] && text.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '+' or '-');
}
