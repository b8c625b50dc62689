using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>What a person may do in the dashboard. The numbers are stored.</summary>
public enum UserRole : byte
{
    /// <summary>Look at everything of the tenant, change nothing.</summary>
    Viewer = 0,
    /// <summary>Send, cancel, retry, pause, templates, suppressions, the tenant's own transports and routes, and whatever else changes how
    /// its mail goes.</summary>
    Operator = 1,
    /// <summary>Keys, users and the audit too; of the first tenant what all share: tenants, nodes, their transports and routes.</summary>
    Admin = 2,
}

/// <summary>A person who signs in to the dashboard, for one tenant.</summary>
public sealed record User
{
    /// <summary>Counts up, never given twice.</summary>
    public required long Id { get; init; }
    public required TenantId Tenant { get; init; }

    /// <summary>What is typed to sign in, such as an email address; unique in the installation without regard to case.</summary>
    public required string Name { get; init; }
    public required UserRole Role { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null: may sign in.</summary>
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Null: never yet.</summary>
    public DateTimeOffset? LastSignInAt { get; init; }

    /// <summary>False until one is chosen, and after a reset.</summary>
    public required bool HasPassword { get; init; }

    /// <summary>+1 whenever the password is chosen or reset: a link made before is worth nothing from then on.</summary>
    public required int Stamp { get; init; }

    public Scopes Scopes => Role switch
    {
        UserRole.Viewer => Scopes.Read,
        UserRole.Operator => Scopes.Send | Scopes.Read | Scopes.Manage,
        UserRole.Admin => Scopes.All,
    };

    /// <summary>The person as the one who calls, for everything that takes a credential.</summary>
    public Principal ToPrincipal() => new(Tenant, $"user:{Name}", Scopes, ExpiresAt: null, IsToken: false);
}

/// <summary>A user as stored.</summary>
/// <param name="PasswordHash">In the form of <see cref="PasswordHash"/>; null when none is chosen.</param>
public sealed record StoredUser(User User, string? PasswordHash);

/// <summary>A browser in which somebody is signed in.</summary>
/// <param name="Id">SHA-256 of what the browser's cookie holds, in base64url: what is stored lets nobody in.</param>
/// <param name="EndsAt">Used or not.</param>
/// <param name="Agent">The browser's own name, for the list of sessions; at most 200 characters.</param>
public sealed record Session(
    string Id, long UserId, DateTimeOffset CreatedAt, DateTimeOffset SeenAt, DateTimeOffset EndsAt, string? Address, string Agent);

/// <summary>A session with the user as he is now.</summary>
public sealed record SignedIn(Session Session, User User);

/// <summary>Keeps users. Each write is on disk when its task completes.</summary>
/// <remarks>Every call throws <see cref="StoreUnavailableException"/> when the storage cannot be reached. What takes a password away or
/// disables a user ends the user's sessions in the same transaction.</remarks>
public interface IUserStore
{
    /// <summary>By what was typed. Null when there is none. Not filtered by tenant: this is where the tenant comes from.</summary>
    Task<StoredUser?> FindAsync(string name, CancellationToken ct);
    Task<StoredUser?> FindAsync(long id, CancellationToken ct);

    /// <summary>By name.</summary>
    Task<IReadOnlyList<User>> ListAsync(TenantId tenant, CancellationToken ct);

    /// <summary>Whether the first tenant has an administrator who chose a password.</summary>
    Task<bool> HasAdministratorAsync(CancellationToken ct);

    /// <summary>Null when the name is taken.</summary>
    Task<User?> AddAsync(TenantId tenant, string name, UserRole role, DateTimeOffset at);

    /// <summary>The first administrator; null when there is one already. A user of the name who has not chosen a password yet becomes
    /// it.</summary>
    Task<User?> AddFirstAsync(string name, string passwordHash, DateTimeOffset at);

    /// <summary>False when the user is gone or disabled, or the stamp is not this one any more.</summary>
    Task<bool> SetPasswordAsync(long id, int stamp, string passwordHash);

    /// <summary>Takes the password away. Null: absent, or another tenant's.</summary>
    Task<User?> ResetAsync(TenantId tenant, long id);

    /// <summary>Null: absent, or another tenant's.</summary>
    /// <param name="role">Null: as it is.</param>
    /// <param name="isDisabled">Null: as it is.</param>
    Task<User?> ChangeAsync(TenantId tenant, long id, UserRole? role, bool? isDisabled, DateTimeOffset at);

    /// <summary>False: absent, or another tenant's.</summary>
    Task<bool> RemoveAsync(TenantId tenant, long id);
}

/// <summary>A key of what browsers are given to bring back.</summary>
/// <param name="Sealed">Under <see cref="Sealer"/>.</param>
public sealed record ProtectionKey(string Id, ReadOnlyMemory<byte> Sealed);

/// <summary>Keeps the dashboard's own keys, for all nodes. Each write is on disk when its task completes.</summary>
public interface IProtectionKeyStore
{
    /// <summary>Oldest first.</summary>
    Task<IReadOnlyList<ProtectionKey>> ListAsync();

    /// <summary>One that is there stays.</summary>
    Task AddAsync(ProtectionKey key, DateTimeOffset at);
}

/// <summary>Keeps sessions; one that is not there is not valid. Each write is on disk when its task completes.</summary>
public interface ISessionStore
{
    /// <summary>Also notes the sign-in at the user, and forgets sessions whose end is past.</summary>
    Task AddAsync(Session session);

    /// <summary>Those that are there, of users who are not disabled, with their users.</summary>
    Task<IReadOnlyList<SignedIn>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken ct);

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<Session>> ListAsync(long userId, CancellationToken ct);

    /// <summary>Only ever moves <see cref="Session.SeenAt"/> forward.</summary>
    Task TouchAsync(IReadOnlyCollection<string> ids, DateTimeOffset at);
    Task<bool> RemoveAsync(string id);
    Task<int> RemoveOfUserAsync(long userId);
}
