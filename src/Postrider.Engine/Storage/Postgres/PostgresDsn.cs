using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Postrider.Storage.Postgres;

/// <summary>The address of a PostgreSQL database: <c>postgres://user:password@host:5432/database?sslmode=require</c>, user, password and
/// database percent-encoded; several hosts with commas between them are one primary and its standbys.</summary>
public sealed record PostgresDsn
{
    const string Options = "host, sslmode, sslrootcert, schema, connections, durability";

    // Never what stands there: it may be a piece of the password.
    const string Encode = "in user and password these are percent-encoded: / %2F, @ %40, : %3A, ? %3F, # %23, % %25, & %26; or leave the "
        + "password out and give it in PGPASSWORD";

    public required string Hosts { get; init; }
    public required string User { get; init; }

    /// <summary>Null: that of the environment (<c>PGPASSWORD</c>, <c>PGPASSFILE</c>) or of <c>~/.pgpass</c>.</summary>
    public string? Password { get; init; }
    public required string Database { get; init; }

    /// <summary>Schema of all tables; made by the first start. Null: the user's own.</summary>
    public string? Schema { get; init; }
    public SslMode SslMode { get; init; } = SslMode.Prefer;
    public string? RootCertificate { get; init; }

    /// <summary>Most connections of this node, 8 to 1,000. Default 20; three of them are held for good.</summary>
    public int Connections { get; init; } = 20;

    /// <summary><c>durability=relaxed</c>: a server that forgets commits at a power cut is accepted.</summary>
    public bool IsRelaxed { get; init; }

    public static bool IsDsn(string text) =>
        text.StartsWith("postgres:", StringComparison.Ordinal) || text.StartsWith("postgresql:", StringComparison.Ordinal);

    /// <summary>Null with a fault, in words for who wrote the address; never with the password in it.</summary>
    public static PostgresDsn? TryParse(string text, out string? fault)
    {
        fault = null;
        var scheme = text.IndexOf("://", StringComparison.Ordinal);
        if (!IsDsn(text) || scheme < 0)
        {
            fault = "it must look like postgres://user:password@host:5432/database";
            return null;
        }
        var rest = text[(scheme + 3)..];
        var (before, query) = Split(rest, '?');
        var (authority, database) = Split(before, '/');
        var at = authority.LastIndexOf('@');
        // A separator in the password that is not encoded ends it early, and what is behind it looks like host, database or option.
        if ((at < 0 && rest.Contains('@', StringComparison.Ordinal)) || (database ?? "").AsSpan().ContainsAny('/', '@'))
        {
            fault = $"it cannot be taken apart; {Encode}";
            return null;
        }
        var (user, password) = Split(at < 0 ? "" : authority[..at], ':');
        var dsn = new PostgresDsn
        {
            Hosts = authority[(at + 1)..],
            User = Uri.UnescapeDataString(user ?? ""),
            Password = password is null ? null : Uri.UnescapeDataString(password),
            Database = Uri.UnescapeDataString(database ?? ""),
        };
        foreach (var option in (query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = Split(option, '=');
            fault = dsn.Take(name, Uri.UnescapeDataString(value ?? ""), out dsn);
            if (fault is not null)
                return null;
        }
        fault = dsn.User.Length == 0 ? "the user is missing: postgres://user:password@host/database"
            : dsn.Hosts.Split(',').FirstOrDefault(host => host.Length > 0 && !IsHost(host)) is not null
                ? $"what stands for the host is no host nor host:port; {Encode}"
            : dsn.Hosts.Length == 0 ? "the host is missing: postgres://user:password@host/database, or ?host=/var/run/postgresql"
            : dsn.Database.Length == 0 ? "the database is missing: postgres://user:password@host/database"
            : null;
        return fault is null ? dsn : null;
    }

    string? Take(string name, string value, out PostgresDsn next)
    {
        next = this;
        switch (name)
        {
            case "host":
                next = this with { Hosts = value };
                return null;
            case "schema" when value.Length > 0 && value.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'):
                next = this with { Schema = value };
                return null;
            case "schema":
                return "schema takes small letters, digits and underscores";
            case "sslrootcert":
                next = this with { RootCertificate = value };
                return null;
            case "sslmode" when Enum.TryParse<SslMode>(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var mode):
                next = this with { SslMode = mode };
                return null;
            case "sslmode":
                return $"sslmode={value} is not known: disable, allow, prefer, require, verify-ca or verify-full";
            case "connections" when int.TryParse(value, CultureInfo.InvariantCulture, out var count) && count is >= 8 and <= 1000:
                next = this with { Connections = count };
                return null;
            case "connections":
                return "connections takes a number from 8 to 1000";
            case "durability" when value is "full" or "relaxed":
                next = this with { IsRelaxed = value == "relaxed" };
                return null;
            case "durability":
                return "durability takes full or relaxed";
            default:
                return $"the option {name} is not known; there are {Options}";
        }
    }

    /// <summary>A name or address with or without a port, or a folder with the server's socket.</summary>
    static bool IsHost(string text)
    {
        if (text.StartsWith('/'))
            return true;
        var end = text.LastIndexOf(':');
        var isAddress = IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;
        var (name, port) = end < 0 || isAddress ? (text, null) : (text[..end], text[(end + 1)..]);
        return (isAddress || Uri.CheckHostName(name) != UriHostNameType.Unknown)
            && (port is null || (ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0));
    }

    /// <summary>What may be shown: without the password.</summary>
    public override string ToString() => $"postgres://{Uri.EscapeDataString(User)}@{Hosts}/{Uri.EscapeDataString(Database)}";

    static (string, string?) Split(string text, char at)
    {
        var i = text.IndexOf(at, StringComparison.Ordinal);
        return i < 0 ? (text, null) : (text[..i], text[(i + 1)..]);
    }
}
