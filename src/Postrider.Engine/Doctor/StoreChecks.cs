using System.Globalization;

namespace Postrider.Doctor;

/// <summary>The database: that it can be used, keeps what it took, and can be had back.</summary>
static class StoreChecks
{
    static readonly TimeSpan BackupAge = TimeSpan.FromDays(7);

    /// <summary>Statements at each end of the comparison take their time.</summary>
    static readonly TimeSpan ClockDifference = TimeSpan.FromSeconds(5);

    static readonly TimeSpan ClockBehind = TimeSpan.FromMinutes(1);

    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("store.unusable", "Can the database be opened?", static (facts, found) => facts.Store is { Fault: { } fault } store
            ? [found.Fault($"{store.Name}: {fault}", "Do what the message says; docs/backup.md tells how a backup is restored.")]
            : []),
        Check.Of("store.damaged", "Do its pages fit each other?", static (facts, found) => facts.Store is { Damage: { } damage } store
            ? [found.Fault($"The database {store.Name} is damaged: {damage}.",
                "Stop the server, and restore the last backup: postrider restore FILE. What came since can be read with: sqlite3 FILE .recover")]
            : []),
        Check.Of("store.settings", "Does it keep what it acknowledged?", static (facts, found) =>
            facts.Store?.UnsafeSettings.Select(setting => found.Fault($"{facts.Store.Name}: {setting}",
                "Change the setting of the database; a server refuses to start on it.")) ?? []),
        Check.Of("store.newer", "Does this program know its schema?", static (facts, found) =>
            facts.Store is { Schema: { } schema } store && schema > store.KnownSchema + store.SchemaMayBeAhead
                ? [found.Fault(Invariant($"The database has schema version {schema}, and this program knows up to {store.KnownSchema}."),
                    "Use the newer program, or restore the backup from before the upgrade.")]
                : []),
        Check.Of("store.older", "Is its schema up to date?", static (facts, found) =>
            facts is { IsRunning: false, AnyNodeRuns: true, Store: { Schema: { } schema } store } && schema < store.KnownSchema
                ? [found.Warning(
                    Invariant($"The database has schema version {schema}, and this program brings it to {store.KnownSchema} at its start."),
                    "Bring it up to date before the nodes of the new version start: postrider migrate.")]
                : []),
        Check.Of("store.connections", "Does the database grant every node its connections?", static (facts, found) =>
            facts.Store is { MaxConnections: { } most } store && Math.Max(1, facts.Nodes.Count) * store.NodeConnections > most
                ? [found.Fault(Invariant($"{Math.Max(1, facts.Nodes.Count)} nodes may open {store.NodeConnections} connections each, and the server ")
                        + Invariant($"grants {most}: some are refused under load."),
                    "Raise max_connections of the server, or lower connections= in POSTRIDER_STORE.")]
                : []),
        Check.Of("clock.differs", "Do all clocks show the same time?", static (facts, found) =>
            facts.Clocks.Where(clock => clock.Ahead.Duration() > ClockDifference).Select(clock => found.Warning(
                Invariant($"The clock of {clock.Whose} is {clock.Ahead.Duration().TotalSeconds:0} s {(clock.Ahead > TimeSpan.Zero ? "ahead of" : "behind")} ours: ")
                    + "schedules, expiry and signed callbacks go by it.",
                "Let both machines follow a time server (chrony, systemd-timesyncd)."))),
        Check.Of("clock.behind", "Has the clock gone back?", static (facts, found) =>
            facts.Store?.NewestMessage is { } newest && newest - facts.Now > ClockBehind
                ? [found.Fault(Invariant($"The newest message is of {newest.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, and the clock shows ")
                        + Invariant($"{facts.Now.UtcDateTime:yyyy-MM-dd HH:mm:ss}: it was set back, or is wrong."),
                    "Set the clock; let the machine follow a time server.")]
                : []),
        Check.Of("backup.old", "Is there a backup?", static (facts, found) =>
            facts.Store is { IsBackedUpByUs: true, MadeAt: { } made } store && facts.Now - (store.BackedUpAt ?? made) > BackupAge
                ? [found.Warning(store.BackedUpAt is { } last
                        ? Invariant($"The last backup is of {last.UtcDateTime:yyyy-MM-dd}.") : "There was never a backup of this database.",
                    "Make one each night: postrider backup FILE, on another disk. docs/backup.md has the line for cron.")]
                : []),
    ];

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The master key and the keys of callers.</summary>
static class SecretChecks
{
    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("master-key.missing", "Is the master key there?", static (facts, found) => facts.MasterKey == SecretFact.Missing
            ? [found.Fault("The database was sealed with a master key, and there is none: a server refuses to start.",
                "Put the file master.key back into the data folder, from a backup perhaps, or give the key in POSTRIDER_MASTER_KEY_FILE.")]
            : []),
        Check.Of("master-key.wrong", "Does it open what it sealed?", static (facts, found) => facts.MasterKey == SecretFact.Wrong
            ? [found.Fault("The master key is not the one that the database was sealed with: a server refuses to start.",
                "Give the right one; with a database restored from a backup, restore its key too.")]
            : []),
        Check.Of("master-key.beside", "Is the master key apart from what it seals?", static (facts, found) =>
            facts.MasterKey == SecretFact.InDatabase
                ? [found.Warning("The master key lies in the database, beside the secrets that it seals: whoever has a dump has both.",
                    "Give all nodes the key in POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE (docs/postgresql.md).")]
                : []),
        Check.Of("keys.none", "Can anybody call?", static (facts, found) => facts.Store is { UsableKeys: 0 }
            ? [found.Fault("Every API key is revoked or has expired: nobody can hand mail in.",
                "Start the server with POSTRIDER_API_KEY set to a key of your own, and make others with postrider keys create.")]
            : []),
        Check.Of("keys.ending", "Do the keys in use last?", static (facts, found) =>
            facts.Store?.EndingKeys.Select(key => found.Warning(
                $"The API key \"{key.Name}\" is in use and expires on {ConfigurationChecks.Day(key.Ends)}.",
                "Make another with postrider keys create, give it to whoever uses this one, and revoke it then.")) ?? []),
    ];
}
