using System.Collections.Concurrent;
using System.Globalization;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Submission;

/// <summary>How many recipients a tenant may hand over in a day and in a month (UTC), over restarts and on all nodes together.</summary>
/// <remarks>A node takes parts in advance, on disk, as for a transport (<see cref="IQuotaStore"/>): never more than the quota is accepted.
/// What a node holds when it dies counts as used: at most a hundredth of what was left, and 1,000.</remarks>
public sealed class TenantQuotas(IQuotaStore store, TimeProvider clock) : IAsyncDisposable
{
    /// <summary>That nothing is left is believed for so long: a caller who goes on costs no commit each time.</summary>
    static readonly TimeSpan Believed = TimeSpan.FromSeconds(1);

    const string QuotaSpent = "quota-spent";

    readonly ConcurrentDictionary<TenantId, Held> _tenants = new();

    /// <summary>Null: so many are taken; otherwise none, and why.</summary>
    public async ValueTask<Problem?> RefuseAsync(TenantId tenant, TenantSettings settings, int recipients)
    {
        if (recipients == 0 || QuotasOf(settings) is not { Count: > 0 } quotas)
            return null;
        var held = _tenants.GetOrAdd(tenant, static _ => new Held());
        await held.Gate.WaitAsync();
        try
        {
            return await TakeAsync(held, tenant, quotas, recipients);
        }
        finally
        {
            held.Gate.Release();
        }
    }

    /// <summary>As many as are left, at most <paramref name="wanted"/>: for what can wait for the rest. They are taken.</summary>
    public async ValueTask<int> TakeUpToAsync(TenantId tenant, TenantSettings settings, int wanted)
    {
        while (wanted > 0 && await RefuseAsync(tenant, settings, wanted) is { } problem)
            wanted = problem.Slug == QuotaSpent ? wanted / 2 : 0;
        return wanted;
    }

    /// <summary>Which quota is used up and until when, in words; null: none.</summary>
    public async ValueTask<string?> WhySpentAsync(TenantId tenant, TenantSettings settings, CancellationToken ct)
    {
        if (QuotasOf(settings) is not { Count: > 0 } quotas)
            return null;
        var now = clock.GetUtcNow();
        var used = await store.UsedAsync(quotas.ConvertAll(quota => new Part(tenant, quota, quota.StartOf(now)).Ask(0)), ct);
        foreach (var (quota, count) in quotas.Zip(used))
            if (count >= quota.Count && (!_tenants.TryGetValue(tenant, out var held) || !await HasPartAsync(held, quota)))
                return string.Create(CultureInfo.InvariantCulture,
                    $"the tenant's quota of {quota.Count} recipients in a {WordOf(quota.Span)}, which is used up (until {quota.EndOf(now):yyyy-MM-ddTHH:mm:ssZ})");
        return null;
    }

    static async Task<bool> HasPartAsync(Held held, Quota quota)
    {
        await held.Gate.WaitAsync();
        var has = held.Parts.TryGetValue(quota.Span, out var part) && part.Count > 0;
        held.Gate.Release();
        return has;
    }

    static string WordOf(QuotaSpan span) => span == QuotaSpan.Day ? "day" : "month";

    /// <summary>They were not accepted after all.</summary>
    public async ValueTask ReturnAsync(TenantId tenant, int recipients)
    {
        if (!_tenants.TryGetValue(tenant, out var held))
            return;
        await held.Gate.WaitAsync();
        foreach (var part in held.Parts.Values)
            part.Count += recipients;
        held.Gate.Release();
    }

    /// <summary>What the node holds and does not need goes back; where the store is away it counts as used.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            var unused = _tenants.Values.SelectMany(held => held.Parts.Values).Where(part => part.Count > 0)
                .Select(part => part.Ask(part.Count)).ToList();
            _tenants.Clear();
            if (unused.Count > 0)
                await store.GiveBackAsync(unused);
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or ObjectDisposedException)
        {
            // As when the process dies.
        }
    }

    static List<Quota> QuotasOf(TenantSettings settings)
    {
        var quotas = new List<Quota>(2);
        if (settings.DailyQuota is > 0 and var daily)
            quotas.Add(new Quota(daily, QuotaSpan.Day));
        if (settings.MonthlyQuota is > 0 and var monthly)
            quotas.Add(new Quota(monthly, QuotaSpan.Month));
        return quotas;
    }

    async Task<Problem?> TakeAsync(Held held, TenantId tenant, List<Quota> quotas, int recipients)
    {
        var parts = quotas.ConvertAll(quota => held.Of(tenant, quota, clock.GetUtcNow()));
        var missing = parts.FindAll(part => part.Count < recipients);
        if (missing.Find(part => part.IsKnownToLack(recipients, clock)) is { } spent)
            return Spent(spent.Quota, clock.GetUtcNow());
        if (missing.Count > 0)
        {
            try
            {
                var granted = await store.TakeAsync(missing.ConvertAll(part => part.Ask(recipients - part.Count)));
                foreach (var (part, count) in missing.Zip(granted))
                    part.Count += count;
                if (missing.Find(part => part.Count < recipients) is { } lacking)
                {
                    lacking.NoteLack(clock);
                    // Other nodes may have what is too little here.
                    var back = missing.FindAll(part => part.Count > 0).ConvertAll(part => part.Ask(part.Count));
                    missing.ForEach(static part => part.Count = 0);
                    if (back.Count > 0)
                        await store.GiveBackAsync(back);
                    return Spent(lacking.Quota, clock.GetUtcNow());
                }
            }
            catch (StoreUnavailableException)
            {
                return SubmissionProblems.StorageUnavailable;
            }
            catch (StorageLowException)
            {
                return SubmissionProblems.StorageLow;
            }
        }
        parts.ForEach(part => part.Count -= recipients);
        return null;
    }

    static Problem Spent(Quota quota, DateTimeOffset now)
    {
        var end = quota.EndOf(now);
        return new Problem(QuotaSpent, 429, "Quota spent", string.Create(CultureInfo.InvariantCulture,
            $"This tenant may send to {quota.Count} recipients in a {WordOf(quota.Span)} (UTC), and these ")
            + string.Create(CultureInfo.InvariantCulture,
                $"would be more. Nothing was stored; send it again from {end:yyyy-MM-ddTHH:mm:ssZ} on."))
        {
            RetryAfter = end - now,
        };
    }

    /// <summary>What this node holds of a tenant's quotas.</summary>
    sealed class Held
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        // Both guarded by the gate.
        public Dictionary<QuotaSpan, Part> Parts { get; } = [];

        public Part Of(TenantId tenant, Quota quota, DateTimeOffset now)
        {
            var start = quota.StartOf(now);
            if (!Parts.TryGetValue(quota.Span, out var part) || part.Start != start || part.Quota != quota)
            {
                // Of another quota in the same window what is held stays good: it is used all the same.
                var kept = part is not null && part.Start == start ? part.Count : 0;
                Parts[quota.Span] = part = new Part(tenant, quota, start) { Count = kept };
            }
            return part;
        }
    }

    /// <summary>Of one quota in one window.</summary>
    sealed class Part(TenantId tenant, Quota quota, DateTimeOffset start)
    {
        long? _lackedAt;    // timestamp
        long _lackedAbove;

        public Quota Quota => quota;
        public DateTimeOffset Start => start;
        public long Count { get; set; }

        public QuotaAsk Ask(long count) => new($"tenant {tenant}", quota, start, count);

        public void NoteLack(TimeProvider clock) => (_lackedAt, _lackedAbove) = (clock.GetTimestamp(), Count);

        public bool IsKnownToLack(int recipients, TimeProvider clock) =>
            _lackedAt is { } at && recipients > _lackedAbove && clock.GetElapsedTime(at) < Believed;
    }
}
