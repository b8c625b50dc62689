using System.Collections.Concurrent;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>Keys in memory, for tests that count reads or take the storage away; held to the same contract as the real ones.</summary>
sealed class MemoryKeyStore : IKeyStore
{
    readonly ConcurrentDictionary<string, StoredKey> _keys = new(StringComparer.Ordinal);
    ReadOnlyMemory<byte>? _canary;

    public int Reads;

    /// <summary>Every call fails.</summary>
    public bool IsDown { get; set; }

    /// <summary>Reads wait for it; null: they do not.</summary>
    public Task? Hold { get; set; }

    public async Task<StoredKey?> FindAsync(string id, CancellationToken ct)
    {
        Interlocked.Increment(ref Reads);
        ThrowIfDown();
        var found = _keys.GetValueOrDefault(id);
        if (Hold is { } hold)
            await hold;
        return found;
    }

    public Task<IReadOnlyList<ApiKey>> ListAsync(TenantId tenant, CancellationToken ct)
    {
        ThrowIfDown();
        return Task.FromResult<IReadOnlyList<ApiKey>>(
            [.. _keys.Values.Select(k => k.Key).Where(k => k.Tenant == tenant)
                .OrderByDescending(k => k.CreatedAt).ThenByDescending(k => k.Id, StringComparer.Ordinal)]);
    }

    public Task<bool> AddAsync(StoredKey key, CancellationToken ct)
    {
        ThrowIfDown();
        return Task.FromResult(_keys.TryAdd(key.Key.Id, key));
    }

    public Task<bool> ReplaceHashAsync(string id, ReadOnlyMemory<byte> secretHash, CancellationToken ct) =>
        Task.FromResult(Change(id, key => key with { SecretHash = secretHash }));

    public Task<bool> RevokeAsync(TenantId tenant, string id, DateTimeOffset at, CancellationToken ct) =>
        Task.FromResult(_keys.TryGetValue(id, out var key) && key.Key.Tenant == tenant
            && Change(id, k => k with { Key = k.Key with { RevokedAt = k.Key.RevokedAt ?? at } }));

    public Task RecordUsesAsync(IReadOnlyList<KeyUse> uses, CancellationToken ct)
    {
        ThrowIfDown();
        foreach (var use in uses)
            Change(use.Id, k => k.Key.LastUsedAt is { } last && last >= use.At ? k : k with { Key = k.Key with { LastUsedAt = use.At } });
        return Task.CompletedTask;
    }

    public Task<bool> AnyAsync(CancellationToken ct) => Task.FromResult(!_keys.IsEmpty);

    public Task<ReadOnlyMemory<byte>> GetOrAddCanaryAsync(ReadOnlyMemory<byte> canary, CancellationToken ct) =>
        Task.FromResult(_canary ??= canary);

    bool Change(string id, Func<StoredKey, StoredKey> change)
    {
        ThrowIfDown();
        if (!_keys.TryGetValue(id, out var key))
            return false;
        _keys[id] = change(key);
        return true;
    }

    void ThrowIfDown()
    {
        if (IsDown)
            throw new StoreUnavailableException("down");
    }
}
