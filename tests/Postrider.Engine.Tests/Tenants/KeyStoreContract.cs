using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>What every store of keys must do.</summary>
public abstract class KeyStoreContract
{
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private protected abstract IKeyStore Store { get; }

    private protected static StoredKey Key(string id, int tenant = 1, int minute = 0) => new(
        new ApiKey
        {
            Id = id,
            Tenant = new TenantId(tenant),
            Name = $"key 'of' {id} ü",
            Kind = KeyKind.Bearer,
            Scopes = Scopes.Send | Scopes.Manage,
            CreatedAt = Start.AddMinutes(minute),
            ExpiresAt = Start.AddDays(1),
        },
        new byte[] { 1, 2, 3 },
        default);

    [Fact]
    public async Task A_key_comes_back_as_it_went_in()
    {
        Assert.False(await Store.AnyAsync(default));
        Assert.Null(await Store.FindAsync("a", default));
        Assert.True(await Store.AddAsync(Key("a"), default));
        var signing = Key("b") with { SecretHash = default, SealedSecret = new byte[] { 9, 8 } };
        signing = signing with { Key = signing.Key with { Kind = KeyKind.SigV4, ExpiresAt = null } };
        Assert.True(await Store.AddAsync(signing, default));

        var found = await Store.FindAsync("a", default);
        Assert.Equal(Key("a").Key, found?.Key);
        Assert.Equal([1, 2, 3], found!.SecretHash.ToArray());
        Assert.True(found.SealedSecret.IsEmpty);
        found = await Store.FindAsync("b", default);
        Assert.Equal(signing.Key, found?.Key);
        Assert.True(found!.SecretHash.IsEmpty);
        Assert.Equal([9, 8], found.SealedSecret.ToArray());
        Assert.True(await Store.AnyAsync(default));
    }

    [Fact]
    public async Task An_id_is_given_once()
    {
        Assert.True(await Store.AddAsync(Key("a"), default));
        Assert.False(await Store.AddAsync(Key("a", tenant: 2) with { SecretHash = new byte[] { 7 } }, default));
        var found = await Store.FindAsync("a", default);
        Assert.Equal((new TenantId(1), 1), (found!.Key.Tenant, found.SecretHash.Span[0]));
        Assert.Null(await Store.FindAsync("A", default));
    }

    [Fact]
    public async Task Keys_are_listed_for_their_tenant_newest_first()
    {
        await Store.AddAsync(Key("old"), default);
        await Store.AddAsync(Key("new", minute: 5), default);
        await Store.AddAsync(Key("other", tenant: 2), default);
        await Store.RevokeAsync(new TenantId(1), "old", Start, default);
        Assert.Equal(["new", "old"], (await Store.ListAsync(new TenantId(1), default)).Select(k => k.Id));
        Assert.Equal(["other"], (await Store.ListAsync(new TenantId(2), default)).Select(k => k.Id));
    }

    [Fact]
    public async Task A_revocation_keeps_its_first_instant_and_its_tenant()
    {
        await Store.AddAsync(Key("a"), default);
        Assert.False(await Store.RevokeAsync(new TenantId(2), "a", Start, default));
        Assert.False(await Store.RevokeAsync(new TenantId(1), "absent", Start, default));
        Assert.Null((await Store.FindAsync("a", default))!.Key.RevokedAt);
        Assert.True(await Store.RevokeAsync(new TenantId(1), "a", Start.AddHours(1), default));
        Assert.True(await Store.RevokeAsync(new TenantId(1), "a", Start.AddHours(2), default));
        Assert.Equal(Start.AddHours(1), (await Store.FindAsync("a", default))!.Key.RevokedAt);
    }

    [Fact]
    public async Task Another_hash_takes_the_place_of_the_last_and_a_revocation_stays()
    {
        await Store.AddAsync(Key("a"), default);
        await Store.RevokeAsync(new TenantId(1), "a", Start, default);
        Assert.True(await Store.ReplaceHashAsync("a", new byte[] { 5 }, default));
        Assert.False(await Store.ReplaceHashAsync("absent", new byte[] { 5 }, default));
        var found = await Store.FindAsync("a", default);
        Assert.Equal([5], found!.SecretHash.ToArray());
        Assert.Equal(Start, found.Key.RevokedAt);
    }

    [Fact]
    public async Task The_last_use_only_moves_forward()
    {
        await Store.AddAsync(Key("a"), default);
        await Store.RecordUsesAsync([new("a", Start.AddHours(2)), new("absent", Start)], default);
        await Store.RecordUsesAsync([new("a", Start.AddHours(1))], default);
        Assert.Equal(Start.AddHours(2), (await Store.FindAsync("a", default))!.Key.LastUsedAt);
    }

    [Fact]
    public async Task The_first_canary_stays()
    {
        Assert.Equal([1], (await Store.GetOrAddCanaryAsync(new byte[] { 1 }, default)).ToArray());
        Assert.Equal([1], (await Store.GetOrAddCanaryAsync(new byte[] { 2 }, default)).ToArray());
    }
}

public sealed class MemoryKeyStoreTests : KeyStoreContract
{
    private protected override IKeyStore Store { get; } = new MemoryKeyStore();
}

public sealed class PostgresKeyStoreTests : KeyStoreContract, IAsyncLifetime
{
    PostgresUnderTest _under = null!;

    private protected override IKeyStore Store => new PostgresKeyStore(_under.Postgres);

    public async ValueTask InitializeAsync() => _under = await PostgresUnderTest.OpenAsync(new ManualClock());
    public ValueTask DisposeAsync() => _under.DisposeAsync();
}

public sealed class SqliteKeyStoreTests : KeyStoreContract, IAsyncDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-keys-");
    readonly ManualClock _clock = new();
    SqliteStore _sqlite = null!;
    SqliteKeyStore _keys = null!;

    public SqliteKeyStoreTests() => Open();

    private protected override IKeyStore Store => _keys;

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _folder.Delete(recursive: true);
    }

    void Open()
    {
        var options = new StorageOptions { BallastBytes = 0, MinFreeBytes = 0 };
        _sqlite = SqliteStore.Open(Path.Combine(_folder.FullName, "postrider.db"), options, _clock, NullLogger<SqliteStore>.Instance);
        _keys = new SqliteKeyStore(_sqlite);
    }

    async Task CloseAsync()
    {
        _keys.Dispose();
        await _sqlite.DisposeAsync();
    }

    [Fact]
    public async Task The_files_hold_no_usable_key()
    {
        var here = new Installation(_keys, _clock, MasterKey.Load(null, null, Path.Combine(_folder.FullName, "keys"), Entropy.System));
        await here.Master.VerifyAsync(_keys, Entropy.System, default);
        var bearer = await here.MakeAsync();
        var signing = await here.MakeAsync(kind: KeyKind.SigV4);
        await here.Keys.BootstrapAsync("the-key-of-the-environment-4711", default);
        var token = here.Tokens.Make(await here.PrincipalAsync(bearer), null, null).Token!.Token;
        Assert.Equal(signing.Secret, (await here.Keys.OpenSigV4Async(signing.Key.Id))?.Secret);
        Assert.NotNull((await here.Authenticator.AuthenticateAsync(token)).Principal);
        await here.Keys.RecordUsesAsync(default);

        await CloseAsync();
        var dump = Directory.GetFiles(_folder.FullName).SelectMany(File.ReadAllBytes).ToArray();
        Open();
        Assert.True(dump.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(bearer.Key.Id)) >= 0,
            "the ids are in the files, or the search below proves nothing");
        foreach (var secret in new[] { bearer.Secret, bearer.Secret.Split('_')[2], signing.Secret, "the-key-of-the-environment-4711",
            token.Split('.')[2] })
            Assert.True(dump.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(secret)) < 0, secret);
        Assert.True(dump.AsSpan().IndexOf(here.Master.Derive("postrider/tokens/1")) < 0);
    }

    [Fact]
    public async Task A_key_of_a_closed_store_is_still_there_after_a_start()
    {
        await Store.AddAsync(Key("a"), default);
        await CloseAsync();
        Open();
        Assert.NotNull(await Store.FindAsync("a", default));
    }
}
