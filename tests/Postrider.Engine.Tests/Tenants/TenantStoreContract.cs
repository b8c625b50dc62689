using System.Text.Json;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class SqliteTenantStoreTests() : TenantStoreContract(StoreEngine.Sqlite);

public sealed class PostgresTenantStoreTests() : TenantStoreContract(StoreEngine.Postgres);

/// <summary>What every store of tenants must do, and the directory over it.</summary>
public abstract class TenantStoreContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);

    private protected ITenantStore Store => new TenantTable(Tables);

    TenantDirectory NewNode() => new(Store, new ManualClock());

    [Fact]
    public async Task The_first_tenant_is_there_from_the_start()
    {
        var first = Assert.Single(await Store.ChangedSinceAsync(0, default));
        Assert.Equal((TenantId.First, "first", null), (first.Id, first.Name, first.ArchivedAt));
        Assert.Equal(TenantSettings.Default, first.Settings);
    }

    [Fact]
    public async Task A_tenant_comes_back_as_it_went_in()
    {
        var settings = new TenantSettings
        {
            OnAmbiguous = AmbiguityPolicy.Hold,
            MaxQueued = 5_000_000_000,
            ApiCallsPerMinute = 600,
            MaxStorageBytes = 1,
            Weight = 7,
            RequireVerifiedSenders = false,
            DailyQuota = 10,
            MonthlyQuota = 0,
        };
        var added = (await Store.AddAsync("Shop 'ü'", settings, At, default))!;
        await ReopenAsync();
        var stored = (await Store.ChangedSinceAsync(0, default))[^1];
        Assert.Equal(added, stored);
        Assert.Equal((new TenantId(2), "Shop 'ü'", At, settings), (stored.Id, stored.Name, stored.CreatedAt, stored.Settings));
    }

    [Fact]
    public async Task A_name_is_given_once()
    {
        Assert.NotNull(await Store.AddAsync("a", TenantSettings.Default, At, default));
        Assert.Null(await Store.AddAsync("a", TenantSettings.Default, At, default));
        var other = (await Store.AddAsync("b", TenantSettings.Default, At, default))!;
        Assert.True((await Store.ReplaceAsync(other with { Name = "a" }, default)).NameIsTaken);
        Assert.Equal([1, 2, 3], (await Store.ChangedSinceAsync(0, default)).Select(t => t.Id.Value));
    }

    [Fact]
    public async Task A_change_is_refused_where_another_was_faster()
    {
        var tenant = (await Store.AddAsync("a", TenantSettings.Default, At, default))!;
        Assert.NotNull((await Store.ReplaceAsync(tenant with { Settings = new TenantSettings { Weight = 2 } }, default)).Tenant);
        Assert.Null((await Store.ReplaceAsync(tenant with { Settings = new TenantSettings { Weight = 3 } }, default)).Tenant);
        Assert.Equal(2, Assert.Single(await Store.ChangedSinceAsync(tenant.Revision, default)).Settings.Weight);
    }

    // Two nodes have one setting each in mind; neither undoes the other's.
    [Fact]
    public async Task Changes_of_two_nodes_at_once_are_both_made_and_seen_by_both()
    {
        using var here = NewNode();
        using var there = NewNode();
        var id = (await here.AddAsync("a", TenantSettings.Default, default)).Tenant!.Id;
        await there.RefreshAsync(default);
        for (var round = 1; round <= 20; round++)
        {
            var value = round;
            var results = await Task.WhenAll(
                Task.Run(() => here.ChangeAsync(id, t => t with { Settings = t.Settings with { Weight = value } }, default)),
                Task.Run(() => there.ChangeAsync(id, t => t with { Settings = t.Settings with { MaxQueued = value } }, default)));
            Assert.All(results, result => Assert.Null(result.Problem));
            await here.RefreshAsync(default);
            await there.RefreshAsync(default);
            Assert.All((TenantDirectory[])[here, there],
                node => Assert.Equal((value, value), (node.SettingsOf(id).Weight, node.SettingsOf(id).MaxQueued)));
        }
    }

    [Fact]
    public async Task A_setting_of_a_newer_program_is_kept_by_this_one()
    {
        var tenant = (await Store.AddAsync("a", new TenantSettings
        {
            Others = new Dictionary<string, JsonElement> { ["from_the_future"] = JsonElement.Parse("""{"x":[1]}""") },
        }, At, default))!;
        using var node = NewNode();
        await node.RefreshAsync(default);
        await node.ChangeAsync(tenant.Id, t => t with { Settings = t.Settings with { Weight = 9 } }, default);
        var settings = (await Store.ChangedSinceAsync(tenant.Revision, default))[0].Settings;
        Assert.Equal((9, """{"x":[1]}"""), (settings.Weight, settings.Others!["from_the_future"].GetRawText()));
    }
}
