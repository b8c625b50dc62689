using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>What tenants may be, and what it means to be stopped.</summary>
public sealed class TenantDirectoryTests() : TableContract(StoreEngine.Sqlite)
{
    readonly ManualClock _clock = new();

    TenantDirectory NewNode() => new(new TenantTable(Tables), _clock);

    [Fact]
    public async Task A_stopped_tenant_keeps_the_instant_of_its_stop_until_it_is_restored()
    {
        using var tenants = NewNode();
        var id = (await tenants.AddAsync("a", TenantSettings.Default, default)).Tenant!.Id;
        var stopped = _clock.GetUtcNow();
        await tenants.ArchiveAsync(id, default);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(stopped, (await tenants.ArchiveAsync(id, default)).Tenant!.ArchivedAt);
        Assert.True(tenants.IsArchived(id));
        await tenants.RestoreAsync(id, default);
        Assert.False(tenants.IsArchived(id));
    }

    [Fact]
    public async Task The_first_tenant_cannot_be_stopped()
    {
        using var tenants = NewNode();
        await tenants.RefreshAsync(default);
        Assert.Equal("first-tenant", (await tenants.ArchiveAsync(TenantId.First, default)).Problem?.Slug);
    }

    [Fact]
    public async Task The_keys_and_tokens_of_a_stopped_tenant_are_refused_until_it_is_restored()
    {
        using var tenants = NewNode();
        var tenant = (await tenants.AddAsync("a", TenantSettings.Default, default)).Tenant!;
        var here = new Installation(clock: _clock);
        var doors = new Authenticator(here.Keys, here.Tokens, _clock, tenants);
        var key = await here.Keys.MakeFirstAsync(tenant, default);
        var signing = await here.MakeAsync(kind: KeyKind.SigV4, tenant: tenant.Id);
        var token = here.Tokens.Make((await doors.AuthenticateAsync(key.Secret)).Principal!, null, null).Token!.Token;
        await tenants.ArchiveAsync(tenant.Id, default);
        foreach (var text in (string[])[key.Secret, token])
        {
            Assert.Equal("tenant-archived", (await doors.AuthenticateAsync(text)).Problem?.Slug);
            Assert.Equal("archived", (await doors.StatusAsync(text)).Reason);
        }
        Assert.Null(await doors.FindSignerAsync(signing.Key.Id));
        await tenants.RestoreAsync(tenant.Id, default);
        Assert.Equal(tenant.Id, (await doors.AuthenticateAsync(key.Secret)).Principal?.Tenant);
        Assert.NotNull((await doors.AuthenticateAsync(token)).Principal);
        Assert.NotNull(await doors.FindSignerAsync(signing.Key.Id));
    }

    [Theory]
    [InlineData("", 1, 0, "/name")]
    [InlineData("a\nb", 1, 0, "/name")]
    [InlineData("a", 0, 0, "/settings/weight")]
    [InlineData("a", 1001, 0, "/settings/weight")]
    [InlineData("a", 1, -1, "/settings/max_queued")]
    public async Task What_a_tenant_cannot_be_is_refused_with_the_field(string name, int weight, long queued, string pointer)
    {
        using var tenants = NewNode();
        var problem = (await tenants.AddAsync(name, new TenantSettings { Weight = weight, MaxQueued = queued }, default)).Problem;
        Assert.Equal(pointer, problem?.Errors[0].Pointer);
    }

    [Fact]
    public async Task An_id_without_a_record_has_the_default_settings()
    {
        using var tenants = NewNode();
        await tenants.RefreshAsync(default);
        Assert.Null(tenants.Find(new TenantId(77)));
        Assert.Same(TenantSettings.Default, tenants.SettingsOf(new TenantId(77)));
        Assert.False(tenants.IsArchived(new TenantId(77)));
    }

    [Fact]
    public async Task Calls_of_a_minute_may_come_at_once_and_then_evenly()
    {
        using var tenants = NewNode();
        var id = (await tenants.AddAsync("a", new TenantSettings { ApiCallsPerMinute = 60 }, default)).Tenant!.Id;
        var calls = new TenantCalls(tenants, _clock);
        for (var i = 0; i < 60; i++)
            Assert.Null(calls.Refuse(id));
        var problem = calls.Refuse(id)!;
        Assert.Equal(("rate-limited", 429, TimeSpan.FromSeconds(1)), (problem.Slug, problem.Status, problem.RetryAfter));
        Assert.Null(calls.Refuse(TenantId.First));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(calls.Refuse(id));
        Assert.NotNull(calls.Refuse(id));
        _clock.Advance(TimeSpan.FromHours(1));
        for (var i = 0; i < 60; i++)
            Assert.Null(calls.Refuse(id));
        Assert.NotNull(calls.Refuse(id));
    }
}
