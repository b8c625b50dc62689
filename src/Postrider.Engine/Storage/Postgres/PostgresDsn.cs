using System.Globalization;
using Npgsql;

namespace Postrider.Storage.Postgres;

/// <summary>The address of a PostgreSQL database: <c>postgres://user:password@host:5432/database?sslmode=require</c>, user, password and
/// database percent-encoded; several hosts with commas between them are one primary and its standbys.</summary>
public sealed record PostgresDsn
{
    const string Options = "host, sslmode, sslrootcert, schema, connections, durability";

    public required string Hosts { get; init; }
    public required string User { get; init; }
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

    /// <summary>What may be shown: without the password.</summary>
    public override string ToString() => $"postgres://{Uri.EscapeDataString(User)}@{Hosts}/{Uri.EscapeDataString(Database)}";

    static (string, string?) Split(string text, char at)
    {
        var i = text.IndexOf(at, StringComparison.Ordinal);
        return i < 0 ? (text, null) : (text[..i], text[(i + 1)..]);
    }
}
