namespace Postrider.Tenants;

/// <summary>Slows down who guesses passwords, and nobody else: failures are counted for a name at a source, so that an attacker locks out
/// only himself, and for a source over all names. Of one node.</summary>
/// <remarks>After <see cref="FreeTries"/> failures a pair waits 1 s, then twice as long after each, up to <see cref="LongestWait"/>. What
/// has been quiet for <see cref="Memory"/> is forgotten.</remarks>
public sealed class SignInThrottle(TimeProvider clock)
{
    const int FreeTries = 5;
    const int FreeTriesOfSource = 30;

    /// <summary>Pairs and sources remembered; the ones that were quiet longest go first.</summary>
    const int MaxRemembered = 20_000;

    static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);
    static readonly TimeSpan Memory = TimeSpan.FromMinutes(30);

    readonly Lock _lock = new();
    readonly Dictionary<(string Name, string Source), Failures> _failures = [];   // guarded by _lock

    /// <summary>How long this name must wait at this source; null: it may try now.</summary>
    public TimeSpan? Wait(string name, string source)
    {
        lock (_lock)
        {
            var (pair, all) = (WaitOf_NeedsLock((name, source)), WaitOf_NeedsLock(("", source)));
            return pair is null || all > pair ? all : pair;
        }
    }

    public void Failed(string name, string source)
    {
        lock (_lock)
        {
            Note_NeedsLock((name, source), FreeTries);
            Note_NeedsLock(("", source), FreeTriesOfSource);
            if (_failures.Count > MaxRemembered)
                foreach (var (key, _) in _failures.OrderBy(f => f.Value.At).Take(MaxRemembered / 10).ToList())
                    _failures.Remove(key);
        }
    }

    public void Succeeded(string name, string source)
    {
        lock (_lock)
            _failures.Remove((name, source));
    }

    TimeSpan? WaitOf_NeedsLock((string, string) key)
    {
        if (!_failures.TryGetValue(key, out var failures))
            return null;
        var left = failures.NotBefore - clock.GetUtcNow();
        return left > TimeSpan.Zero ? left : null;
    }

    void Note_NeedsLock((string, string) key, int free)
    {
        var now = clock.GetUtcNow();
        var count = _failures.TryGetValue(key, out var before) && now - before.At < Memory ? before.Count + 1 : 1;
        var wait = count < free ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(LongestWait.TotalSeconds, Math.Pow(2, count - free)));
        _failures[key] = new Failures(count, now, now + wait);
    }

    readonly record struct Failures(int Count, DateTimeOffset At, DateTimeOffset NotBefore);
}
