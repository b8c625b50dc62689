using System.Globalization;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>A user, or why not; exactly one is set.</summary>
/// <param name="Link">What leads to choosing a password; null where one is chosen.</param>
public readonly record struct UserResult(User? User, string? Link, Problem? Problem)
{
    public static implicit operator UserResult(Problem problem) => new(null, null, problem);
}

/// <summary>Who may sign in to the dashboard: adding, signing in, choosing passwords by links.</summary>
public sealed class Users(
    IUserStore store, UserLinks links, SignInThrottle throttle, TimeProvider clock, Entropy entropy) : IDisposable
{
    const int MaxNameLength = 200;

    /// <summary>Passwords tried at once: each takes a processor for a tenth of a second, and mail needs them too.</summary>
    const int TriesAtOnce = 1;

    /// <summary>Who waits for that longer is told to come back.</summary>
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    readonly SemaphoreSlim _tries = new(TriesAtOnce);

    public Task<bool> HasAdministratorAsync(CancellationToken ct) => store.HasAdministratorAsync(ct);

    /// <summary>What makes the first administrator; null when there is one.</summary>
    public async Task<string?> FirstLinkAsync(CancellationToken ct) => await store.HasAdministratorAsync(ct) ? null : links.ForFirst();

    public Task<IReadOnlyList<User>> ListAsync(TenantId tenant, CancellationToken ct) => store.ListAsync(tenant, ct);

    /// <summary>The same refusal for every cause, in the same time.</summary>
    /// <param name="source">Where it comes from: an address.</param>
    public async Task<UserResult> SignInAsync(string name, string password, string source, CancellationToken ct)
    {
        name = Trimmed(name);
        if (throttle.Wait(name, source) is { } wait)
            return UserProblems.TooManyTries(wait);
        if (name.Length > MaxNameLength || password.Length > PasswordRules.MaxLength)
            return UserProblems.NotSignedIn;
        var found = await store.FindAsync(name, ct);
        if (await MatchesAsync(password, found?.PasswordHash, ct) is not { } matches)
            return UserProblems.Busy;
        if (!matches || found is not { User.DisabledAt: null })
        {
            throttle.Failed(name, source);
            return UserProblems.NotSignedIn;
        }
        throttle.Succeeded(name, source);
        return new UserResult(found.User, null, null);
    }

    /// <summary>Who a link is for; null where it is not good any more.</summary>
    public async Task<(UserLink Link, User? User)?> OpenAsync(string text, CancellationToken ct)
    {
        if (links.Read(text) is not { } link)
            return null;
        if (link.IsForFirst)
            return await store.HasAdministratorAsync(ct) ? null : (link, null);
        return await store.FindAsync(link.UserId, ct) is { User: { DisabledAt: null } user } && user.Stamp == link.Stamp
            ? (link, user) : null;
    }

    /// <summary>Uses up a link.</summary>
    /// <param name="name">What the first administrator wants to be called; without meaning for others.</param>
    public async Task<UserResult> ChoosePasswordAsync(string text, string name, string password, CancellationToken ct)
    {
        if (await OpenAsync(text, ct) is not { } opened)
            return UserProblems.LinkEnded;
        name = opened.User?.Name ?? Trimmed(name);
        if (RefuseName(name) is { } badName)
            return badName;
        if (PasswordRules.Fault(password, name) is { } fault)
            return TenantProblems.InvalidField("/password", fault);
        var hash = PasswordHash.Of(password, entropy);
        if (opened.User is not { } user)
            return await store.AddFirstAsync(name, hash, clock.GetUtcNow()) is { } first
                ? new UserResult(first, null, null) : UserProblems.NameTaken(name);
        return await store.SetPasswordAsync(user.Id, user.Stamp, hash) ? new UserResult(user, null, null) : UserProblems.LinkEnded;
    }

    /// <summary>Another password for somebody who knows the one there is. Ends all sessions.</summary>
    public async Task<UserResult> ChangePasswordAsync(User user, string old, string password, string source, CancellationToken ct)
    {
        var known = await SignInAsync(user.Name, old, source, ct);
        if (known.User is not { } same)
            return known;
        if (PasswordRules.Fault(password, same.Name) is { } fault)
            return TenantProblems.InvalidField("/password", fault);
        return await store.SetPasswordAsync(same.Id, same.Stamp, PasswordHash.Of(password, entropy)) ? known : UserProblems.LinkEnded;
    }

    /// <summary>Adds one to the caller's tenant, with a link by which the password is chosen.</summary>
    public async Task<UserResult> AddAsync(Principal by, string name, UserRole role)
    {
        name = Trimmed(name);
        if (RefuseName(name) is { } problem)
            return problem;
        if (await store.AddAsync(by.Tenant, name, role, clock.GetUtcNow()) is { } user)
            return new UserResult(user, links.For(user), null);
        var isOwn = (await store.FindAsync(name, CancellationToken.None))?.User.Tenant == by.Tenant;
        return isOwn ? UserProblems.NameTaken(name) : UserProblems.NameUnusable(name);
    }

    /// <summary>Takes a user's password away and ends the sessions; a link gives another one.</summary>
    public async Task<UserResult> ResetAsync(Principal by, long id) => await store.ResetAsync(by.Tenant, id) is { } user
        ? new UserResult(user, links.For(user), null) : UserProblems.Absent;

    /// <param name="role">Null: as it is.</param>
    /// <param name="isDisabled">Null: as it is. A disabled user's sessions end.</param>
    public async Task<UserResult> ChangeAsync(Principal by, long id, UserRole? role, bool? isDisabled) =>
        await store.ChangeAsync(by.Tenant, id, role, isDisabled, clock.GetUtcNow()) is { } user
            ? new UserResult(user, null, null) : UserProblems.Absent;

    /// <summary>False: absent, or another tenant's.</summary>
    public Task<bool> RemoveAsync(Principal by, long id) => store.RemoveAsync(by.Tenant, id);

    public void Dispose() => _tries.Dispose();

    /// <summary>Null: too many try at the same time.</summary>
    async Task<bool?> MatchesAsync(string password, string? hash, CancellationToken ct)
    {
        if (!await _tries.WaitAsync(LongestWait, ct))
            return null;
        try
        {
            return await Task.Run(() => PasswordHash.Matches(password, hash), ct);
        }
        finally
        {
            _tries.Release();
        }
    }

    static Problem? RefuseName(string name) =>
        name.Length is > 0 and <= MaxNameLength && !name.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
            ? null
            : TenantProblems.InvalidField("/name", string.Create(CultureInfo.InvariantCulture,
            $"A name has 1 to {MaxNameLength} characters without spaces, such as an email address."));

    static string Trimmed(string name) => name.Trim();
}

/// <summary>The refusals about users.</summary>
public static class UserProblems
{
    /// <summary>Unknown, wrong, disabled: one and the same.</summary>
    public static Problem NotSignedIn { get; } = new(
        "not-signed-in", 401, "Not signed in", "Name or password is not right. After a reset, use the link that came of it.");

    public static Problem TooManyTries(TimeSpan wait) => new("too-many-tries", 429, "Too many tries", string.Create(
        CultureInfo.InvariantCulture, $"Too many tries that failed. Wait {Seconds(wait)} and try again."))
    {
        RetryAfter = wait,
    };

    static string Seconds(TimeSpan wait) => Math.Ceiling(wait.TotalSeconds) is > 1 and var seconds
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0} seconds") : "a second";

    public static Problem Busy { get; } = new(
        "busy", 503, "Busy", "Many people sign in at the moment. Try again in a few seconds.")
    { RetryAfter = TimeSpan.FromSeconds(5) };

    public static Problem LinkEnded { get; } = new("link-ended", 410, "Link has ended",
        "This link is not good any more: it was used, it is older than a day, or another one was made. "
        + "postrider users reset NAME makes a new one; for the first administrator a restart prints one.");

    public static Problem NameTaken(string name) => new("user-exists", 409, "User exists", $"There is a user '{name}' already.");

    /// <summary>It does not say whose it is, nor that it is anybody's: a tenant learns nothing of the others' people.</summary>
    public static Problem NameUnusable(string name) => new(
        "name-unusable", 409, "Name cannot be used", $"'{name}' cannot be used here as a name to sign in with. Choose another.");

    public static Problem Absent { get; } = new("not-found", 404, "Not found", "There is no such user.");
}
