using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>Users and their sessions in the store's database.</summary>
public sealed class UserTables(ITableStore store) : IUserStore, ISessionStore
{
    const string Columns = "id, tenant, name, role, password, stamp, created, disabled, signed_in AS SignedIn";

    public Task<StoredUser?> FindAsync(string name, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>($"SELECT {Columns} FROM users WHERE login = @login", new { login = LoginOf(name) })?.ToStored(), ct);

    public Task<StoredUser?> FindAsync(long id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>($"SELECT {Columns} FROM users WHERE id = @id", new { id })?.ToStored(), ct);

    public Task<IReadOnlyList<User>> ListAsync(TenantId tenant, CancellationToken ct) => store.ReadAsync<IReadOnlyList<User>>(connection =>
        [
            .. connection.Query<Row>($"SELECT {Columns} FROM users WHERE tenant = @tenant ORDER BY login", new { tenant = tenant.Value })
                .Select(row => row.ToStored().User),
        ], ct);

    public Task<bool> HasAdministratorAsync(CancellationToken ct) => store.ReadAsync(HasAdministrator, ct);

    public Task<User?> AddAsync(TenantId tenant, string name, UserRole role, DateTimeOffset at) => store.WriteAsync(connection =>
        Insert(connection, tenant, name, role, null, at));

    public Task<User?> AddFirstAsync(string name, string passwordHash, DateTimeOffset at) => store.WriteAsync(connection =>
    {
        // Whoever counts up first goes on alone: two links that are opened at once make one administrator.
        connection.Execute("UPDATE tenant_changes SET revision = revision");
        if (HasAdministrator(connection))
            return null;
        var waiting = connection.QuerySingleOrDefault<Row>($"""
            UPDATE users SET role = @role, password = @passwordHash, stamp = stamp + 1
            WHERE login = @login AND tenant = @tenant AND password IS NULL AND disabled IS NULL RETURNING {Columns}
            """, new { login = LoginOf(name), tenant = TenantId.First.Value, role = (int)UserRole.Admin, passwordHash });
        return waiting?.ToStored().User ?? Insert(connection, TenantId.First, name, UserRole.Admin, passwordHash, at);
    });

    public Task<bool> SetPasswordAsync(long id, int stamp, string passwordHash) => store.WriteAsync(connection =>
    {
        var done = connection.Execute(
            "UPDATE users SET password = @passwordHash, stamp = stamp + 1 WHERE id = @id AND stamp = @stamp AND disabled IS NULL",
            new { id, stamp, passwordHash }) == 1;
        if (done)
            EndSessions(connection, id);
        return done;
    });

    public Task<User?> ResetAsync(TenantId tenant, long id) => store.WriteAsync(connection =>
    {
        var row = connection.QuerySingleOrDefault<Row>($"""
            UPDATE users SET password = NULL, stamp = stamp + 1 WHERE id = @id AND tenant = @tenant RETURNING {Columns}
            """, new { id, tenant = tenant.Value });
        if (row is not null)
            EndSessions(connection, id);
        return row?.ToStored().User;
    });

    public Task<User?> ChangeAsync(TenantId tenant, long id, UserRole? role, bool? isDisabled, DateTimeOffset at) =>
        store.WriteAsync(connection =>
        {
            var found = connection.QuerySingleOrDefault<Row>(
                $"SELECT {Columns} FROM users WHERE id = @id AND tenant = @tenant", new { id, tenant = tenant.Value });
            if (found is null)
                return null;
            var disabled = isDisabled switch { null => found.Disabled, true => found.Disabled ?? at.Ms, false => null };
            var row = connection.QuerySingleOrDefault<Row>(
                $"UPDATE users SET role = @role, disabled = @disabled WHERE id = @id RETURNING {Columns}",
                new { id, role = (int?)role ?? found.Role, disabled });
            if (disabled is not null)
                EndSessions(connection, id);
            return row?.ToStored().User;
        });

    public Task<bool> RemoveAsync(TenantId tenant, long id) => store.WriteAsync(connection =>
    {
        var gone = connection.Execute("DELETE FROM users WHERE id = @id AND tenant = @tenant", new { id, tenant = tenant.Value }) == 1;
        if (gone)
            EndSessions(connection, id);
        return gone;
    });

    public Task AddAsync(Session session) => store.WriteAsync(connection =>
    {
        var now = session.CreatedAt.Ms;
        connection.Execute("DELETE FROM sessions WHERE ends < @now", new { now });
        connection.Execute("""
            INSERT INTO sessions (id, user_id, created, seen, ends, address, agent) VALUES (@Id, @UserId, @now, @now, @ends, @Address, @Agent)
            """, new { session.Id, session.UserId, now, ends = session.EndsAt.Ms, session.Address, Agent = StoredText.Storable(session.Agent) });
        return connection.Execute("UPDATE users SET signed_in = @now WHERE id = @UserId", new { now, session.UserId });
    });

    // One at a time: by the primary key, and there are as many as people look at the dashboard.
    public Task<IReadOnlyList<SignedIn>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<SignedIn>>(connection =>
        [
            .. ids.Select(id => Find(connection, id)).OfType<SignedIn>(),
        ], ct);

    public Task<IReadOnlyList<Session>> ListAsync(long userId, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<Session>>(connection =>
        [
            .. connection.Query<SessionRow>(
                "SELECT id, user_id AS UserId, created, seen, ends, address, agent FROM sessions WHERE user_id = @userId ORDER BY created DESC",
                new { userId }).Select(row => row.ToSession()),
        ], ct);

    public Task TouchAsync(IReadOnlyCollection<string> ids, DateTimeOffset at) => store.WriteAsync(connection =>
    {
        foreach (var id in ids)
            connection.Execute("UPDATE sessions SET seen = @at WHERE id = @id AND seen < @at", new { id, at = at.Ms });
        return ids.Count;
    });

    public Task<bool> RemoveAsync(string id) =>
        store.WriteAsync(connection => connection.Execute("DELETE FROM sessions WHERE id = @id", new { id }) == 1);

    public Task<int> RemoveOfUserAsync(long userId) => store.WriteAsync(connection => EndSessions(connection, userId));

    static SignedIn? Find(DbConnection connection, string id)
    {
        if (connection.QuerySingleOrDefault<SessionRow>(
            "SELECT id, user_id AS UserId, created, seen, ends, address, agent FROM sessions WHERE id = @id", new { id }) is not { } session)
            return null;
        var user = connection.QuerySingleOrDefault<Row>(
            $"SELECT {Columns} FROM users WHERE id = @UserId AND disabled IS NULL", new { session.UserId });
        return user is null ? null : new SignedIn(session.ToSession(), user.ToStored().User);
    }

    static bool HasAdministrator(DbConnection connection) => connection.ExecuteScalar<long>("""
        SELECT count(*) FROM users WHERE tenant = @tenant AND role = @role AND password IS NOT NULL AND disabled IS NULL
        """, new { tenant = TenantId.First.Value, role = (int)UserRole.Admin }) > 0;

    static User? Insert(DbConnection connection, TenantId tenant, string name, UserRole role, string? passwordHash, DateTimeOffset at) =>
        connection.QuerySingleOrDefault<Row>($"""
            INSERT INTO users (tenant, name, login, role, password, stamp, created)
            VALUES (@tenant, @name, @login, @role, @passwordHash, 1, @at) ON CONFLICT (login) DO NOTHING RETURNING {Columns}
            """, new { tenant = tenant.Value, name, login = LoginOf(name), role = (int)role, passwordHash, at = at.Ms })?.ToStored().User;

    static int EndSessions(DbConnection connection, long userId) =>
        connection.Execute("DELETE FROM sessions WHERE user_id = @userId", new { userId });

    /// <summary>In which two spellings of one name meet.</summary>
    static string LoginOf(string name) => StoredText.Storable(name.Normalize(System.Text.NormalizationForm.FormKC).ToLowerInvariant())!;

    /// <summary>A row; instants in Unix milliseconds.</summary>
    sealed class Row
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public string Name { get; init; } = "";
        public int Role { get; init; }
        public string? Password { get; init; }
        public int Stamp { get; init; }
        public long Created { get; init; }
        public long? Disabled { get; init; }
        public long? SignedIn { get; init; }

        public StoredUser ToStored() => new(new User
        {
            Id = Id,
            Tenant = new TenantId(Tenant),
            Name = Name,
            Role = (UserRole)Role,
            CreatedAt = Instant.From(Created),
            DisabledAt = At(Disabled),
            LastSignInAt = At(SignedIn),
            HasPassword = Password is not null,
            Stamp = Stamp,
        }, Password);

        static DateTimeOffset? At(long? milliseconds) => milliseconds is { } ms ? Instant.From(ms) : null;
    }

    /// <summary>A session's row.</summary>
    sealed class SessionRow
    {
        public string Id { get; init; } = "";
        public long UserId { get; init; }
        public long Created { get; init; }
        public long Seen { get; init; }
        public long Ends { get; init; }
        public string? Address { get; init; }
        public string Agent { get; init; } = "";

        public Session ToSession() =>
            new(Id, UserId, Instant.From(Created), Instant.From(Seen), Instant.From(Ends), Address, Agent);
    }
}
