using System.Collections.Frozen;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>A tenant, or why not; exactly one is set.</summary>
public readonly record struct TenantResult
{
    public TenantResult(Tenant tenant) => Tenant = tenant;
    public TenantResult(Problem problem) => Problem = problem;

    public Tenant? Tenant { get; }
    public Problem? Problem { get; }
}

/// <summary>All tenants, in memory: their settings are asked for with every message. A change counts at once on the node that makes it and,
/// as <see cref="TenantRefresher"/> reads what changed, within a second on all.</summary>
/// <remarks>An id without a record has the default settings: a key may outlive what a restored database knows of its tenant.</remarks>
public sealed class TenantDirectory(ITenantStore store, TimeProvider clock) : IDisposable
{
    const int MaxNameLength = 100;

    /// <summary>Times that a change is made anew because the tenant was changed at the same time.</summary>
    const int MaxTries = 5;

    static readonly FrozenDictionary<TenantId, Tenant> None = FrozenDictionary<TenantId, Tenant>.Empty;

    readonly SemaphoreSlim _reading = new(1, 1);
    volatile FrozenDictionary<TenantId, Tenant> _all = None;
    long _seen; // the highest revision read; guarded by _reading

    /// <summary>Raised after any change, by whichever node it was made.</summary>
    public event Action? Changed;

    /// <summary>In the order of their ids.</summary>
    public IReadOnlyList<Tenant> All => [.. _all.Values.OrderBy(tenant => tenant.Id.Value)];

    public Tenant? Find(TenantId id) => _all.GetValueOrDefault(id);

    /// <summary>From memory, without waiting.</summary>
    public TenantSettings SettingsOf(TenantId id) => _all.TryGetValue(id, out var tenant) ? tenant.Settings : TenantSettings.Default;

    public bool IsArchived(TenantId id) => _all.TryGetValue(id, out var tenant) && tenant.ArchivedAt is not null;

    /// <summary>Reads what changed since it last did.</summary>
    public async Task RefreshAsync(CancellationToken ct)
    {
        await _reading.WaitAsync(ct);
        try
        {
            var changed = await store.ChangedSinceAsync(_seen, ct);
            if (changed.Count == 0)
                return;
            var all = new Dictionary<TenantId, Tenant>(_all);
            foreach (var tenant in changed)
                all[tenant.Id] = tenant;
            _all = all.ToFrozenDictionary();
            _seen = changed[^1].Revision;
        }
        finally
        {
            _reading.Release();
        }
        Changed?.Invoke();
    }

    public async Task<TenantResult> AddAsync(string name, TenantSettings settings, CancellationToken ct)
    {
        if (Refuse(name, settings) is { } problem)
            return new TenantResult(problem);
        if (await store.AddAsync(name, settings, clock.GetUtcNow(), ct) is not { } tenant)
            return new TenantResult(TenantProblems.NameTaken(name));
        await RefreshAsync(ct);
        return new TenantResult(tenant);
    }

    /// <summary>Changes name or settings.</summary>
    public Task<TenantResult> ChangeAsync(TenantId id, Func<Tenant, Tenant> change, CancellationToken ct) =>
        ReplaceAsync(id, tenant =>
        {
            var changed = change(tenant);
            return Refuse(changed.Name, changed.Settings) is { } problem ? new TenantResult(problem) : new TenantResult(changed);
        }, ct);

    /// <summary>Stops a tenant: its keys are refused, nothing of it is delivered. The first one cannot be stopped.</summary>
    public Task<TenantResult> ArchiveAsync(TenantId id, CancellationToken ct) => id == TenantId.First
        ? Task.FromResult(new TenantResult(TenantProblems.FirstStays))
        : ReplaceAsync(id, tenant => new TenantResult(tenant with { ArchivedAt = tenant.ArchivedAt ?? clock.GetUtcNow() }), ct);

    /// <summary>Lets a stopped tenant go on.</summary>
    public Task<TenantResult> RestoreAsync(TenantId id, CancellationToken ct) =>
        ReplaceAsync(id, tenant => new TenantResult(tenant with { ArchivedAt = null }), ct);

    public void Dispose() => _reading.Dispose();

    async Task<TenantResult> ReplaceAsync(TenantId id, Func<Tenant, TenantResult> change, CancellationToken ct)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            if (Find(id) is not { } now)
                return new TenantResult(TenantProblems.Absent);
            var wanted = change(now);
            if (wanted.Tenant is not { } tenant)
                return wanted;
            var written = await store.ReplaceAsync(tenant, ct);
            if (written.NameIsTaken)
                return new TenantResult(TenantProblems.NameTaken(tenant.Name));
            await RefreshAsync(ct);
            if (written.Tenant is { } stored)
                return new TenantResult(stored);
        }
        return new TenantResult(TenantProblems.ChangedMeanwhile);
    }

    static Problem? Refuse(string name, TenantSettings settings)
    {
        if (name.Length is 0 or > MaxNameLength || !HeaderText.IsSafe(name, out _))
            return TenantProblems.InvalidField("/name", $"A name has 1 to {MaxNameLength} characters, without control characters.");
        if (settings.Weight is < 1 or > TenantSettings.MaxWeight)
            return TenantProblems.InvalidField("/settings/weight", $"Must be a whole number from 1 to {TenantSettings.MaxWeight}.");
        if (settings.RedriveEvery is { } every && (every < TimeSpan.FromMinutes(1) || every > TimeSpan.FromDays(7)))
            return TenantProblems.InvalidField("/settings/redrive/every", "Must be 1m to 7d.");
        if (settings.RedriveFor is { } span && (span < settings.RedriveEvery || span > TimeSpan.FromDays(30)))
            return TenantProblems.InvalidField("/settings/redrive/for", "Must be at least as long as every, and 30d at most.");
        (string Name, long? Value)[] counts =
        [
            ("max_queued", settings.MaxQueued), ("api_calls_per_minute", settings.ApiCallsPerMinute),
            ("max_storage_bytes", settings.MaxStorageBytes), ("daily_quota", settings.DailyQuota), ("monthly_quota", settings.MonthlyQuota),
        ];
        foreach (var (field, value) in counts)
            if (value < 0)
                return TenantProblems.InvalidField($"/settings/{field}", "Must be a whole number, or 0 for no limit.");
        return null;
    }
}
