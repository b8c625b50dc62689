namespace Postrider.Doctor;

/// <summary>Everything that was gathered of an installation at one moment. What could not be looked at is left out.</summary>
public sealed record Facts
{
    public required DateTimeOffset Now { get; init; }

    /// <summary>Of this program.</summary>
    public required string Version { get; init; }

    /// <summary>It was gathered by the server itself.</summary>
    public bool IsRunning { get; init; }

    /// <summary>A process has the database, and nothing answers where it should listen.</summary>
    public bool IsSilent { get; init; }
    public IReadOnlyList<string> ConfigurationFaults { get; init; } = [];
    public IReadOnlyList<string> ConfigurationWarnings { get; init; } = [];

    /// <summary>Pairs of transports that lead to the same account at the same place.</summary>
    public IReadOnlyList<(string First, string Second)> Twins { get; init; } = [];

    /// <summary>Transports that keep mail in the inbox although this is no place to try things out.</summary>
    public IReadOnlyList<string> Captures { get; init; } = [];

    /// <summary>Where traces and metrics are to be sent, and why nobody takes them there.</summary>
    public IReadOnlyList<(string Endpoint, string Why)> DeafCollectors { get; init; } = [];

    /// <summary>How the world reaches us; null: it is not said.</summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>Opens and clicks of mail are tracked where a message does not say otherwise.</summary>
    public bool Tracks { get; init; }

    /// <summary>The address that is asked for, and why it could not be listened on.</summary>
    public IReadOnlyList<(string Address, string Why)> ClosedPorts { get; init; } = [];

    /// <summary>Of our own https addresses and SMTP; null: there is none, or we make it ourselves.</summary>
    public CertificateFact? Certificate { get; init; }
    public IReadOnlyList<PathFact> Paths { get; init; } = [];

    /// <summary>Null: too little is known of how the database grows.</summary>
    public GrowthFact? Growth { get; init; }

    /// <summary>Where SQLite and secrets lie; null: nothing is kept here.</summary>
    public DiskFact? Disk { get; init; }
    public StoreFact? Store { get; init; }
    public SecretFact MasterKey { get; init; }

    /// <summary>Other clocks, and how far they are ahead of ours.</summary>
    public IReadOnlyList<(string Whose, TimeSpan Ahead)> Clocks { get; init; } = [];

    /// <summary>Those that live; on SQLite the only one there can be, whether it runs or not.</summary>
    public IReadOnlyList<NodeFact> Nodes { get; init; } = [];

    /// <summary>Any of them runs now.</summary>
    public bool AnyNodeRuns { get; init; }
    public IReadOnlyList<TransportFact> Transports { get; init; } = [];
    public IReadOnlyList<RouteFact> Routes { get; init; } = [];
    public IReadOnlyList<DnsFact> Dns { get; init; } = [];
}

/// <summary>A certificate and when it ends.</summary>
public sealed record CertificateFact(string Name, DateTimeOffset Ends);

/// <summary>A file or folder that only its owner may read.</summary>
/// <param name="Mode">Null: the system has no such modes.</param>
public sealed record PathFact(string Path, UnixFileMode? Mode);

/// <summary>The disk under a folder.</summary>
/// <param name="NeededBytes">Below it no mail is accepted.</param>
/// <param name="Format">Of the file system, as the system calls it: <c>ext4</c>.</param>
public sealed record DiskFact(string Folder, long FreeBytes, long NeededBytes, string Format);

/// <summary>How the database has grown in the last days.</summary>
/// <param name="FullIn">When there is no room left if it grows on so; null: it does not, or nobody here knows how much room it has.</param>
public sealed record GrowthFact(double BytesPerDay, TimeSpan? FullIn);

/// <summary>Whether the master key opens what this database holds.</summary>
public enum SecretFact : byte
{
    /// <summary>It could not be looked at, or nothing was sealed yet.</summary>
    Unknown,
    Fits,

    /// <summary>The database was sealed with one, and there is none.</summary>
    Missing,

    /// <summary>It is another one.</summary>
    Wrong,

    /// <summary>It lies in the database, beside what it seals.</summary>
    InDatabase,
}

/// <summary>What the database says of itself and of the mail in it.</summary>
public sealed record StoreFact
{
    /// <summary>Its path or address, without a password.</summary>
    public required string Name { get; init; }

    /// <summary>Why it cannot be used, with what to do; null: it can.</summary>
    public string? Fault { get; init; }

    /// <summary>How pages contradict each other; null: they do not, or nobody looked.</summary>
    public string? Damage { get; init; }

    /// <summary>Settings that endanger what was acknowledged, each with what to do.</summary>
    public IReadOnlyList<string> UnsafeSettings { get; init; } = [];

    /// <summary>Null: there is no schema yet.</summary>
    public int? Schema { get; init; }

    /// <summary>What this program knows.</summary>
    public int KnownSchema { get; init; }

    /// <summary>Steps ahead of this program that it works with.</summary>
    public int SchemaMayBeAhead { get; init; }

    /// <summary>Connections that the server grants to us; null: it has no such limit.</summary>
    public int? MaxConnections { get; init; }

    /// <summary>Most connections of one node.</summary>
    public int NodeConnections { get; init; }

    /// <summary>Keys that are neither revoked nor expired; null: unknown.</summary>
    public int? UsableKeys { get; init; }

    /// <summary>Those of them that are used and end soon.</summary>
    public IReadOnlyList<(string Name, DateTimeOffset Ends)> EndingKeys { get; init; } = [];

    /// <summary>When the newest message was taken, by the clock of then.</summary>
    public DateTimeOffset? NewestMessage { get; init; }

    /// <summary>When the database was made.</summary>
    public DateTimeOffset? MadeAt { get; init; }

    /// <summary>The last backup by <c>postrider backup</c>; null: none yet.</summary>
    public DateTimeOffset? BackedUpAt { get; init; }

    /// <summary>Whether <c>postrider backup</c> is for it.</summary>
    public bool IsBackedUpByUs { get; init; }

    /// <summary>Since when the oldest mail that is not paused could have gone; null: nothing is due.</summary>
    public DateTimeOffset? OldestDue { get; init; }

    /// <summary>What an operator has stopped, in words.</summary>
    public IReadOnlyList<string> Pauses { get; init; } = [];

    /// <summary>Recipients that each transport took of late, by its key.</summary>
    public IReadOnlyDictionary<string, long> Taken { get; init; } = new Dictionary<string, long>();

    /// <summary>Transports of which anything was reported of late, by their keys.</summary>
    public IReadOnlyCollection<string> Heard { get; init; } = [];
}

/// <summary>A process that shares the store.</summary>
/// <param name="Roles">As configured: names with white space between, or <c>all</c>.</param>
public sealed record NodeFact(string Name, string Roles, string Version);

/// <summary>What a transport showed when it was looked at.</summary>
public sealed record TransportFact(string Key, string Scheme)
{
    /// <summary>Whether its provider reports over HTTP.</summary>
    public bool Reports { get; init; }

    /// <summary>Why it is down, to follow its name; null: it is not, or somebody paused it.</summary>
    public string? Trouble { get; init; }
    public bool IsPaused { get; init; }

    /// <summary>Why it could not be connected to; null: it could, or nobody tried.</summary>
    public string? Unreachable { get; init; }

    /// <summary>Why its server does not let us in; null: it does, or nobody tried.</summary>
    public string? Refused { get; init; }

    /// <summary>Of its server; null: none was shown.</summary>
    public DateTimeOffset? CertificateEnds { get; init; }

    /// <summary>The last replies that failed.</summary>
    public IReadOnlyList<string> LastErrors { get; init; } = [];
}

/// <summary>A route of the installation.</summary>
/// <param name="Transports">Their keys, in order.</param>
/// <param name="Standbys">Those of them that are meant for when another one fails.</param>
public sealed record RouteFact(string Name, IReadOnlyList<string> Transports, IReadOnlyList<string> Standbys);

/// <summary>What is looked for in the DNS.</summary>
public enum DnsLook : byte
{
    Dkim,
    Spf,
    Dmarc,

    /// <summary>Where answers to mail from the domain go.</summary>
    Mx,

    /// <summary>Where reports of failure go.</summary>
    BounceMx,
    BounceSpf,
}

/// <summary>What the DNS said of a name.</summary>
/// <param name="Fault">What is wrong and what to do; null: all is well.</param>
/// <param name="IsSilent">Nobody could be asked.</param>
/// <param name="IsSigning">Of a key: it signs mail now.</param>
public sealed record DnsFact(DnsLook Kind, string Name, string? Fault, bool IsSilent = false, bool IsSigning = false);
