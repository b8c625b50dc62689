using System.Collections.Frozen;
using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>What an operator stopped; parts that are null mean all. All three null: everything.</summary>
public readonly record struct PauseScope(TenantId? Tenant, MailStream? Stream, string? Route)
{
    public bool Covers(TenantId tenant, MailStream stream, string route) =>
        (Tenant is null || Tenant == tenant) && (Stream is null || Stream == stream) && (Route is null || Route == route);
}

/// <summary>A pause in force.</summary>
/// <param name="Reason">The operator's words, or null.</param>
public sealed record Pause(PauseScope Scope, DateTimeOffset Since, string? Reason);

/// <summary>Keeps pauses over a restart: mail that an operator stopped must not leave because a process ended.</summary>
public interface IPauseStore
{
    Task<IReadOnlyList<Pause>> LoadAsync(CancellationToken ct);

    /// <summary>On disk when the task completes. One of the same scope stays as it is.</summary>
    Task AddAsync(Pause pause, CancellationToken ct);

    /// <summary>On disk when the task completes.</summary>
    Task RemoveAsync(PauseScope scope, CancellationToken ct);
}

/// <summary>What is paused: while a scope covers a piece of work, no permit is asked for it.
/// Mail goes on being accepted. Thread-safe.</summary>
/// <param name="store">Null: pauses last as long as the process.</param>
public sealed class Pauses(IPauseStore? store = null)
{
    readonly Lock _lock = new();
    readonly List<Pause> _adding = [];   // guarded by _lock: held in memory, not yet known to be on disk
    volatile IReadOnlyList<Pause> _all = [];
    volatile FrozenSet<TenantId> _stopped = FrozenSet<TenantId>.Empty;

    public IReadOnlyList<Pause> All => _all;

    /// <summary>Raised after any change.</summary>
    public event Action? Changed;

    public bool Covers(TenantId tenant, MailStream stream, string route)
    {
        if (_stopped.Contains(tenant))
            return true;
        foreach (var pause in _all)
            if (pause.Scope.Covers(tenant, stream, route))
                return true;
        return false;
    }

    /// <summary>From now on nothing of these tenants is delivered, whatever is paused beside; of others what is not paused goes
    /// on.</summary>
    public void Stop(IEnumerable<TenantId> tenants)
    {
        var stopped = tenants.ToFrozenSet();
        if (stopped.SetEquals(_stopped))
            return;
        _stopped = stopped;
        Changed?.Invoke();
    }

    /// <summary>Takes up what is stored: before anything is delivered, and whenever another node changed it.</summary>
    public async Task LoadAsync(CancellationToken ct)
    {
        if (store is null)
            return;
        var stored = await store.LoadAsync(ct);
        lock (_lock)
        {
            // One that this node is just adding holds already, and may not have been on disk when it was read.
            Pause[] all = [.. stored, .. _adding.Where(adding => stored.All(other => other.Scope != adding.Scope))];
            if (all.ToHashSet().SetEquals(_all))
                return;
            _all = all;
        }
        Changed?.Invoke();
    }

    /// <summary>Holds at once, and over a restart when the task completes. False: it was there already.</summary>
    public async Task<bool> AddAsync(Pause pause, CancellationToken ct)
    {
        if (store is null)
            return Add(pause);
        lock (_lock)
            _adding.Add(pause);
        try
        {
            var added = Add(pause);
            await store.AddAsync(pause, ct); // also when it was there: an earlier write may have failed
            return added;
        }
        finally
        {
            lock (_lock)
                _adding.Remove(pause);
        }
    }

    /// <summary>Ends when it is off the disk. False: there was none of exactly this scope.</summary>
    public async Task<bool> RemoveAsync(PauseScope scope, CancellationToken ct)
    {
        var wasThere = _all.Any(pause => pause.Scope == scope);
        if (store is not null)
            await store.RemoveAsync(scope, ct);
        // What is stored may have been read again meanwhile.
        return Remove(scope) || wasThere;
    }

    /// <summary>As <see cref="AddAsync"/>, for as long as the process lasts.</summary>
    public bool Add(Pause pause)
    {
        lock (_lock)
        {
            if (_all.Any(other => other.Scope == pause.Scope))
                return false;
            _all = [.. _all, pause];
        }
        Changed?.Invoke();
        return true;
    }

    /// <summary>As <see cref="RemoveAsync"/>, in memory only.</summary>
    public bool Remove(PauseScope scope)
    {
        lock (_lock)
        {
            if (!_all.Any(other => other.Scope == scope))
                return false;
            _all = [.. _all.Where(other => other.Scope != scope)];
        }
        Changed?.Invoke();
        return true;
    }
}
