using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>The room of tenants as a node has it: a master key, keys, tokens, an authenticator, over a store and a clock of the
/// test.</summary>
sealed class Installation
{
    public Installation(IKeyStore? store = null, ManualClock? clock = null, MasterKey? master = null)
    {
        Clock = clock ?? new ManualClock();
        Store = store ?? new MemoryKeyStore();
        Master = master ?? MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test");
        Sealer = new Sealer(Master, Entropy.System);
        Keys = new ApiKeys(Store, Sealer, Clock, Entropy.System);
        Tokens = new Tokens(Master, Keys, Clock, Entropy.System);
        Authenticator = new Authenticator(Keys, Tokens, Clock);
    }

    public ManualClock Clock { get; }
    public IKeyStore Store { get; }
    public MasterKey Master { get; }
    public Sealer Sealer { get; }
    public ApiKeys Keys { get; }
    public Tokens Tokens { get; }
    public Authenticator Authenticator { get; }

    public static Principal Admin { get; } = new(TenantId.First, "root", Scopes.All, ExpiresAt: null, IsToken: false);

    public async Task<NewApiKey> MakeAsync(Scopes scopes = Scopes.All, DateTimeOffset? expiresAt = null, KeyKind kind = KeyKind.Bearer,
        TenantId? tenant = null)
    {
        var made = await Keys.MakeAsync(Admin with { Tenant = tenant ?? TenantId.First }, new KeyRequest("test", kind, scopes, expiresAt),
            default);
        return made.Key ?? throw new InvalidOperationException(made.Problem!.Detail);
    }

    public async Task<Principal> PrincipalAsync(NewApiKey key) =>
        (await Authenticator.AuthenticateAsync(key.Secret)).Principal ?? throw new InvalidOperationException("The key is not recognised.");
}
