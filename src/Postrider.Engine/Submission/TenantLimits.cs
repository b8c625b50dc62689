using System.Collections.Concurrent;
using System.Globalization;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Submission;

/// <summary>How much a tenant may hand over, and have waiting: what one sends must not be the others' outage.</summary>
/// <remarks>Kept by each process for itself: what waits is counted in the store at most once a second, and what is accepted in between is
/// added here.</remarks>
sealed class TenantLimits(IMessageReader reader, TimeProvider clock, SubmissionOptions options)
{
    static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan WhenFull = TimeSpan.FromSeconds(30);

    readonly Rate? _rate = Rate.TryParse(options.Rate, out var rate) ? rate : null;
    readonly long _started = clock.GetTimestamp();
    readonly ConcurrentDictionary<TenantId, Tenant> _tenants = new();

    /// <summary>Null: these recipients may come; they are counted from here on, whether or not they are stored.</summary>
    public async ValueTask<Problem?> RefuseAsync(TenantId id, int recipients)
    {
        if (_rate is null && options.MaxWaiting == 0)
            return null;
        var tenant = _tenants.GetOrAdd(id, static _ => new Tenant());
        try
        {
            if (options.MaxWaiting > 0 && await WaitingAsync(id, tenant) + recipients > options.MaxWaiting)
                return Full(options.MaxWaiting);
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            return SubmissionProblems.StorageUnavailable;
        }
        if (_rate is { } limit && Charge(tenant, limit, recipients) is { } wait)
            return TooFast(options.Rate, wait);
        Interlocked.Add(ref tenant.Waiting, recipients);
        return null;
    }

    async ValueTask<long> WaitingAsync(TenantId id, Tenant tenant)
    {
        Task counting;
        lock (tenant)
        {
            if (tenant.CountedAt is { } at && clock.GetElapsedTime(at) < CountEvery)
                return Interlocked.Read(ref tenant.Waiting);
            counting = tenant.Counting ??= Task.Run(() => CountAsync(id, tenant)); // one count serves all who ask meanwhile
        }
        await counting;
        return Interlocked.Read(ref tenant.Waiting);
    }

    async Task CountAsync(TenantId id, Tenant tenant)
    {
        try
        {
            var counts = await reader.CountAsync(id, CancellationToken.None);
            lock (tenant)
            {
                Interlocked.Exchange(ref tenant.Waiting, counts.Scheduled + counts.Queued + counts.Leased + counts.Unknown);
                tenant.CountedAt = clock.GetTimestamp();
            }
        }
        finally
        {
            lock (tenant)
                tenant.Counting = null;
        }
    }

    /// <summary>Not null: how long until there is room.</summary>
    TimeSpan? Charge(Tenant tenant, Rate limit, int recipients)
    {
        var now = clock.GetElapsedTime(_started);
        lock (tenant)
        {
            var earliest = Gcra.Earliest(tenant.Rate, limit, now, reserved: 0);
            if (earliest > now)
                return earliest - now;
            tenant.Rate = Gcra.Charge(tenant.Rate, limit, now, recipients);
            return null;
        }
    }

    static Problem Full(long most) => new("queue-full", 429, "Queue full", string.Create(CultureInfo.InvariantCulture,
        $"{most} recipients of this tenant may wait at a time, and these would be more. Nothing was stored; send it again later."))
    {
        RetryAfter = WhenFull,
    };

    static Problem TooFast(string rate, TimeSpan wait) => new("rate-limited", 429, "Rate limited",
        $"This tenant may hand over {rate} recipients. Nothing was stored; send it again when Retry-After is over.")
    {
        RetryAfter = wait,
    };

    /// <summary>What is known of one tenant.</summary>
    sealed class Tenant
    {
        public long Waiting;       // recipients: as counted, and accepted since

        // Guarded by the tenant itself:
        public Task? Counting;
        public long? CountedAt;    // timestamp
        public GcraState Rate;
    }
}
