using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class SqliteUserStoreTests() : UserStoreContract(StoreEngine.Sqlite);

public sealed class PostgresUserStoreTests() : UserStoreContract(StoreEngine.Postgres);

/// <summary>What every store of users and sessions must do, and the rooms over it.</summary>
public abstract class UserStoreContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);
    static readonly TenantId Other = new(2);

    UserTables Store => new(Tables);

    [Fact]
    public async Task A_user_comes_back_as_he_went_in_and_is_found_in_any_case()
    {
        var added = (await Store.AddAsync(Other, "Ann@Example.com", UserRole.Operator, At))!;
        await ReopenAsync();
        var stored = (await Store.FindAsync("ann@EXAMPLE.com", default))!;
        Assert.Equal((added, (string?)null), (stored.User, stored.PasswordHash));
        Assert.Equal((Other, "Ann@Example.com", UserRole.Operator, At, false, 1),
            (stored.User.Tenant, stored.User.Name, stored.User.Role, stored.User.CreatedAt, stored.User.HasPassword, stored.User.Stamp));
        Assert.Null(await Store.AddAsync(TenantId.First, "ann@example.com", UserRole.Viewer, At));
    }

    [Fact]
    public async Task There_is_one_first_administrator()
    {
        Assert.False(await Store.HasAdministratorAsync(default));
        var made = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => Store.AddFirstAsync($"first{i}@example.com", "hash", At)));
        Assert.Single(made.OfType<User>());
        Assert.True(await Store.HasAdministratorAsync(default));
        Assert.Single(await Store.ListAsync(TenantId.First, default));
    }

    [Fact]
    public async Task Who_was_invited_may_be_the_first_administrator()
    {
        var invited = (await Store.AddAsync(TenantId.First, "a@example.com", UserRole.Viewer, At))!;
        var first = (await Store.AddFirstAsync("A@example.com", "hash", At))!;
        Assert.Equal((invited.Id, UserRole.Admin, true), (first.Id, first.Role, first.HasPassword));
    }

    [Fact]
    public async Task A_password_is_set_once_for_a_stamp_and_ends_the_sessions()
    {
        var user = (await Store.AddAsync(Other, "a@example.com", UserRole.Viewer, At))!;
        await Store.AddAsync(NewSession("s", user));
        Assert.True(await Store.SetPasswordAsync(user.Id, user.Stamp, "one"));
        Assert.False(await Store.SetPasswordAsync(user.Id, user.Stamp, "two"));
        Assert.Equal("one", (await Store.FindAsync(user.Id, default))!.PasswordHash);
        Assert.Empty(await Store.FindAsync(["s"], default));
    }

    [Fact]
    public async Task What_shuts_a_user_out_ends_his_sessions_and_nobody_elses()
    {
        foreach (var (name, shut) in new (string, Func<User, Task>)[]
        {
            ("reset", user => Store.ResetAsync(Other, user.Id)), ("disable", user => Store.ChangeAsync(Other, user.Id, null, true, At)),
            ("remove", user => Store.RemoveAsync(Other, user.Id)),
        })
        {
            var user = (await Store.AddAsync(Other, $"{name}@example.com", UserRole.Admin, At))!;
            var bystander = (await Store.AddAsync(Other, $"{name}-bystander@example.com", UserRole.Admin, At))!;
            await Store.AddAsync(NewSession(name, user));
            await Store.AddAsync(NewSession($"{name}-bystander", bystander));
            Assert.Equal(2, (await Store.FindAsync([name, $"{name}-bystander"], default)).Count);
            await shut(user);
            var left = Assert.Single(await Store.FindAsync([name, $"{name}-bystander"], default));
            Assert.Equal(bystander.Id, left.User.Id);
        }
    }

    [Fact]
    public async Task Another_tenants_user_is_as_one_that_is_not_there()
    {
        var user = (await Store.AddAsync(Other, "a@example.com", UserRole.Viewer, At))!;
        Assert.Null(await Store.ResetAsync(TenantId.First, user.Id));
        Assert.Null(await Store.ChangeAsync(TenantId.First, user.Id, UserRole.Admin, true, At));
        Assert.False(await Store.RemoveAsync(TenantId.First, user.Id));
        Assert.Empty(await Store.ListAsync(TenantId.First, default));
        Assert.Equal(user, (await Store.FindAsync(user.Id, default))!.User);
    }

    [Fact]
    public async Task A_session_ends_when_its_time_is_up_or_nobody_uses_it()
    {
        var clock = new ManualClock();
        var sessions = new Sessions(Store, clock, Entropy.System);
        var user = (await Store.AddAsync(Other, "a@example.com", UserRole.Viewer, clock.GetUtcNow()))!;
        var idle = await sessions.BeginAsync(user, "127.0.0.1", new string('x', 1_000));
        var used = await sessions.BeginAsync(user, null, null);
        clock.Advance(Sessions.Idle - TimeSpan.FromMinutes(1));
        Assert.NotNull(await sessions.FindAsync(used, default));
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Null(await sessions.FindAsync(idle, default));
        Assert.Equal(user.Id, (await sessions.FindAsync(used, default))!.User.Id);
        Assert.Null(await sessions.FindAsync(used + "x", default));
        var end = clock.GetUtcNow() + Sessions.Longest;
        while (clock.GetUtcNow() < end)
        {
            clock.Advance(TimeSpan.FromHours(6));
            await sessions.FindAsync(used, default);
        }
        Assert.Null(await sessions.FindAsync(used, default));
    }

    static Session NewSession(string id, User user) => new(id, user.Id, At, At, At.AddDays(1), "127.0.0.1", "a browser");
}
