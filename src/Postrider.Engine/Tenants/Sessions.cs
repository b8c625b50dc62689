using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Tenants;

/// <summary>Begins, recognises and ends the sessions of browsers.</summary>
public sealed class Sessions(ISessionStore store, TimeProvider clock, Entropy entropy)
{
    /// <summary>Unused for so long, a session ends. An open page uses it.</summary>
    public static readonly TimeSpan Idle = TimeSpan.FromHours(12);

    /// <summary>Used or not, a session ends.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    /// <summary>A session's use is written no more often: it is a page of the disk each time.</summary>
    static readonly TimeSpan BetweenTouches = TimeSpan.FromMinutes(5);

    const int SecretBytes = 32;
    const int MaxSecretLength = 64;
    const int MaxAgentLength = 200;

    /// <returns>What the browser's cookie holds; it is not stored.</returns>
    public async Task<string> BeginAsync(User user, string? address, string? agent)
    {
        var bytes = new byte[SecretBytes];
        entropy.Fill(bytes);
        var secret = Base64Url.EncodeToString(bytes);
        var now = clock.GetUtcNow();
        await store.AddAsync(new Session(
            IdOf(secret), user.Id, now, now, now + Longest, address, agent is null ? "" : agent[..Math.Min(agent.Length, MaxAgentLength)]));
        return secret;
    }

    /// <summary>Who is signed in by this cookie; null: nobody, or not any more.</summary>
    public async Task<SignedIn?> FindAsync(string secret, CancellationToken ct)
    {
        if (secret.Length is 0 or > MaxSecretLength)
            return null;
        return await AliveAsync([IdOf(secret)], ct) is [var found] ? found : null;
    }

    /// <summary>Those of the sessions that still are, with their users as they are now; their use is noted.</summary>
    public async Task<IReadOnlyList<SignedIn>> AliveAsync(IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var alive = (await store.FindAsync(ids, ct)).Where(s => now < s.Session.EndsAt && now - s.Session.SeenAt < Idle).ToList();
        var stale = alive.Where(s => now - s.Session.SeenAt >= BetweenTouches).Select(s => s.Session.Id).ToList();
        if (stale.Count > 0)
            await store.TouchAsync(stale, now);
        return alive;
    }

    public Task<IReadOnlyList<Session>> ListAsync(long userId, CancellationToken ct) => store.ListAsync(userId, ct);

    public Task<bool> EndAsync(string id) => store.RemoveAsync(id);

    public Task<int> EndAllAsync(long userId) => store.RemoveOfUserAsync(userId);

    static string IdOf(string secret) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
