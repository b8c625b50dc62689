using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Senders;

public sealed class SqliteSenderStoreTests() : SenderStoreContract(StoreEngine.Sqlite);

public sealed class PostgresSenderStoreTests() : SenderStoreContract(StoreEngine.Postgres);

/// <summary>What every store of sender domains must do.</summary>
public abstract class SenderStoreContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);
    static readonly TenantId Other = new(2);

    private protected ISenderStore Store => new SenderTables(Tables);

    [Fact]
    public async Task A_domain_with_all_it_has_outlives_a_restart()
    {
        var full = Domain("example.com", "s1", "s2") with
        {
            Subdomains = true,
            VerifiedAt = At.AddHours(1),
            Checks = new DomainChecks(At.AddHours(2),
            [
                new DnsCheck(DnsCheckKind.Dkim, "s1._domainkey.example.com", DnsCheckState.Ok, "good"),
                new DnsCheck(DnsCheckKind.BounceMx, "b.example.com", DnsCheckState.Unknown, "no \"answer\" ü"),
            ]),
        };
        full = full with { Keys = [full.Keys[0] with { ActiveAt = At.AddHours(3) }, full.Keys[1]] };
        Assert.True(await Store.AddAsync(full, default));
        await ReopenAsync();
        Same(full, (await Store.FindAsync(TenantId.First, "example.com", default))!.Domain);
        Same(full, Assert.Single(await Store.LoadAsync(default)).Domain);
    }

    [Fact]
    public async Task The_same_name_is_another_domain_for_another_tenant()
    {
        Assert.True(await Store.AddAsync(Domain("example.com", "s1"), default));
        Assert.True(await Store.AddAsync(Domain("example.com", "s1") with { Tenant = Other }, default));
        Assert.False(await Store.AddAsync(Domain("example.com", "s2"), default));
        Assert.Equal(["s1"], (await Store.FindAsync(TenantId.First, "example.com", default))!.Domain.Keys.Select(key => key.Selector));
        Assert.True(await Store.RemoveAsync(Other, "example.com", default));
        Assert.False(await Store.RemoveAsync(Other, "example.com", default));
        Assert.NotNull(await Store.FindAsync(TenantId.First, "example.com", default));
        Assert.Null(await Store.FindAsync(Other, "example.com", default));
    }

    [Fact]
    public async Task A_change_on_top_of_somebody_elses_is_refused()
    {
        await Store.AddAsync(Domain("example.com", "s1"), default);
        var read = (await Store.FindAsync(TenantId.First, "example.com", default))!;
        var mine = read with { Domain = read.Domain with { Keys = [] } };
        Assert.True(await Store.ReplaceAsync(read with { Domain = Domain("example.com", "s1", "s2") }, default));
        Assert.False(await Store.ReplaceAsync(mine, default));
        var now = (await Store.FindAsync(TenantId.First, "example.com", default))!;
        Assert.Equal((2, read.Revision + 1), (now.Domain.Keys.Count, now.Revision));
        Assert.True(await Store.ReplaceAsync(mine with { Revision = now.Revision }, default));
        Assert.Empty((await Store.FindAsync(TenantId.First, "example.com", default))!.Domain.Keys);
    }

    [Fact]
    public async Task What_was_removed_cannot_be_changed_even_when_it_is_there_again()
    {
        await Store.AddAsync(Domain("example.com", "s1"), default);
        var read = (await Store.FindAsync(TenantId.First, "example.com", default))!;
        await Store.RemoveAsync(TenantId.First, "example.com", default);
        Assert.False(await Store.ReplaceAsync(read, default));
        await Store.AddAsync(Domain("example.com") with { CreatedAt = At.AddDays(1) }, default);
        Assert.False(await Store.ReplaceAsync(read, default));
        Assert.Empty((await Store.FindAsync(TenantId.First, "example.com", default))!.Domain.Keys);
    }

    // By two nodes at the same moment, too: each asks for its own tenant.
    [Fact]
    public async Task One_name_is_verified_for_one_tenant_at_a_time()
    {
        TenantId[] tenants = [TenantId.First, Other];
        foreach (var tenant in tenants)
            await Store.AddAsync(Domain("example.com", "s1") with { Tenant = tenant }, default);
        var verified = await Task.WhenAll(tenants.Select(tenant => Task.Run(() => VerifyAsync(tenant))));
        Assert.Single(verified, done => done);
        var (winner, loser) = verified[0] ? (TenantId.First, Other) : (Other, TenantId.First);
        Assert.False(await VerifyAsync(loser));
        Assert.True(await VerifyAsync(winner));
        await Store.RemoveAsync(winner, "example.com", default);
        Assert.True(await VerifyAsync(loser));
    }

    async Task<bool> VerifyAsync(TenantId tenant)
    {
        var read = (await Store.FindAsync(tenant, "example.com", default))!;
        return await Store.ReplaceAsync(read with { Domain = read.Domain with { VerifiedAt = At } }, default);
    }

    static SenderDomain Domain(string name, params string[] selectors) => new()
    {
        Tenant = TenantId.First,
        Name = name,
        CreatedAt = At,
        Keys =
        [
            .. selectors.Select(selector => new SenderKey
            {
                Selector = selector,
                CreatedAt = At,
                PublicKey = new byte[] { 1, 2 },
                SealedPrivateKey = new byte[] { 3, 4, 5 },
            }),
        ],
    };

    static void Same(SenderDomain expected, SenderDomain found)
    {
        Assert.Equal(expected with { Keys = [], Checks = null }, found with { Keys = [], Checks = null });
        Assert.Equal(expected.Checks!.At, found.Checks!.At);
        Assert.Equal(expected.Checks.Items, found.Checks.Items);
        Assert.Equal(
            expected.Keys.Select(key => (key.Selector, key.CreatedAt, key.ActiveAt, Hex(key.PublicKey), Hex(key.SealedPrivateKey))),
            found.Keys.Select(key => (key.Selector, key.CreatedAt, key.ActiveAt, Hex(key.PublicKey), Hex(key.SealedPrivateKey))));
    }

    static string Hex(ReadOnlyMemory<byte> bytes) => Convert.ToHexString(bytes.Span);
}
