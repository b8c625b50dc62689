using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>A token just made.</summary>
public sealed record NewToken(string Token, DateTimeOffset ExpiresAt, Scopes Scopes);

/// <summary>A new token, or why there is none; exactly one is set.</summary>
public readonly record struct TokenCreation
{
    public TokenCreation(NewToken token) => Token = token;
    public TokenCreation(Problem problem) => Problem = problem;

    public NewToken? Token { get; }
    public Problem? Problem { get; }
}

/// <summary>Why a token is not valid.</summary>
public enum TokenFault : byte
{
    None,
    /// <summary>No JSON Web Token, or one without what ours hold.</summary>
    Malformed,
    /// <summary>Signed by somebody else, not at all, or by another algorithm.</summary>
    Signature,
    /// <summary>Of another type, issuer or audience.</summary>
    Foreign,
    NotYetValid,
    Expired,
    /// <summary>The key it was made for is revoked or gone.</summary>
    Revoked,
}

/// <summary>Makes and checks short-lived access tokens: JSON Web Tokens (RFC 7519, profile RFC 9068) that stand for an API key and die with
/// it.</summary>
/// <remarks>Signed with HS256 by a key derived from the master key, so every node can check them. One algorithm, one type, one key:
/// whatever a token's own header says about keys (<c>jku</c>, <c>jwk</c>, <c>x5u</c>) is never looked at.</remarks>
public sealed class Tokens(MasterKey master, ApiKeys keys, TimeProvider clock, Entropy entropy)
{
    const string Issuer = "postrider";
    const string Audience = "postrider-api";
    const string Type = "at+jwt";
    const string ScopeClaim = "scope";
    const int MaxTokenLength = 4_096;

    /// <summary>About 2 MB. Beyond it all are forgotten and checked again.</summary>
    const int MaxSeen = 10_000;

    static readonly TimeSpan DefaultLifetime = TimeSpan.FromHours(1);
    static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(1);

    /// <summary>How far the clocks of two nodes may be apart.</summary>
    static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    readonly JsonWebTokenHandler _handler =
        new() { SetDefaultTimesOnTokenCreation = false, MapInboundClaims = false, MaximumTokenSizeInBytes = MaxTokenLength };
    /// <summary>Signatures that were found good, with what was signed: a token is presented with every request, and checking it takes the
    /// library 16 µs and 4.5 KB, looking it up 2 µs. Times, and the key it stands for, are tested every time.</summary>
    readonly ConcurrentDictionary<Digest, Claims> _seen = new();

    readonly SymmetricSecurityKey _key = new(master.Derive("postrider/tokens/1"));

    /// <summary>Makes a token for the key that the caller presented.</summary>
    /// <param name="expiresIn">1 second to 24 hours; null: 1 hour, or less where the key expires before.</param>
    /// <param name="scopes">Not more than the key's; null: all of them.</param>
    public TokenCreation Make(Principal by, TimeSpan? expiresIn, Scopes? scopes)
    {
        var now = clock.GetUtcNow();
        var wanted = scopes ?? by.Scopes;
        if (Refuse(by, expiresIn, wanted, now) is { } problem)
            return new TokenCreation(problem);
        var expires = now + (expiresIn ?? DefaultLifetime);
        if (by.ExpiresAt is { } keyExpires && keyExpires < expires)
            expires = keyExpires;
        // The token counts in whole seconds: never round up.
        expires = DateTimeOffset.FromUnixTimeSeconds(expires.ToUnixTimeSeconds());
        return new TokenCreation(new NewToken(Write(by.KeyId, wanted, now, expires), expires, wanted));
    }

    /// <summary>Whether a text has the shape of a token rather than of a key: three parts, the first a JSON object in base64.</summary>
    public static bool LooksLikeOne(string presented) =>
        presented.StartsWith("eyJ", StringComparison.Ordinal) && presented.AsSpan().Count('.') == 2;

    /// <summary>Checks a token and the key it stands for. Never throws for what the text holds.</summary>
    public async ValueTask<TokenCheck> CheckAsync(string token)
    {
        if (token.Length > MaxTokenLength)
            return new TokenCheck(TokenFault.Malformed);
        var digest = Digest.Of(token);
        if (!_seen.TryGetValue(digest, out var claims))
        {
            var result = await _handler.ValidateTokenAsync(token, Parameters());
            if (!result.IsValid)
                return new TokenCheck(FaultOf(result.Exception));
            if (!TryRead((JsonWebToken)result.SecurityToken, out claims))
                return new TokenCheck(TokenFault.Malformed);
            if (_seen.Count >= MaxSeen)
                _seen.Clear();
            _seen[digest] = claims;
        }
        var now = clock.GetUtcNow();
        var check = new TokenCheck(TokenFault.None) { ExpiresAt = claims.ExpiresAt };
        if (now >= claims.ExpiresAt)
            return check with { Fault = TokenFault.Expired };
        if (now + Skew < claims.NotBefore)
            return check with { Fault = TokenFault.NotYetValid };
        var key = await keys.FindAsync(claims.KeyId);
        if (key is null || !key.IsUsableAt(now))
            return check with { Fault = key is { RevokedAt: null } ? TokenFault.Expired : TokenFault.Revoked };
        return check with { Principal = new Principal(key.Tenant, key.Id, claims.Scopes & key.Scopes, claims.ExpiresAt, IsToken: true) };
    }

    static Problem? Refuse(Principal by, TimeSpan? expiresIn, Scopes wanted, DateTimeOffset now)
    {
        if (by.IsToken)
            return new Problem("insufficient-scope", 403, "Insufficient scope", "A token cannot make tokens: present the API key itself.");
        if (expiresIn is { } span && (span < TimeSpan.FromSeconds(1) || span > MaxLifetime))
            return TenantProblems.InvalidField("/expires_in", "A token lives 1 second to 24 hours.");
        if (expiresIn is not null && by.ExpiresAt is { } keyExpires && now + expiresIn > keyExpires)
            return TenantProblems.InvalidField("/expires_in", "The token would outlive the key it is made for.");
        if (wanted == Scopes.None)
            return TenantProblems.InvalidField("/scopes", "Name at least one of the key's scopes.");
        return by.Missing(wanted);
    }

    string Write(string keyId, Scopes scopes, DateTimeOffset now, DateTimeOffset expires)
    {
        Span<byte> id = stackalloc byte[16];
        entropy.Fill(id);
        return _handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = Type,
            Issuer = Issuer,
            Audience = Audience,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = expires.UtcDateTime,
            SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.HmacSha256),
            Claims = new Dictionary<string, object>
            {
                [JwtRegisteredClaimNames.Sub] = keyId,
                [JwtRegisteredClaimNames.Jti] = Convert.ToHexStringLower(id),
                [ScopeClaim] = string.Join(' ', ScopeNames.Of(scopes)),
            },
        });
    }

    TokenValidationParameters Parameters() => new()
    {
        ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
        ValidTypes = [Type],
        ValidIssuer = Issuer,
        ValidAudience = Audience,
        IssuerSigningKey = _key,
        TryAllIssuerSigningKeys = true,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        // Times are read below, strictly and by our clock.
        ValidateLifetime = false,
        IncludeTokenOnFailedValidation = false,
    };

    static TokenFault FaultOf(Exception? fault) => fault switch
    {
        SecurityTokenInvalidTypeException => TokenFault.Foreign,
        SecurityTokenInvalidIssuerException => TokenFault.Foreign,
        SecurityTokenInvalidAudienceException => TokenFault.Foreign,
        SecurityTokenInvalidSignatureException => TokenFault.Signature,
        SecurityTokenInvalidAlgorithmException => TokenFault.Signature,
        _ => TokenFault.Malformed,
    };

    static bool TryRead(JsonWebToken token, out Claims claims)
    {
        claims = default;
        if (!TrySeconds(token, JwtRegisteredClaimNames.Exp, out var expires)
            || !TrySeconds(token, JwtRegisteredClaimNames.Nbf, out var notBefore)
            || !token.TryGetPayloadValue<object>(JwtRegisteredClaimNames.Sub, out var sub) || sub is not string keyId
            || !token.TryGetPayloadValue<object>(ScopeClaim, out var scope) || scope is not string names)
            return false;
        var scopes = Scopes.None;
        foreach (var range in names.AsSpan().Split(' '))
        {
            if (!ScopeNames.TryParse(names.AsSpan(range), out var one))
                return false;
            scopes |= one;
        }
        claims = new Claims(keyId, scopes, notBefore, expires);
        return true;
    }

    /// <summary>A NumericDate (RFC 7519 §2) within the calendar; the library cuts fractions.</summary>
    static bool TrySeconds(JsonWebToken token, string claim, out DateTimeOffset at)
    {
        at = default;
        // The year 9999 in Unix seconds: beyond it DateTimeOffset ends.
        const long Last = 253_402_300_799;
        if (!token.TryGetPayloadValue<object>(claim, out var value) || value is not (int or long))
            return false;
        var seconds = Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture);
        if (seconds is < 0 or > Last)
            return false;
        at = DateTimeOffset.FromUnixTimeSeconds(seconds);
        return true;
    }

    /// <summary>What a token says.</summary>
    readonly record struct Claims(string KeyId, Scopes Scopes, DateTimeOffset NotBefore, DateTimeOffset ExpiresAt);

    /// <summary>SHA-256 of a whole token: the token itself is not kept.</summary>
    readonly record struct Digest(UInt128 First, UInt128 Second)
    {
        public static Digest Of(string token)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(MemoryMarshal.AsBytes(token.AsSpan()), hash);
            return MemoryMarshal.Read<Digest>(hash);
        }
    }
}

/// <summary>What came of checking a token.</summary>
/// <param name="Fault">None exactly when <see cref="Principal"/> is set.</param>
public sealed record TokenCheck(TokenFault Fault)
{
    public Principal? Principal { get; init; }

    /// <summary>Set when the signature is ours.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}
