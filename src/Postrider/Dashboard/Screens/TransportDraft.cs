using System.Globalization;
using System.Text;

namespace Postrider.Dashboard.Screens;

/// <summary>What a kind of transport is called by: which of the fields it has. Null: not that one.</summary>
public sealed record TransportKind(
    string Scheme, string Title, string? Host = null, string? HostExample = null, string? User = null, string? Secret = null)
{
    /// <summary>As in <c>docs/transports.md</c>.</summary>
    public static IReadOnlyList<TransportKind> All { get; } =
    [
        new("smtp", "SMTP server or relay", "Server", "smtp.example.com", "User", "Password"),
        new("ses", "Amazon SES", "Region", "eu-west-1", "Access key id", "Secret access key"),
        new("sendgrid", "SendGrid", Secret: "API key"),
        new("mailgun", "Mailgun", "Domain", "mg.example.com", Secret: "API key"),
        new("postmark", "Postmark", Secret: "Server token"),
        new("resend", "Resend", Secret: "API key"),
        new("capture", "Capture: nothing leaves, mail goes to the inbox"),
        new("sim", "Simulated: to try out faults", "Name", "slow"),
    ];

    public bool HasPort => Scheme == "smtp";
}

/// <summary>A transport as it is typed into a form; what of it is good, the server says.</summary>
public sealed class TransportDraft
{
    public string Name { get; set; } = "";
    public string Scheme { get; set; } = "smtp";
    public string Host { get; set; } = "";
    public int? Port { get; set; }
    public string User { get; set; } = "";

    /// <summary>Password, key or token.</summary>
    public string Secret { get; set; } = "";
    public TransportOptionsDraft Options { get; set; } = new();
    public bool IsShared { get; set; }

    /// <summary>Of a DSN as it is shown. <see cref="Secret"/> is empty: the one that there is stays.</summary>
    public static TransportDraft Of(string dsn)
    {
        var end = dsn.IndexOf("://", StringComparison.Ordinal);
        var draft = new TransportDraft { Scheme = dsn[(dsn.AsSpan(0, end).LastIndexOf('=') + 1)..end] };
        var place = dsn[(end + 3)..].Split('?', 2)[0];
        var at = place.IndexOf('@', StringComparison.Ordinal);
        var (who, where) = at < 0 ? ("", place) : (place[..at], place[(at + 1)..]);
        if (draft.Kind.User is not null)
            draft.User = Uri.UnescapeDataString(who.Split(':', 2)[0]) is var user && user == Hidden ? "" : user;
        draft.HasSecret = who.Length > 0;
        var colon = draft.Kind.HasPort ? where.LastIndexOf(':') : -1;
        if (colon > where.LastIndexOf(']') && int.TryParse(where.AsSpan(colon + 1), CultureInfo.InvariantCulture, out var port))
            (where, draft.Port) = (where[..colon], port);
        draft.Host = Uri.UnescapeDataString(where);
        return draft;
    }

    /// <summary>With other access, everything else as it is in the DSN as it is shown.</summary>
    public string ToDsn(string shown)
    {
        var options = shown.IndexOf('?', StringComparison.Ordinal);
        var typed = new TransportDraft
        {
            Scheme = Scheme,
            Host = Host,
            Port = Port,
            User = User,
            Secret = Secret.Length > 0 ? Secret : HasSecret ? Hidden : "",
        };
        return typed.ToDsn() + (options < 0 ? "" : shown[options..]);
    }

    const string Hidden = "***";

    /// <summary>There is one, which is not shown.</summary>
    public bool HasSecret { get; private set; }

    public TransportKind Kind => TransportKind.All.First(kind => kind.Scheme == Scheme);

    public string ToDsn()
    {
        var text = new StringBuilder($"{Scheme}://");
        var user = Kind.User is not null && User.Trim().Length > 0 ? Uri.EscapeDataString(User.Trim()) : null;
        var secret = Kind.Secret is not null && Secret.Length > 0 ? Uri.EscapeDataString(Secret) : null;
        if (user is not null || secret is not null)
            text.Append(user).Append(user is null || secret is null ? "" : ":").Append(secret).Append('@');
        if (Kind.Host is not null)
            text.Append(Host.Trim());
        if (Kind.HasPort && Port is { } port)
            text.Append(CultureInfo.InvariantCulture, $":{port}");
        var options = string.Join('&', Options.Read().Select(option => $"{option.Key}={Uri.EscapeDataString(option.Value)}"));
        return options.Length == 0 ? text.ToString() : $"{text}?{options}";
    }
}

/// <summary>Options of a transport as they are typed: those that most want in fields of their own, the rest a line each.</summary>
public sealed class TransportOptionsDraft
{
    public string Rate { get; set; } = "";
    public string Quota { get; set; } = "";
    public string Concurrency { get; set; } = "";

    /// <summary><c>name=value</c>.</summary>
    public string Others { get; set; } = "";

    /// <summary>Of a DSN as it is shown; what is secret in it stays as it is.</summary>
    public static TransportOptionsDraft Of(string dsn)
    {
        var options = Parse(dsn);
        return new TransportOptionsDraft
        {
            Rate = options.GetValueOrDefault("rate", ""),
            Quota = options.GetValueOrDefault("quota", ""),
            Concurrency = options.GetValueOrDefault("concurrency", ""),
            Others = string.Join('\n', options.Where(option => option.Key is not ("rate" or "quota" or "concurrency"))
                .Select(option => $"{option.Key}={option.Value}")),
        };
    }

    public Dictionary<string, string> Read()
    {
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in new[] { ("rate", Rate), ("quota", Quota), ("concurrency", Concurrency) })
            if (value.Trim().Length > 0)
                read[name] = value.Trim();
        foreach (var line in Others.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? line : line[..equals].Trim();
            read[name] = equals < 0 ? "" : line[(equals + 1)..].Trim();
        }
        return read;
    }

    /// <summary>What has to be said to come from what there is to this; null takes an option away.</summary>
    public Dictionary<string, string?> ChangesFrom(string dsn)
    {
        var (before, now) = (Parse(dsn), Read());
        var changes = now.Where(option => before.GetValueOrDefault(option.Key) != option.Value)
            .ToDictionary(option => option.Key, string? (option) => option.Value);
        foreach (var gone in before.Keys.Except(now.Keys))
            changes[gone] = null;
        return changes;
    }

    static Dictionary<string, string> Parse(string dsn)
    {
        var start = dsn.IndexOf('?', StringComparison.Ordinal);
        return start < 0 ? [] : dsn[(start + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2)).Where(pair => pair.Length == 2 && pair[1] != "***")
            .ToDictionary(pair => pair[0], pair => Uri.UnescapeDataString(pair[1]));
    }
}
