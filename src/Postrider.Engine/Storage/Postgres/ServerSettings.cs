using System.Globalization;

namespace Postrider.Storage.Postgres;

/// <summary>Settings of a PostgreSQL server that decide whether what it acknowledged is still there after a power cut. Pure.</summary>
static class ServerSettings
{
    public static readonly IReadOnlyList<string> Names =
    [
        "fsync", "full_page_writes", "synchronous_commit", "zero_damaged_pages", "ignore_checksum_failure", "server_encoding",
        "server_version_num", "default_transaction_isolation", IdleTimeout,
    ];

    const string IdleTimeout = "idle_in_transaction_session_timeout";

    /// <summary>What our sessions ask for, in milliseconds. By it alone a process that freezes lets go of its rows.</summary>
    public const int IdleMilliseconds = 10_000;

    /// <summary>Sentences that say what is wrong and what to do; none when all is well.</summary>
    /// <param name="settings">As in <c>pg_settings</c>, of a session of ours.</param>
    /// <param name="isRelaxed">Losing mail at a power cut was asked for.</param>
    public static IReadOnlyList<string> Faults(IReadOnlyDictionary<string, string> settings, int oldestVersion, bool isRelaxed)
    {
        var faults = new List<string>();
        string Of(string name) => settings.GetValueOrDefault(name, "");
        if (!int.TryParse(Of("server_version_num"), CultureInfo.InvariantCulture, out var version) || version < oldestVersion)
            faults.Add($"it is version {version / 10000}; Postrider needs {oldestVersion / 10000} or newer.");
        if (Of("server_encoding") != "UTF8")
            faults.Add($"the database has the encoding {Of("server_encoding")}; "
                + "make it with: createdb --encoding=UTF8 --template=template0 NAME");
        if (Of("default_transaction_isolation") != "read committed")
            faults.Add($"sessions start as {Of("default_transaction_isolation")} although read committed is asked for: "
                + "connect to the server directly, not through a pooler that drops session settings.");
        if (Of(IdleTimeout) != IdleMilliseconds.ToString(CultureInfo.InvariantCulture))
            faults.Add($"{IdleTimeout} is {Of(IdleTimeout)} ms in our sessions although {IdleMilliseconds} are asked for: connect to the "
                + "server directly, or through a pooler in session mode that hands the start-up options on.");
        if (isRelaxed)
            return faults;
        foreach (var name in (string[])["fsync", "full_page_writes"])
        {
            if (Of(name) != "on")
                faults.Add($"{name} is {Of(name)}: a power cut can destroy the database. Set {name}=on in postgresql.conf.");
        }
        if (Of("synchronous_commit") == "off")
            faults.Add("synchronous_commit is off: mail that was accepted is lost at a power cut. Set it to on "
                + "(ALTER DATABASE NAME SET synchronous_commit = on), or accept the loss with durability=relaxed in POSTRIDER_STORE.");
        foreach (var name in (string[])["zero_damaged_pages", "ignore_checksum_failure"])
        {
            if (Of(name) == "on")
                faults.Add($"{name} is on: damage is passed over in silence. Set {name}=off.");
        }
        return faults;
    }
}
