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

/// <summary>What is paused: while a scope covers a piece of work, no permit is asked for it. Mail goes on being accepted. Thread-safe.</summary>
public sealed class Pauses
{
    volatile IReadOnlyList<Pause> _all = [];
    readonly Lock _lock = new();

    public IReadOnlyList<Pause> All => _all;

    /// <summary>Raised after any change.</summary>
    public event Action? Changed;

    public bool Covers(TenantId tenant, MailStream stream, string route)
    {
        foreach (var pause in _all)
            if (pause.Scope.Covers(tenant, stream, route))
                return true;
        return false;
    }

    /// <summary>False: it was there already.</summary>
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

    /// <summary>False: there was none of exactly this scope.</summary>
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
