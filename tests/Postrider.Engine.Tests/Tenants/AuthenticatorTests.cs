using FsCheck;
using FsCheck.Fluent;
using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class AuthenticatorTests
{
    readonly MemoryKeyStore _store = new();
    readonly Installation _here;

    public AuthenticatorTests() => _here = new Installation(_store);

    [Fact]
    public async Task Every_useless_key_gets_the_same_answer()
    {
        var revoked = await _here.MakeAsync();
        await _here.Keys.RevokeAsync(TenantId.First, revoked.Key.Id, default);
        var expired = await _here.MakeAsync(expiresAt: _here.Clock.GetUtcNow().AddSeconds(1));
        _here.Clock.Advance(TimeSpan.FromSeconds(1));
        var wrong = (await _here.MakeAsync()).Secret[..^1] + "1";
        string?[] useless = [null, "", "   ", "garbage", "Bearer x", revoked.Secret, expired.Secret, wrong, "pr_", "pr__",
            new string('x', 100_000), "пароль-пароль-пароль-пароль"];
        foreach (var text in useless)
            Assert.Same(TenantProblems.Unauthenticated, (await _here.Authenticator.AuthenticateAsync(text)).Problem);
        Assert.Equal(("unauthenticated", 401), (TenantProblems.Unauthenticated.Slug, TenantProblems.Unauthenticated.Status));
    }

    [Fact]
    public async Task A_key_acts_for_its_tenant_with_its_scopes()
    {
        var made = await _here.MakeAsync(Scopes.Send | Scopes.Manage, tenant: new TenantId(7));
        var principal = await _here.PrincipalAsync(made);
        Assert.Equal(new Principal(new TenantId(7), made.Key.Id, Scopes.Send | Scopes.Manage, null, IsToken: false), principal);
        Assert.Null(principal.Missing(Scopes.Send));
        var missing = principal.Missing(Scopes.Send | Scopes.Admin);
        Assert.Equal(("insufficient-scope", 403), (missing?.Slug, missing?.Status));
        Assert.Contains("admin", missing!.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("send", missing.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_storage_that_is_down_is_no_wrong_key()
    {
        var made = await _here.MakeAsync();
        var token = _here.Tokens.Make(await _here.PrincipalAsync(made), null, null).Token!.Token;
        _here.Clock.Advance(TimeSpan.FromSeconds(1));
        _store.IsDown = true;
        Assert.Equal(503, (await _here.Authenticator.AuthenticateAsync(made.Secret)).Problem?.Status);
        Assert.Equal(503, (await _here.Authenticator.AuthenticateAsync(token)).Problem?.Status);
        _store.IsDown = false;
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(made.Secret)).Principal);
    }

    [Fact]
    public async Task The_status_of_a_key_says_what_is_wrong_to_its_holder_only()
    {
        var expiring = await _here.MakeAsync(Scopes.Read, _here.Clock.GetUtcNow().AddHours(1));
        Assert.Equal(new TokenStatus(true, expiring.Key.ExpiresAt, TenantId.First, Scopes.Read, null),
            await _here.Authenticator.StatusAsync(expiring.Secret));
        _here.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(new TokenStatus(false, expiring.Key.ExpiresAt, null, Scopes.None, "expired"),
            await _here.Authenticator.StatusAsync(expiring.Secret));
        var revoked = await _here.MakeAsync();
        await _here.Keys.RevokeAsync(TenantId.First, revoked.Key.Id, default);
        Assert.Equal("revoked", (await _here.Authenticator.StatusAsync(revoked.Secret)).Reason);
        Assert.Equal("unknown", (await _here.Authenticator.StatusAsync(revoked.Secret[..^1] + "1")).Reason);
        Assert.Equal("malformed", (await _here.Authenticator.StatusAsync("garbage")).Reason);
        Assert.Equal("missing", (await _here.Authenticator.StatusAsync(null)).Reason);
    }

    [Fact]
    public async Task No_text_throws_and_none_gets_in()
    {
        var made = await _here.MakeAsync();
        var token = _here.Tokens.Make(await _here.PrincipalAsync(made), null, null).Token!.Token;
        var texts = Gen.OneOf(Texts.Near(made.Secret), Texts.Near(token), Texts.Wild);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1_500), Prop.ForAll(texts.ToArbitrary(), text =>
        {
            var isGenuine = text == made.Secret || text == token;
            var authentication = _here.Authenticator.AuthenticateAsync(text).AsTask().GetAwaiter().GetResult();
            var status = _here.Authenticator.StatusAsync(text).AsTask().GetAwaiter().GetResult();
            return authentication.Principal is not null == isGenuine && status.Valid == isGenuine
                && authentication.Principal is null == authentication.Problem is not null;
        }));
    }

    [Fact]
    public void Scopes_have_names_both_ways()
    {
        Assert.Equal(["send", "read", "manage", "admin"], ScopeNames.Of(Scopes.All));
        foreach (var name in ScopeNames.Of(Scopes.All))
        {
            Assert.True(ScopeNames.TryParse(name, out var scope));
            Assert.Equal([name], ScopeNames.Of(scope));
        }
        Assert.False(ScopeNames.TryParse("Send", out _));
        Assert.False(ScopeNames.TryParse("", out _));
    }
}
