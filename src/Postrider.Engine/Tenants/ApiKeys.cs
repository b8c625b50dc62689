using System.Security.Cryptography;
using System.Text;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>What a new key shall be.</summary>
/// <param name="ExpiresAt">Null: never.</param>
public sealed record KeyRequest(string Name, KeyKind Kind, Scopes Scopes, DateTimeOffset? ExpiresAt);

/// <summary>A new key, or why there is none; exactly one is set.</summary>
public readonly record struct KeyCreation
{
    public KeyCreation(NewApiKey key) => Key = key;
    public KeyCreation(Problem problem) => Problem = problem;

    public NewApiKey? Key { get; }
    public Problem? Problem { get; }
}

/// <summary>Makes, lists, revokes and recognises API keys.</summary>
/// <remarks>
/// A bearer key is <c>pr_</c>, an id of 12 characters, <c>_</c>, a secret of 32 (160 bits). The id finds the row; the SHA-256 of the whole
/// text is compared in constant time, and against a dummy where there is no row. No slow hash: a random secret of 160 bits cannot be
/// guessed from it.
/// A key from <c>POSTRIDER_API_KEY</c> may look different; it has the id <see cref="BootstrapId"/>.
/// </remarks>
public sealed class ApiKeys(IKeyStore store, Sealer sealer, TimeProvider clock, Entropy entropy)
{
    /// <summary>The id of a key from the environment that is not in our own form.</summary>
    public const string BootstrapId = "bootstrap";

    const string Prefix = "pr_";
    const int MinKeyLength = 24;
    const int MaxKeyLength = 256;
    const int MaxNameLength = 100;
    internal const string SealColumn = "api_keys.sealed_secret";

    static readonly byte[] DummyHash = new byte[SHA256.HashSizeInBytes];

    readonly KeyCache _cache = new(store, clock);

    /// <summary>Makes a key for the caller's tenant. It gets no scope that the caller does not have.</summary>
    public async Task<KeyCreation> MakeAsync(Principal by, KeyRequest request, CancellationToken ct)
    {
        if (Refuse(by, request) is { } problem)
            return new KeyCreation(problem);
        return new KeyCreation(await AddAsync(by.Tenant, request, ct));
    }

    /// <summary>The first key of a tenant, with all scopes, for whoever made the tenant.</summary>
    public Task<NewApiKey> MakeFirstAsync(Tenant tenant, CancellationToken ct) =>
        AddAsync(tenant.Id, new KeyRequest("first key", KeyKind.Bearer, Scopes.All, ExpiresAt: null), ct);

    /// <summary>Newest first; the revoked and the expired too.</summary>
    public Task<IReadOnlyList<ApiKey>> ListAsync(TenantId tenant, CancellationToken ct) => store.ListAsync(tenant, ct);

    /// <summary>Ends a key, and with it every token made for it: at once on this node, within a second on all. False when it is absent or
    /// another tenant's.</summary>
    public async Task<bool> RevokeAsync(TenantId tenant, string id, CancellationToken ct)
    {
        var revoked = await store.RevokeAsync(tenant, id, clock.GetUtcNow(), ct);
        _cache.Forget(id);
        return revoked;
    }

    /// <summary>The key with this id, at most half a second old, whether usable or not; null when there is none.</summary>
    public async ValueTask<ApiKey?> FindAsync(string id) => (await _cache.FindAsync(id))?.Key;

    /// <summary>The bearer key that this text is, whether usable or not; null when it is none. Never throws for what the text
    /// holds.</summary>
    public ValueTask<ApiKey?> RecogniseAsync(string presented)
    {
        var id = presented.Length <= MaxKeyLength ? IdOf(presented) : "";
        var found = id.IsEmpty ? default : _cache.FindAsync(id);
        return found.IsCompletedSuccessfully ? new ValueTask<ApiKey?>(Match(found.Result, presented)) : Later(found, presented);

        async ValueTask<ApiKey?> Later(ValueTask<StoredKey?> reading, string text) => Match(await reading, text);
    }

    /// <summary>Keys were changed, perhaps by another node: what is remembered of them is read again.</summary>
    public void Refresh() => _cache.Distrust();

    /// <summary>Notes that a key did something; kept in memory until <see cref="RecordUsesAsync"/>.</summary>
    public void NoteUse(string id) => _cache.NoteUse(id);

    /// <summary>Stores when keys were last used. Uses of the last half minute are lost in a crash.</summary>
    public async Task RecordUsesAsync(CancellationToken ct)
    {
        var uses = _cache.TakeUses();
        if (uses.Count > 0)
            await store.RecordUsesAsync(uses, ct);
    }

    /// <summary>The secret that signs requests for a SigV4 key; null when there is no such key or it is not usable.</summary>
    public async ValueTask<(ApiKey Key, string Secret)?> OpenSigV4Async(string accessKeyId)
    {
        var stored = await _cache.FindAsync(accessKeyId);
        if (stored is not { Key.Kind: KeyKind.SigV4 } || !stored.Key.IsUsableAt(clock.GetUtcNow()))
            return null;
        return sealer.TryOpen(stored.SealedSecret.Span, stored.Key.Tenant, SealColumn, accessKeyId, out var secret)
            ? (stored.Key, Encoding.UTF8.GetString(secret))
            : null;
    }

    /// <summary>Sees to it that somebody can call: takes the key of the environment, or makes the first key there ever was.</summary>
    /// <param name="given"><c>POSTRIDER_API_KEY</c>; null or empty when not set. Another one than last time takes the place of the
    /// last.</param>
    /// <returns>The key to print, once; null when nothing was made up.</returns>
    /// <exception cref="BootstrapKeyException">The given key is too short, too long, not printable, or its id is another key's.</exception>
    public async Task<string?> BootstrapAsync(string? given, CancellationToken ct)
    {
        if (!string.IsNullOrEmpty(given))
        {
            await TakeAsync(given, ct);
            return null;
        }
        if (await store.AnyAsync(ct))
            return null;
        return (await AddAsync(TenantId.First, new KeyRequest("first key", KeyKind.Bearer, Scopes.All, ExpiresAt: null), ct)).Secret;
    }

    async Task TakeAsync(string given, CancellationToken ct)
    {
        if (given.Length is < MinKeyLength or > MaxKeyLength || given.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new BootstrapKeyException(
                $"POSTRIDER_API_KEY must have {MinKeyLength} to {MaxKeyLength} printable ASCII characters without spaces. "
                + "Make one with: openssl rand -hex 24");
        var id = IdOf(given).ToString();
        var hash = Hash(given);
        var key = new ApiKey
        {
            Id = id,
            Tenant = TenantId.First,
            Name = "POSTRIDER_API_KEY",
            Kind = KeyKind.Bearer,
            Scopes = Scopes.All,
            CreatedAt = clock.GetUtcNow(),
        };
        if (await store.AddAsync(new StoredKey(key, hash, default), ct))
            return;
        var stored = await store.FindAsync(id, ct);
        if (stored is null || CryptographicOperations.FixedTimeEquals(stored.SecretHash.Span, hash))
            return;
        if (id != BootstrapId)
            throw new BootstrapKeyException(
                $"POSTRIDER_API_KEY has the id '{id}' of another key. Give the whole of that key, or one of your own making.");
        await store.ReplaceHashAsync(id, hash, ct);
        _cache.Forget(id);
    }

    async Task<NewApiKey> AddAsync(TenantId tenant, KeyRequest request, CancellationToken ct)
    {
        while (true)
        {
            var made = Make(tenant, request);
            var sealedSecret = request.Kind == KeyKind.SigV4
                ? sealer.Seal(Encoding.UTF8.GetBytes(made.Secret), tenant, SealColumn, made.Key.Id)
                : default(ReadOnlyMemory<byte>);
            var hash = request.Kind == KeyKind.Bearer ? Hash(made.Secret) : default(ReadOnlyMemory<byte>);
            if (await store.AddAsync(new StoredKey(made.Key, hash, sealedSecret), ct))
                return made;
        }
    }

    NewApiKey Make(TenantId tenant, KeyRequest request)
    {
        // 60 bits to find it by, 160 bits (SigV4: 200, the length AWS's own have) to know it by.
        var isBearer = request.Kind == KeyKind.Bearer;
        var id = isBearer ? Letters(12) : "PR" + Letters(18).ToUpperInvariant();
        var secret = isBearer ? $"{Prefix}{id}_{Letters(32)}" : Letters(40);
        var key = new ApiKey
        {
            Id = id,
            Tenant = tenant,
            Name = request.Name,
            Kind = request.Kind,
            Scopes = request.Scopes,
            CreatedAt = clock.GetUtcNow(),
            ExpiresAt = request.ExpiresAt,
        };
        return new NewApiKey(key, secret);
    }

    /// <summary>Five random bits a character; no character that ends a word or is mistaken for another (RFC 4648 §6).</summary>
    string Letters(int count)
    {
        Span<byte> bits = stackalloc byte[count];
        entropy.Fill(bits);
        Span<char> letters = stackalloc char[count];
        for (var i = 0; i < count; i++)
            letters[i] = "abcdefghijklmnopqrstuvwxyz234567"[bits[i] & 31];
        return new string(letters);
    }

    Problem? Refuse(Principal by, KeyRequest request)
    {
        if (request.Name.Length is 0 or > MaxNameLength || !HeaderText.IsSafe(request.Name, out _))
            return TenantProblems.InvalidField("/name", $"A name has 1 to {MaxNameLength} characters, without control characters.");
        if (request.Scopes == Scopes.None || (request.Scopes & ~Scopes.All) != 0)
            return TenantProblems.InvalidField("/scopes", "Name at least one of the scopes send, read, manage, admin.");
        if (request.ExpiresAt is { } expires && expires <= clock.GetUtcNow())
            return TenantProblems.InvalidField("/expires_at", "The key would have expired already.");
        return by.Missing(request.Scopes);
    }

    static ReadOnlySpan<char> IdOf(ReadOnlySpan<char> presented)
    {
        if (presented.Length < MinKeyLength)
            return default;
        if (!presented.StartsWith(Prefix, StringComparison.Ordinal))
            return BootstrapId;
        var rest = presented[Prefix.Length..];
        var end = rest.IndexOf('_');
        return end is > 0 and <= 64 ? rest[..end] : BootstrapId;
    }

    static ApiKey? Match(StoredKey? stored, string presented)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> text = stackalloc byte[MaxKeyLength * 3];
        var fits = Encoding.UTF8.TryGetBytes(presented, text, out var length);
        SHA256.HashData(text[..length], hash);
        var isBearer = stored is { Key.Kind: KeyKind.Bearer };
        var equal = CryptographicOperations.FixedTimeEquals(hash, isBearer ? stored!.SecretHash.Span : DummyHash);
        return equal && isBearer && fits ? stored!.Key : null;
    }

    static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>The key in the environment cannot be used; the message says what to do.</summary>
public sealed class BootstrapKeyException(string message) : Exception(message);
