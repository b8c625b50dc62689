using System.Collections.Concurrent;
using Postrider.Tenants;

namespace Postrider.Dashboard.Access;

/// <summary>A signed-in browser that has pages open on this node.</summary>
sealed class LiveSession(SignedIn signedIn) : IDisposable
{
    readonly CancellationTokenSource _ended = new();
    volatile SignedIn _current = signedIn;

    public string Id => Current.Session.Id;

    /// <summary>With the user as last looked at: another role counts within <see cref="SessionWatch.Every"/>.</summary>
    public SignedIn Current
    {
        get => _current;
        set => _current = value;
    }

    /// <summary>Cancelled when the session was revoked, has ended, or its user is gone.</summary>
    public CancellationToken Ended => _ended.Token;

    public void End() => _ended.Cancel();

    public void Dispose() => _ended.Dispose();
}

/// <summary>Which sessions have pages open on this node, over which connections: so that a session that is revoked takes its pages with it,
/// and nobody opens more than their share.</summary>
sealed class LiveSessions
{
    /// <summary>Pages that one user may have open on a node.</summary>
    public const int MaxOfUser = 20;

    /// <summary>Pages open on a node: each keeps some hundred kilobytes, and mail comes first.</summary>
    public const int MaxOfAll = 500;

    readonly Lock _lock = new();
    readonly Dictionary<HttpContext, LiveSession> _connections = [];         // guarded by _lock
    readonly ConcurrentDictionary<string, LiveSession> _sessions = [];      // written under _lock
    bool _isClosed;                                                         // guarded by _lock

    /// <summary>Given whenever there is a first session.</summary>
    public SemaphoreSlim Any { get; } = new(0);

    public IReadOnlyCollection<string> Ids => [.. _sessions.Keys];

    public LiveSession? Find(string id) => _sessions.GetValueOrDefault(id);

    /// <summary>The process stops: no page is live any more.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_lock)
                return _isClosed;
        }
    }

    /// <summary>A page's connection begins. False: there are too many, or the process stops.</summary>
    public bool TryEnter(HttpContext context, SignedIn signedIn)
    {
        lock (_lock)
        {
            if (_isClosed || _connections.Count >= MaxOfAll || IsFull_NeedsLock(signedIn.User))
                return false;
            var session = _sessions.GetOrAdd(signedIn.Session.Id, static (_, s) => new LiveSession(s), signedIn);
            session.Current = signedIn;
            _connections.Add(context, session);
            if (_connections.Count == 1)
                Any.Release();
            return true;
        }
    }

    /// <summary>Whether another page of this user would be refused.</summary>
    public bool IsFull(User user)
    {
        lock (_lock)
            return IsFull_NeedsLock(user);
    }

    public void Leave(HttpContext context)
    {
        lock (_lock)
        {
            if (_connections.Remove(context, out var session) && !_connections.ContainsValue(session))
                _sessions.TryRemove(session.Id, out _);
        }
    }

    /// <summary>Takes a session's pages down: what they run is cancelled, their connections are cut.</summary>
    public void End(string id)
    {
        List<HttpContext> connections;
        lock (_lock)
        {
            if (!_sessions.TryRemove(id, out var session))
                return;
            session.End();
            connections = [.. _connections.Where(c => c.Value == session).Select(c => c.Key)];
        }
        foreach (var connection in connections)
            connection.Abort();
    }

    /// <summary>Takes all pages down and lets none come: a server waits, as it stops, for connections that are open, and a page would keep
    /// its own for ever, or come back at once.</summary>
    public void Close()
    {
        List<string> all;
        lock (_lock)
            (_isClosed, all) = (true, [.. _sessions.Keys]);
        foreach (var id in all)
            End(id);
    }

    bool IsFull_NeedsLock(User user) => _connections.Values.Count(s => s.Current.User.Id == user.Id) >= MaxOfUser;
}
