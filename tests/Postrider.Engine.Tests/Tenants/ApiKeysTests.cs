using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class ApiKeysTests
{
    readonly MemoryKeyStore _store = new();
    readonly Installation _here;

    public ApiKeysTests() => _here = new Installation(_store);

    [Fact]
    public async Task A_key_is_long_random_and_recognised()
    {
        var made = await _here.MakeAsync(Scopes.Send | Scopes.Read);
        Assert.Matches("^pr_[a-z2-7]{12}_[a-z2-7]{32}$", made.Secret);
        Assert.Equal(made.Key.Id, made.Secret.Split('_')[1]);
        Assert.NotEqual(made.Secret, (await _here.MakeAsync()).Secret);
        Assert.Equal(made.Key, await _here.Keys.RecogniseAsync(made.Secret));
    }

    [Fact]
    public async Task Only_the_whole_key_is_recognised()
    {
        var key = (await _here.MakeAsync()).Secret;
        for (var i = 0; i < key.Length; i++)
        {
            Assert.Null(await _here.Keys.RecogniseAsync(key[..i]));
            Assert.Null(await _here.Keys.RecogniseAsync(key[..i] + (key[i] == 'a' ? 'b' : 'a') + key[(i + 1)..]));
        }
        Assert.Null(await _here.Keys.RecogniseAsync(key + "a"));
        Assert.Null(await _here.Keys.RecogniseAsync(key.ToUpperInvariant()));
        Assert.Null(await _here.Keys.RecogniseAsync(" " + key));
    }

    [Fact]
    public async Task A_key_gets_no_scope_that_its_maker_does_not_have()
    {
        var by = Installation.Admin with { Scopes = Scopes.Send | Scopes.Admin };
        var made = await _here.Keys.MakeAsync(by, new KeyRequest("x", KeyKind.Bearer, Scopes.Send | Scopes.Read, null), default);
        Assert.Equal(("insufficient-scope", 403), (made.Problem?.Slug, made.Problem?.Status));
        Assert.False(await _store.AnyAsync(default));
    }

    [Theory]
    [InlineData("", Scopes.Send, 1)]
    [InlineData("a\r\nb", Scopes.Send, 1)]
    [InlineData("name", Scopes.None, 1)]
    [InlineData("name", (Scopes)16, 1)]
    [InlineData("name", Scopes.Send, 0)]
    [InlineData("name", Scopes.Send, -1)]
    public async Task Keys_that_make_no_sense_are_refused(string name, Scopes scopes, int expiresInHours)
    {
        var request = new KeyRequest(name, KeyKind.Bearer, scopes, _here.Clock.GetUtcNow().AddHours(expiresInHours));
        Assert.Equal(422, (await _here.Keys.MakeAsync(Installation.Admin, request, default)).Problem?.Status);
    }

    [Fact]
    public async Task A_key_ends_at_its_instant()
    {
        var made = await _here.MakeAsync(expiresAt: _here.Clock.GetUtcNow().AddHours(1));
        _here.Clock.Advance(TimeSpan.FromMinutes(59));
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(made.Secret)).Principal);
        _here.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null((await _here.Authenticator.AuthenticateAsync(made.Secret)).Principal);
    }

    [Fact]
    public async Task A_revocation_here_is_felt_at_once()
    {
        var made = await _here.MakeAsync();
        await _here.PrincipalAsync(made);
        Assert.True(await _here.Keys.RevokeAsync(TenantId.First, made.Key.Id, default));
        Assert.Null((await _here.Authenticator.AuthenticateAsync(made.Secret)).Principal);
    }

    [Fact]
    public async Task A_revocation_by_another_node_is_felt_within_a_second()
    {
        var there = new Installation(_store, _here.Clock);
        var made = await _here.MakeAsync();
        await _here.PrincipalAsync(made);
        await there.Keys.RevokeAsync(TenantId.First, made.Key.Id, default);
        _here.Clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Null((await _here.Authenticator.AuthenticateAsync(made.Secret)).Principal);
    }

    [Fact]
    public async Task Another_tenants_key_cannot_be_revoked()
    {
        var made = await _here.MakeAsync(tenant: new TenantId(2));
        Assert.False(await _here.Keys.RevokeAsync(TenantId.First, made.Key.Id, default));
        Assert.Equal(new TenantId(2), (await _here.PrincipalAsync(made)).Tenant);
    }

    [Fact]
    public async Task A_busy_key_is_read_twice_a_second()
    {
        var made = await _here.MakeAsync();
        _store.Reads = 0;
        for (var i = 0; i < 1_000; i++)
        {
            await _here.PrincipalAsync(made);
            _here.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }
        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task Callers_that_wait_for_the_same_key_share_one_read()
    {
        var made = await _here.MakeAsync();
        _store.Reads = 0;
        var hold = new TaskCompletionSource();
        _store.Hold = hold.Task;
        var callers = Enumerable.Range(0, 50).Select(_ => _here.PrincipalAsync(made)).ToList();
        hold.SetResult();
        await Task.WhenAll(callers);
        Assert.Equal(1, _store.Reads);
        _store.Hold = null;
        _here.Clock.Advance(TimeSpan.FromSeconds(1));
        await _here.PrincipalAsync(made);
        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task Guesses_leave_nothing_behind()
    {
        for (var i = 0; i < 1_000; i++)
            Assert.Null(await _here.Keys.RecogniseAsync($"pr_{i:000000000000}_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        _store.Reads = 0;
        await _here.Keys.RecogniseAsync("pr_000000000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        Assert.Equal(1, _store.Reads);
        await _here.Keys.RecogniseAsync("too-short");
        Assert.Equal(1, _store.Reads);
    }

    [Fact]
    public async Task Uses_are_stored_in_arrears_and_once()
    {
        var made = await _here.MakeAsync();
        await _here.PrincipalAsync(made);
        _here.Clock.Advance(TimeSpan.FromSeconds(20));
        await _here.PrincipalAsync(made);
        Assert.Null((await _store.FindAsync(made.Key.Id, default))!.Key.LastUsedAt);
        await _here.Keys.RecordUsesAsync(default);
        Assert.Equal(_here.Clock.GetUtcNow(), (await _store.FindAsync(made.Key.Id, default))!.Key.LastUsedAt);
        _store.IsDown = true;
        await _here.Keys.RecordUsesAsync(default);   // nothing new: the store is not asked
    }

    [Fact]
    public async Task A_signing_key_keeps_its_secret_sealed_and_cannot_be_sent()
    {
        var made = await _here.MakeAsync(kind: KeyKind.SigV4);
        Assert.Matches("^PR[A-Z2-7]{18}$", made.Key.Id);
        var opened = await _here.Keys.OpenSigV4Async(made.Key.Id);
        Assert.Equal((made.Key, made.Secret), opened);
        Assert.Null(await _here.Keys.RecogniseAsync(made.Secret));
        Assert.Null(await _here.Keys.RecogniseAsync($"pr_{made.Key.Id}_{made.Secret}"));
        await _here.Keys.RevokeAsync(TenantId.First, made.Key.Id, default);
        Assert.Null(await _here.Keys.OpenSigV4Async(made.Key.Id));
        Assert.Null(await _here.Keys.OpenSigV4Async((await _here.MakeAsync()).Key.Id));
    }

    [Fact]
    public async Task The_first_start_makes_a_key_and_shows_it_once()
    {
        var shown = await _here.Keys.BootstrapAsync(null, default);
        Assert.NotNull(shown);
        Assert.Equal(Scopes.All, (await _here.Keys.RecogniseAsync(shown))?.Scopes);
        Assert.Null(await _here.Keys.BootstrapAsync("", default));
    }

    [Theory]
    [InlineData("a-key-of-four-and-twenty")]
    [InlineData("pr_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567")]
    [InlineData("pr_without_the_form_of_ours!")]
    public async Task The_key_of_the_environment_is_taken_and_the_same_again_is_no_fault(string key)
    {
        Assert.Null(await _here.Keys.BootstrapAsync(key, default));
        Assert.Null(await _here.Keys.BootstrapAsync(key, default));
        var taken = await _here.Keys.RecogniseAsync(key);
        Assert.Equal((TenantId.First, Scopes.All), (taken?.Tenant, taken?.Scopes));
        Assert.Single(await _here.Keys.ListAsync(TenantId.First, default));
    }

    [Fact]
    public async Task Another_key_in_the_environment_takes_the_place_of_the_last()
    {
        await _here.Keys.BootstrapAsync("the-first-key-of-the-environment", default);
        await _here.Keys.BootstrapAsync("the-second-key-of-the-environment", default);
        Assert.Null(await _here.Keys.RecogniseAsync("the-first-key-of-the-environment"));
        Assert.NotNull(await _here.Keys.RecogniseAsync("the-second-key-of-the-environment"));
    }

    [Fact]
    public async Task The_printed_key_may_be_put_into_the_environment()
    {
        var shown = await _here.Keys.BootstrapAsync(null, default);
        Assert.Null(await _here.Keys.BootstrapAsync(shown, default));
        Assert.NotNull(await _here.Keys.RecogniseAsync(shown!));
    }

    [Theory]
    [InlineData("short")]
    [InlineData("only-twenty-three-chars")]
    [InlineData("with spaces in the middle of it")]
    [InlineData("mit-Umlauten-äöü-geht-es-nicht")]
    public async Task A_weak_key_in_the_environment_is_refused_without_being_shown(string key)
    {
        var fault = await Assert.ThrowsAsync<BootstrapKeyException>(() => _here.Keys.BootstrapAsync(key, default));
        Assert.DoesNotContain(key, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_in_the_environment_cannot_take_over_another_keys_id()
    {
        var made = await _here.MakeAsync(Scopes.Send);
        await Assert.ThrowsAsync<BootstrapKeyException>(() => _here.Keys.BootstrapAsync($"pr_{made.Key.Id}_{new string('a', 32)}",
            default));
        Assert.Equal(Scopes.Send, (await _here.PrincipalAsync(made)).Scopes);
    }

    [Fact]
    public async Task A_revoked_key_of_the_environment_stays_revoked()
    {
        const string Key = "the-first-key-of-the-environment";
        await _here.Keys.BootstrapAsync(Key, default);
        await _here.Keys.RevokeAsync(TenantId.First, ApiKeys.BootstrapId, default);
        await _here.Keys.BootstrapAsync(Key, default);
        Assert.Null((await _here.Authenticator.AuthenticateAsync(Key)).Principal);
    }
}
