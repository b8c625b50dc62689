using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>Tokens made here, and tokens made by an adversary with the library's own weapons: every part is built by hand.</summary>
public sealed class TokensTests
{
    readonly Installation _here = new();

    long Now => _here.Clock.GetUtcNow().ToUnixTimeSeconds();

    static string Part(string json) => Base64(Encoding.UTF8.GetBytes(json));
    static string Hmac(byte[] key, string text) => Base64(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(text)));
    static string Base64(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    /// <summary>Signed with our real key: only its content can be wrong.</summary>
    string Signed(string header, string payload)
    {
        var text = $"{Part(header)}.{Part(payload)}";
        return $"{text}.{Hmac(_here.Master.Derive("postrider/tokens/1"), text)}";
    }

    const string Header = """{"alg":"HS256","typ":"at+jwt"}""";

    string Payload(string keyId, string? replace = null, string? with = null)
    {
        var json = $$"""
            {"iss":"postrider","aud":"postrider-api","sub":"{{keyId}}","scope":"send","jti":"1",
            "iat":{{Now}},"nbf":{{Now}},"exp":{{Now + 600}}}
            """;
        return replace is null ? json : json.Replace(replace, with, StringComparison.Ordinal);
    }

    async Task AssertInvalidAsync(string token, string reason)
    {
        Assert.Same(TenantProblems.InvalidToken, (await _here.Authenticator.AuthenticateAsync(token)).Problem);
        var status = await _here.Authenticator.StatusAsync(token);
        Assert.Equal((false, reason), (status.Valid, status.Reason));
    }

    async Task<string> MakeAsync(NewApiKey key, TimeSpan? expiresIn = null, Scopes? scopes = null) =>
        _here.Tokens.Make(await _here.PrincipalAsync(key), expiresIn, scopes).Token!.Token;

    [Fact]
    public async Task A_token_stands_for_its_key()
    {
        var key = await _here.MakeAsync(Scopes.Send | Scopes.Read);
        var made = _here.Tokens.Make(await _here.PrincipalAsync(key), TimeSpan.FromMinutes(10), Scopes.Send).Token!;
        Assert.Equal((_here.Clock.GetUtcNow().AddMinutes(10), Scopes.Send), (made.ExpiresAt, made.Scopes));
        var principal = (await _here.Authenticator.AuthenticateAsync(made.Token)).Principal;
        Assert.Equal(new Principal(TenantId.First, key.Key.Id, Scopes.Send, made.ExpiresAt, IsToken: true), principal);
        Assert.Equal(new TokenStatus(true, made.ExpiresAt, TenantId.First, Scopes.Send, null),
            await _here.Authenticator.StatusAsync(made.Token));
    }

    [Fact]
    public async Task The_token_by_hand_is_accepted()
    {
        // Or the refusals below would prove nothing.
        var key = await _here.MakeAsync();
        Assert.Equal(Scopes.Send, (await _here.Authenticator.AuthenticateAsync(Signed(Header, Payload(key.Key.Id)))).Principal?.Scopes);
    }

    [Fact]
    public async Task A_token_has_the_claims_of_RFC_9068()
    {
        var parts = (await MakeAsync(await _here.MakeAsync())).Split('.');
        using var header = System.Text.Json.JsonDocument.Parse(Decode(parts[0]));
        using var payload = System.Text.Json.JsonDocument.Parse(Decode(parts[1]));
        Assert.Equal("HS256", header.RootElement.GetProperty("alg").GetString());
        Assert.Equal("at+jwt", header.RootElement.GetProperty("typ").GetString());
        Assert.Equal(["aud", "exp", "iat", "iss", "jti", "nbf", "scope", "sub"],
            payload.RootElement.EnumerateObject().Select(p => p.Name).Order());
        static string Decode(string part) => Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(part));
    }

    [Fact]
    public async Task A_token_ends_at_its_second()
    {
        var token = await MakeAsync(await _here.MakeAsync(), TimeSpan.FromSeconds(10));
        _here.Clock.Advance(TimeSpan.FromSeconds(9));
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(token)).Principal);
        _here.Clock.Advance(TimeSpan.FromSeconds(1));
        await AssertInvalidAsync(token, "expired");
        Assert.NotNull((await _here.Authenticator.StatusAsync(token)).ExpiresAt);
    }

    [Fact]
    public async Task A_token_dies_with_its_key()
    {
        var key = await _here.MakeAsync();
        var token = await MakeAsync(key);
        await _here.Keys.RevokeAsync(TenantId.First, key.Key.Id, default);
        await AssertInvalidAsync(token, "revoked");
        await AssertInvalidAsync(Signed(Header, Payload("nosuchkey")), "revoked");
    }

    [Fact]
    public async Task A_token_does_not_outlive_its_key()
    {
        var key = await _here.MakeAsync(expiresAt: _here.Clock.GetUtcNow().AddMinutes(30));
        var by = await _here.PrincipalAsync(key);
        Assert.Equal(key.Key.ExpiresAt, _here.Tokens.Make(by, null, null).Token?.ExpiresAt);
        var refused = _here.Tokens.Make(by, TimeSpan.FromMinutes(31), null).Problem;
        Assert.Equal((422, "/expires_in"), (refused?.Status, refused?.Errors[0].Pointer));
    }

    [Fact]
    public async Task A_token_gets_no_scope_that_its_key_does_not_have()
    {
        var by = await _here.PrincipalAsync(await _here.MakeAsync(Scopes.Send));
        Assert.Equal("insufficient-scope", _here.Tokens.Make(by, null, Scopes.Send | Scopes.Read).Problem?.Slug);
        Assert.Equal(422, _here.Tokens.Make(by, null, Scopes.None).Problem?.Status);
        Assert.Equal(Scopes.Send, _here.Tokens.Make(by, null, null).Token?.Scopes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(86_401)]
    public async Task A_token_lives_a_second_to_a_day(int seconds) =>
        Assert.Equal(422, _here.Tokens.Make(await _here.PrincipalAsync(await _here.MakeAsync()), TimeSpan.FromSeconds(seconds),
            null).Problem?.Status);

    [Fact]
    public async Task A_token_cannot_make_tokens()
    {
        var token = await MakeAsync(await _here.MakeAsync());
        var by = (await _here.Authenticator.AuthenticateAsync(token)).Principal!;
        Assert.Equal(403, _here.Tokens.Make(by, null, null).Problem?.Status);
    }

    [Theory]
    [InlineData("""{"alg":"none","typ":"at+jwt"}""")]
    [InlineData("""{"alg":"None","typ":"at+jwt"}""")]
    [InlineData("""{"alg":"","typ":"at+jwt"}""")]
    [InlineData("""{"typ":"at+jwt"}""")]
    public async Task A_token_without_signature_is_refused(string header)
    {
        var key = await _here.MakeAsync();
        Assert.Same(TenantProblems.InvalidToken,
            (await _here.Authenticator.AuthenticateAsync($"{Part(header)}.{Part(Payload(key.Key.Id))}.")).Problem);
        Assert.Same(TenantProblems.InvalidToken,
            (await _here.Authenticator.AuthenticateAsync(Signed(header, Payload(key.Key.Id)))).Problem);
    }

    [Fact]
    public async Task A_token_signed_by_another_key_or_algorithm_is_refused()
    {
        var payload = Payload((await _here.MakeAsync()).Key.Id);
        var text = $"{Part(Header)}.{Part(payload)}";
        await AssertInvalidAsync($"{text}.{Hmac(new byte[32], text)}", "signature");
        await AssertInvalidAsync($"{text}.{Hmac(_here.Master.Derive("postrider/seal/1"), text)}", "signature");

        using var rsa = RSA.Create(2048);
        var asHmac = HMACSHA256.HashData(rsa.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(text));
        await AssertInvalidAsync($"{text}.{Base64(asHmac)}", "signature");
        var rsaText = $"{Part("""{"alg":"RS256","typ":"at+jwt"}""")}.{Part(payload)}";
        var signature = rsa.SignData(Encoding.ASCII.GetBytes(rsaText), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        await AssertInvalidAsync($"{rsaText}.{Base64(signature)}", "signature");

        var longText = $"{Part("""{"alg":"HS512","typ":"at+jwt"}""")}.{Part(payload)}";
        var longer = HMACSHA512.HashData(_here.Master.Derive("postrider/tokens/1"), Encoding.ASCII.GetBytes(longText));
        await AssertInvalidAsync($"{longText}.{Base64(longer)}", "signature");
    }

    [Fact]
    public async Task A_key_that_the_token_brings_along_is_never_used()
    {
        var payload = Payload((await _here.MakeAsync()).Key.Id);
        var mine = new byte[32];
        string[] headers =
        [
            $$$"""{"alg":"HS256","typ":"at+jwt","jwk":{"kty":"oct","k":"{{{Base64(mine)}}}"}}""",
            """{"alg":"HS256","typ":"at+jwt","jku":"http://127.0.0.1:9/keys","kid":"../../dev/null"}""",
            """{"alg":"HS256","typ":"at+jwt","x5u":"http://127.0.0.1:9/cert","kid":"x"}""",
        ];
        foreach (var header in headers)
        {
            var text = $"{Part(header)}.{Part(payload)}";
            await AssertInvalidAsync($"{text}.{Hmac(mine, text)}", "signature");
        }
    }

    [Theory]
    [InlineData("\"iss\":\"postrider\"", "\"iss\":\"somebody\"", "foreign")]
    [InlineData("\"iss\":\"postrider\",", "", "foreign")]
    [InlineData("\"aud\":\"postrider-api\"", "\"aud\":\"other\"", "foreign")]
    [InlineData("\"aud\":\"postrider-api\",", "", "foreign")]
    [InlineData("\"sub\":", "\"bus\":", "malformed")]
    [InlineData("\"scope\":\"send\"", "\"scope\":\"send root\"", "malformed")]
    [InlineData("\"scope\":\"send\"", "\"scope\":[\"send\"]", "malformed")]
    [InlineData("\"scope\":\"send\",", "", "malformed")]
    public async Task A_token_for_others_or_without_what_ours_hold_is_refused(string replace, string with, string reason) =>
        await AssertInvalidAsync(Signed(Header, Payload((await _here.MakeAsync()).Key.Id, replace, with)), reason);

    [Theory]
    [InlineData("""{"alg":"HS256","typ":"JWT"}""")]
    [InlineData("""{"alg":"HS256","typ":"id+jwt"}""")]
    [InlineData("""{"alg":"HS256"}""")]
    public async Task An_ID_token_is_no_access_token(string header) =>
        await AssertInvalidAsync(Signed(header, Payload((await _here.MakeAsync()).Key.Id)), "foreign");

    [Theory]
    [InlineData("\"x\"", "malformed")]
    [InlineData("1e400", "malformed")]
    [InlineData("99999999999999999999", "malformed")]
    [InlineData("9223372036854775807", "malformed")]
    [InlineData("null", "malformed")]
    [InlineData("-1", "malformed")]
    [InlineData("1.5", "expired")]
    [InlineData("1", "expired")]
    public async Task An_expiry_that_is_none_or_past_is_refused(string exp, string reason) =>
        await AssertInvalidAsync(Signed(Header, Payload((await _here.MakeAsync()).Key.Id, $"\"exp\":{Now + 600}", $"\"exp\":{exp}")),
            reason);

    [Fact]
    public async Task A_token_without_expiry_is_refused() =>
        await AssertInvalidAsync(Signed(Header, Payload((await _here.MakeAsync()).Key.Id, $",\"exp\":{Now + 600}", "")), "malformed");

    [Fact]
    public async Task A_token_that_is_not_yet_valid_is_refused()
    {
        var key = await _here.MakeAsync();
        await AssertInvalidAsync(Signed(Header, Payload(key.Key.Id, $"\"nbf\":{Now}", $"\"nbf\":{Now + 60}")), "not-yet-valid");
        // Another node's clock may be a little ahead.
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(Signed(Header,
            Payload(key.Key.Id, $"\"nbf\":{Now}", $"\"nbf\":{Now + 20}")))).Principal);
    }

    [Theory]
    [InlineData("eyJ..")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9..")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.e30.")]
    [InlineData("eyJ!.eyJ!.eyJ!")]
    [InlineData("eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.bnVsbA.AAAA")]
    public async Task Garbage_in_the_shape_of_a_token_is_refused(string token) =>
        Assert.Same(TenantProblems.InvalidToken, (await _here.Authenticator.AuthenticateAsync(token)).Problem);

    [Fact]
    public async Task A_huge_token_is_refused_unread() =>
        await AssertInvalidAsync("eyJ" + new string('A', 1_000_000) + ".e30.AAAA", "malformed");

    [Fact]
    public async Task A_token_that_was_good_helps_no_other_token()
    {
        var token = await MakeAsync(await _here.MakeAsync());
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(token)).Principal);
        for (var i = 3; i < token.Length; i++)
        {
            var changed = token[..i] + (token[i] == 'A' ? 'B' : 'A') + token[(i + 1)..];
            // The last character of 32 bytes in base64 carries four bits: two of its values may mean the same bytes.
            if (i < token.Length - 1)
                Assert.Null((await _here.Authenticator.AuthenticateAsync(changed)).Principal);
        }
        Assert.NotNull((await _here.Authenticator.AuthenticateAsync(token)).Principal);
    }

    [Fact]
    public async Task Tokens_of_another_installation_are_refused()
    {
        var other = new Installation(_here.Store, _here.Clock,
            MasterKey.Parse(Convert.ToBase64String([.. Enumerable.Repeat((byte)9, 32)]), "test"));
        var token = await MakeAsync(await _here.MakeAsync());
        Assert.Same(TenantProblems.InvalidToken, (await other.Authenticator.AuthenticateAsync(token)).Problem);
    }
}
