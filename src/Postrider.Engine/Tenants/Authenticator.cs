using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Whether a credential is valid, for the one who holds it.</summary>
/// <param name="ExpiresAt">Null: never, or not known because the credential is not ours.</param>
/// <param name="Tenant">Only when valid.</param>
/// <param name="Reason">Null when valid; else <c>missing</c>, <c>malformed</c>, <c>unknown</c>, <c>signature</c>, <c>foreign</c>,
/// <c>not-yet-valid</c>, <c>expired</c>, <c>revoked</c> or <c>archived</c> (its tenant).</param>
public sealed record TokenStatus(bool Valid, DateTimeOffset? ExpiresAt, TenantId? Tenant, Scopes Scopes, string? Reason);

/// <summary>Who a signed request claims to be from.</summary>
/// <param name="Secret">What the signature must have been made with.</param>
public sealed record Signer(Principal Principal, string Secret)
{
    /// <summary>Without the secret.</summary>
    public override string ToString() => Principal.ToString();
}

/// <summary>Turns the credential of a request into the principal it acts as.</summary>
/// <param name="tenants">Null: no tenant is ever stopped.</param>
public sealed class Authenticator(ApiKeys keys, Tokens tokens, TimeProvider clock, TenantDirectory? tenants = null)
{
    /// <param name="bearer">What stands behind <c>Bearer</c> in the Authorization header, or the password of SMTP AUTH; null when there is
    /// none.</param>
    public ValueTask<Authentication> AuthenticateAsync(string? bearer)
    {
        if (string.IsNullOrWhiteSpace(bearer))
            return new ValueTask<Authentication>(new Authentication(TenantProblems.Unauthenticated));
        if (Tokens.LooksLikeOne(bearer))
            return OfTokenAsync(bearer);
        // The common case, a key that was seen within the last half second, needs no task.
        var found = keys.RecogniseAsync(bearer);
        return found.IsCompletedSuccessfully ? new ValueTask<Authentication>(Of(found.Result)) : OfKeyAsync(found);
    }

    /// <summary>Who signs with this access key; null when there is none, or it is not usable. Trust it only once the signature
    /// stands.</summary>
    /// <exception cref="StoreUnavailableException">The storage cannot be reached.</exception>
    public async ValueTask<Signer?> FindSignerAsync(string accessKeyId) => await keys.OpenSigV4Async(accessKeyId) is var (key, secret)
        && !IsStopped(key.Tenant)
        ? new Signer(new Principal(key.Tenant, key.Id, key.Scopes, key.ExpiresAt, IsToken: false), secret)
        : null;

    /// <summary>For a signature that stood.</summary>
    public void NoteUse(Principal principal) => keys.NoteUse(principal.KeyId);

    /// <summary>Says more than <see cref="AuthenticateAsync"/> does, about a credential that the caller presents as its own.</summary>
    /// <exception cref="StoreUnavailableException">The storage cannot be reached.</exception>
    public async ValueTask<TokenStatus> StatusAsync(string? bearer)
    {
        if (string.IsNullOrWhiteSpace(bearer))
            return Invalid("missing");
        if (Tokens.LooksLikeOne(bearer))
        {
            var check = await tokens.CheckAsync(bearer);
            if (check.Principal is { } stopped && IsStopped(stopped.Tenant))
                return Invalid("archived");
            return check.Principal is { } holder
                ? new TokenStatus(true, check.ExpiresAt, holder.Tenant, holder.Scopes, null)
                : Invalid(Reason(check.Fault)) with { ExpiresAt = check.ExpiresAt };
        }
        if (await keys.RecogniseAsync(bearer) is not { } key)
            return Invalid(bearer.StartsWith("pr_", StringComparison.Ordinal) ? "unknown" : "malformed");
        if (IsStopped(key.Tenant))
            return Invalid("archived");
        if (key.IsUsableAt(clock.GetUtcNow()))
            return new TokenStatus(true, key.ExpiresAt, key.Tenant, key.Scopes, null);
        return Invalid(key.RevokedAt is null ? "expired" : "revoked") with { ExpiresAt = key.ExpiresAt };
    }

    async ValueTask<Authentication> OfKeyAsync(ValueTask<ApiKey?> reading)
    {
        try
        {
            return Of(await reading);
        }
        catch (StoreUnavailableException)
        {
            return new Authentication(TenantProblems.StorageUnavailable);
        }
    }

    async ValueTask<Authentication> OfTokenAsync(string token)
    {
        try
        {
            var check = await tokens.CheckAsync(token);
            if (check.Principal is not { } principal)
                return new Authentication(TenantProblems.InvalidToken);
            if (IsStopped(principal.Tenant))
                return new Authentication(TenantProblems.TenantArchived);
            keys.NoteUse(principal.KeyId);
            return new Authentication(principal);
        }
        catch (StoreUnavailableException)
        {
            return new Authentication(TenantProblems.StorageUnavailable);
        }
    }

    Authentication Of(ApiKey? key)
    {
        if (key is null || !key.IsUsableAt(clock.GetUtcNow()))
            return new Authentication(TenantProblems.Unauthenticated);
        if (IsStopped(key.Tenant))
            return new Authentication(TenantProblems.TenantArchived);
        keys.NoteUse(key.Id);
        return new Authentication(new Principal(key.Tenant, key.Id, key.Scopes, key.ExpiresAt, IsToken: false));
    }

    bool IsStopped(TenantId tenant) => tenants is not null && tenants.IsArchived(tenant);

    static TokenStatus Invalid(string reason) => new(false, null, null, Scopes.None, reason);

    static string Reason(TokenFault fault) => fault switch
    {
        TokenFault.None => "valid",
        TokenFault.Malformed => "malformed",
        TokenFault.Signature => "signature",
        TokenFault.Foreign => "foreign",
        TokenFault.NotYetValid => "not-yet-valid",
        TokenFault.Expired => "expired",
        TokenFault.Revoked => "revoked",
    };
}
