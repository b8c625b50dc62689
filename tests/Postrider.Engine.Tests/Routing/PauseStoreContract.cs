using Dapper;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class SqlitePauseStoreTests() : PauseStoreContract(StoreEngine.Sqlite);

public sealed class PostgresPauseStoreTests() : PauseStoreContract(StoreEngine.Postgres);

/// <summary>What every store of pauses must do.</summary>
public abstract class PauseStoreContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset Since = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);

    private protected IPauseStore Store => new PauseTable(Tables);

    public static TheoryData<int?, MailStream?, string?> Scopes => new()
    {
        { null, null, null }, { 1, null, null }, { null, MailStream.Transactional, null }, { null, MailStream.Bulk, "news" },
        { 7, MailStream.Bulk, "news" },
    };

    [Theory]
    [MemberData(nameof(Scopes))]
    public async Task A_pause_lasts_over_a_restart_until_it_is_ended(int? tenant, MailStream? stream, string? route)
    {
        var pause = new Pause(new PauseScope(tenant is { } value ? new TenantId(value) : null, stream, route), Since, "wrong template");
        Assert.True(await new Pauses(Store).AddAsync(pause, default));
        await ReopenAsync();
        var pauses = new Pauses(Store);
        await pauses.LoadAsync(default);
        Assert.Equal(pause, Assert.Single(pauses.All));
        Assert.True(await pauses.RemoveAsync(pause.Scope, default));
        await ReopenAsync();
        Assert.Empty(await Store.LoadAsync(default));
    }

    [Fact]
    public async Task Scopes_are_kept_apart_and_one_of_the_same_scope_stays_as_it_is()
    {
        var pauses = new Pauses(Store);
        var all = new PauseScope(null, null, null);
        Assert.True(await pauses.AddAsync(new Pause(all, Since, null), default));
        Assert.False(await pauses.AddAsync(new Pause(all, Since.AddHours(1), "again"), default));
        Assert.True(await pauses.AddAsync(new Pause(all with { Stream = MailStream.Transactional }, Since, "x"), default));
        Assert.False(await pauses.RemoveAsync(all with { Stream = MailStream.Bulk }, default));
        Assert.Equal([new Pause(all, Since, null), new Pause(all with { Stream = MailStream.Transactional }, Since, "x")],
            (await Store.LoadAsync(default)).OrderBy(pause => pause.Scope.Stream));
    }

    [Fact]
    public async Task What_docs_backup_says_after_a_restore_pauses_every_tenant_and_ends_jobs()
    {
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "backup.md"));
        var sql = page.Split("<<'SQL'")[1].Split("\nSQL")[0];
        await Tables.WriteAsync(connection => connection.Execute(sql));
        await ReopenAsync();
        var pauses = new Pauses(Store);
        await pauses.LoadAsync(default);
        Assert.True(pauses.Covers(new TenantId(12), MailStream.Bulk, "news"));
        Assert.Contains("`DELETE FROM pauses WHERE tenant = 0`", page, StringComparison.Ordinal);
        Assert.Equal(1, await Tables.WriteAsync(connection => connection.Execute("DELETE FROM pauses WHERE tenant = 0")));
    }

    // As a node does that hears of its own change.
    [Fact]
    public async Task A_pause_that_is_read_again_between_its_end_and_the_answer_was_there()
    {
        Pauses? pauses = null;
        pauses = new Pauses(new ToldAtOnce(Store, () => pauses!.LoadAsync(default)));
        var all = new PauseScope(null, null, null);
        await pauses.AddAsync(new Pause(all, Since, null), default);
        Assert.True(await pauses.RemoveAsync(all, default));
        Assert.False(await pauses.RemoveAsync(all, default));
    }

    sealed class ToldAtOnce(IPauseStore store, Func<Task> tell) : IPauseStore
    {
        public Task<IReadOnlyList<Pause>> LoadAsync(CancellationToken ct) => store.LoadAsync(ct);
        public Task AddAsync(Pause pause, CancellationToken ct) => store.AddAsync(pause, ct);

        public async Task RemoveAsync(PauseScope scope, CancellationToken ct)
        {
            await store.RemoveAsync(scope, ct);
            await tell();
        }
    }
}
