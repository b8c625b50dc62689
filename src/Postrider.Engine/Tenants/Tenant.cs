using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>One of those whose mail is kept apart: with keys, senders, limits and mail of its own.</summary>
public sealed record Tenant
{
    public required TenantId Id { get; init; }

    /// <summary>For people; unique among all tenants.</summary>
    public required string Name { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Since when it is stopped: its keys are refused and nothing of it is delivered; all it has stays. Null: it is not.</summary>
    public DateTimeOffset? ArchivedAt { get; init; }
    public TenantSettings Settings { get; init; } = TenantSettings.Default;

    /// <summary>Counts the changes of all tenants together: which one was last changed, and whether this is the newest of it.</summary>
    public long Revision { get; init; }
}

/// <summary>What holds for one tenant's mail; what is null is as the installation has it. Stored as JSON.</summary>
/// <remarks>Whoever needs another setting adds a member that may be absent. A member that this program does not know is kept: nodes of two
/// versions run side by side while they are replaced.</remarks>
public sealed record TenantSettings
{
    public static readonly TenantSettings Default = new();

    /// <summary>Of the form it is stored in. A higher one was written by a newer program.</summary>
    public int Version { get; init; } = 1;

    /// <summary>What becomes of an attempt that may have been accepted, where neither message nor route says.</summary>
    public AmbiguityPolicy? OnAmbiguous { get; init; }

    /// <summary>Recipients that may wait, scheduled ones included; 0: as many as the disk holds.</summary>
    public long? MaxQueued { get; init; }

    /// <summary>Calls of the HTTP API in a minute, on each node; 0: no limit.</summary>
    public int? ApiCallsPerMinute { get; init; }

    /// <summary>Bytes of stored messages; 0: no limit.</summary>
    public long? MaxStorageBytes { get; init; }

    /// <summary>Its share beside other tenants that have mail waiting for the same transports: twice the weight, twice the mail. 1 to
    /// <see cref="MaxWeight"/>; null: 1.</summary>
    public int? Weight { get; init; }

    /// <summary>Whether mail may come only from domains verified for it.</summary>
    public bool? RequireVerifiedSenders { get; init; }

    /// <summary>Recipients that may be sent to in a day (UTC); 0: no limit.</summary>
    public long? DailyQuota { get; init; }

    /// <summary>Recipients that may be sent to in a month (UTC); 0: no limit.</summary>
    public long? MonthlyQuota { get; init; }

    /// <summary>The installation's transports that its mail may go by, by name; null: all. Its own it may use anyway.</summary>
    public IReadOnlyList<string>? Transports { get; init; }

    /// <summary>Whether transports of its own may lead to private addresses, into the operator's network. The first tenant's
    /// may.</summary>
    public bool? AllowPrivateHosts { get; init; }

    /// <summary>How long a dead letter rests before it is sent again by itself, where what it died of may be over by now. Null:
    /// never.</summary>
    public TimeSpan? RedriveEvery { get; init; }

    /// <summary>For how long after it first died it is sent again by itself.</summary>
    public TimeSpan? RedriveFor { get; init; }

    /// <summary>What is tracked where the message does not say; null: nothing.</summary>
    public TenantTracking? Tracking { get; init; }

    /// <summary>What a newer program has written.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Others { get; set; }

    public const int MaxWeight = 1_000;

    public static readonly TimeSpan DefaultRedriveFor = TimeSpan.FromHours(24);
}

/// <summary>What is tracked of a tenant's mail where the message does not say.</summary>
/// <param name="IsStopped">The operator's switch: nothing is tracked whatever messages say, and the links of mail that was sent lead
/// nowhere.</param>
public sealed record TenantTracking(Tracked Transactional, Tracked Bulk, bool IsStopped)
{
    public Tracked Of(MailStream stream) => stream switch
    {
        MailStream.Transactional => Transactional,
        MailStream.Bulk => Bulk,
    };
}

/// <summary>Keeps tenants. Each write is on disk when its task completes.</summary>
/// <remarks>Every call throws <see cref="StoreUnavailableException"/> when the storage cannot be reached. The first tenant is there from
/// the start.</remarks>
public interface ITenantStore
{
    /// <summary>Those whose <see cref="Tenant.Revision"/> is above, in its order. Revisions become visible in their order: what was not
    /// there yet has a higher one than all that was.</summary>
    Task<IReadOnlyList<Tenant>> ChangedSinceAsync(long revision, CancellationToken ct);

    /// <summary>With the next id; null where another has the name.</summary>
    Task<Tenant?> AddAsync(string name, TenantSettings settings, DateTimeOffset at, CancellationToken ct);

    /// <summary>Puts it in place of the one with the same revision. <see cref="TenantWrite.Tenant"/> is null where nothing was
    /// written.</summary>
    Task<TenantWrite> ReplaceAsync(Tenant tenant, CancellationToken ct);
}

/// <summary>What came of a change.</summary>
/// <param name="Tenant">As stored; null where it was changed meanwhile, or another has the name.</param>
public readonly record struct TenantWrite(Tenant? Tenant, bool NameIsTaken);

/// <summary>Settings as they are stored: what is absent is left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(TenantSettings))]
public sealed partial class TenantSettingsJson : JsonSerializerContext;
