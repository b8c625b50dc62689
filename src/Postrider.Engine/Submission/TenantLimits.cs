using System.Collections.Concurrent;
using System.Globalization;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Submission;

/// <summary>How much a tenant may hand over, and have waiting: what one sends must not be the others' outage.</summary>
/// <remarks>Kept by each process for itself: what waits and what is stored is counted in the store at most once a second, and what is
/// accepted in between is added here. So one process keeps to a limit, and several overshoot by what the others accept within a
/// second.</remarks>
sealed class TenantLimits(IMessageReader reader, TimeProvider clock, SubmissionOptions options)
{
    static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan WhenFull = TimeSpan.FromSeconds(30);

    /// <summary>Messages are removed by age: room does not come within seconds.</summary>
    static readonly TimeSpan WhenStorageFull = TimeSpan.FromMinutes(10);

    readonly Rate? _rate = Rate.TryParse(options.Rate, out var rate) ? rate : null;
    readonly long _started = clock.GetTimestamp();
    readonly ConcurrentDictionary<TenantId, Tenant> _tenants = new();

    /// <summary>Null: no tenant has limits of its own.</summary>
    public TenantDirectory? Tenants { get; set; }

    /// <summary>Null: they are not counted.</summary>
    public TenantQuotas? Quotas { get; set; }

    /// <summary>Null: these recipients may come; they are counted from here on, whether or not they are stored.</summary>
    /// <param name="bytes">About what will be stored.</param>
    /// <param name="countsQuota">False: what becomes of it is counted piece by piece (<see cref="RoomAsync"/>).</param>
    public async ValueTask<Problem?> RefuseAsync(TenantId id, int recipients, long bytes, bool countsQuota = true)
    {
        var settings = SettingsOf(id);
        return await RefuseNowAsync(id, settings, recipients, bytes)
            ?? (countsQuota && Quotas is not null ? await Quotas.RefuseAsync(id, settings, recipients) : null);
    }

    /// <summary>Null: destinations, or what they will share, of so many bytes may be stored; they are counted from here on.</summary>
    public async ValueTask<Problem?> RefuseStorageAsync(TenantId id, long bytes)
    {
        if (SettingsOf(id).MaxStorageBytes is not (> 0 and var most))
            return null;
        var tenant = _tenants.GetOrAdd(id, static _ => new Tenant());
        try
        {
            await CountedAsync(id, tenant);
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            return SubmissionProblems.StorageUnavailable;
        }
        if (tenant.AllBytes + bytes > most)
            return StorageFull(most);
        Interlocked.Add(ref tenant.Destinations, bytes);
        return null;
    }

    /// <summary>What was counted and not accepted after all; what waits is counted anew anyway.</summary>
    public ValueTask ReturnAsync(TenantId id, int recipients) => Quotas?.ReturnAsync(id, recipients) ?? ValueTask.CompletedTask;

    /// <summary>How many of so many may come now, for what can wait for the rest: they are counted against the quotas.</summary>
    /// <remarks>Stored destinations do not count here: a batch must not wait for room that it takes itself.</remarks>
    public async ValueTask<int> RoomAsync(TenantId id, int wanted)
    {
        var settings = SettingsOf(id);
        var mostWaiting = settings.MaxQueued ?? options.MaxWaiting;
        var mostBytes = settings.MaxStorageBytes ?? 0;
        if (mostWaiting > 0 || mostBytes > 0)
        {
            var tenant = _tenants.GetOrAdd(id, static _ => new Tenant());
            await CountedAsync(id, tenant);
            if (mostBytes > 0 && Interlocked.Read(ref tenant.Bytes) >= mostBytes)
                return 0;
            if (mostWaiting > 0)
                wanted = (int)Math.Clamp(mostWaiting - Interlocked.Read(ref tenant.Waiting), 0, wanted);
            Interlocked.Add(ref tenant.Waiting, wanted);
        }
        return Quotas is null ? wanted : await Quotas.TakeUpToAsync(id, settings, wanted);
    }

    /// <summary>What keeps the rest of a batch from becoming mail, in words; null: nothing that is the tenant's.</summary>
    public async ValueTask<string?> WhyNoRoomAsync(TenantId id, CancellationToken ct)
    {
        var settings = SettingsOf(id);
        var most = settings.MaxQueued ?? options.MaxWaiting;
        if (most > 0 || settings.MaxStorageBytes > 0)
        {
            var tenant = _tenants.GetOrAdd(id, static _ => new Tenant());
            await CountedAsync(id, tenant);
            if (most > 0 && Interlocked.Read(ref tenant.Waiting) >= most)
                return string.Create(CultureInfo.InvariantCulture, $"room: as many recipients wait as may, {most} (max_queued)");
            if (settings.MaxStorageBytes is > 0 and var bytes && Interlocked.Read(ref tenant.Bytes) >= bytes)
                return string.Create(CultureInfo.InvariantCulture, $"room: as many bytes are stored as may be, {bytes} (max_storage_bytes)");
        }
        return Quotas is null ? null : await Quotas.WhySpentAsync(id, settings, ct);
    }

    TenantSettings SettingsOf(TenantId id) => Tenants?.SettingsOf(id) ?? TenantSettings.Default;

    async ValueTask<Problem?> RefuseNowAsync(TenantId id, TenantSettings settings, int recipients, long bytes)
    {
        var mostWaiting = settings.MaxQueued ?? options.MaxWaiting;
        var mostBytes = settings.MaxStorageBytes ?? 0;
        if (_rate is null && mostWaiting == 0 && mostBytes == 0)
            return null;
        var tenant = _tenants.GetOrAdd(id, static _ => new Tenant());
        try
        {
            if (mostWaiting > 0 || mostBytes > 0)
                await CountedAsync(id, tenant); // both: a limit that comes later finds what is there
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            return SubmissionProblems.StorageUnavailable;
        }
        if (mostWaiting > 0 && Interlocked.Read(ref tenant.Waiting) + recipients > mostWaiting)
            return Full(mostWaiting);
        if (mostBytes > 0 && tenant.AllBytes + bytes > mostBytes)
            return StorageFull(mostBytes);
        if (_rate is { } limit && Charge(tenant, limit, recipients) is { } wait)
            return TooFast(options.Rate, wait);
        Interlocked.Add(ref tenant.Waiting, recipients);
        Interlocked.Add(ref tenant.Bytes, bytes);
        return null;
    }

    /// <summary>What is known of the tenant is a second old at most.</summary>
    async ValueTask CountedAsync(TenantId id, Tenant tenant)
    {
        Task counting;
        lock (tenant)
        {
            if (tenant.CountedAt is { } at && clock.GetElapsedTime(at) < CountEvery)
                return;
            counting = tenant.Counting ??= Task.Run(() => CountAsync(id, tenant)); // one count serves all who ask meanwhile
        }
        await counting;
    }

    async Task CountAsync(TenantId id, Tenant tenant)
    {
        try
        {
            var counts = await reader.CountAsync(id, CancellationToken.None);
            var bytes = await reader.StoredBytesAsync(id, CancellationToken.None);
            lock (tenant)
            {
                Interlocked.Exchange(ref tenant.Waiting, counts.Scheduled + counts.Queued + counts.Leased + counts.Unknown);
                Interlocked.Exchange(ref tenant.Bytes, bytes.Contents);
                Interlocked.Exchange(ref tenant.Destinations, bytes.Destinations);
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

    static Problem StorageFull(long most) => new("storage-full", 429, "Tenant's storage is full", string.Create(
        CultureInfo.InvariantCulture,
        $"{most} bytes of mail may be stored for this tenant, and this would be more. Nothing was stored; it goes when old messages or lists are removed."))
    {
        RetryAfter = WhenStorageFull,
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
        public long Bytes;         // of stored messages: as counted, and accepted since
        public long Destinations;  // bytes of stored ones: the same

        public long AllBytes => Interlocked.Read(ref Bytes) + Interlocked.Read(ref Destinations);

        // Guarded by the tenant itself:
        public Task? Counting;
        public long? CountedAt;    // timestamp
        public GcraState Rate;
    }
}
