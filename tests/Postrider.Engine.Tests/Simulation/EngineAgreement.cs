using System.Globalization;
using System.Text;
using Postrider.Engine.Tests.Storage;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>The same histories on a real engine: it must answer every call as the model does, and show the same messages, timelines and
/// sums. What holds for the model then holds for the engine.</summary>
public abstract class EngineAgreement
{
    const int Acts = Simulation.Acts;

    /// <summary>Between two looks at everything that people see.</summary>
    const int LookEvery = 20;

    readonly ManualClock _clock = new();

    private protected abstract Task<IStoreUnderTest> OpenAsync(ManualClock clock);

    /// <summary>What of a seed's setting this engine can be.</summary>
    private protected abstract Setting Fit(Setting setting);

    [Fact]
    public async Task Histories_come_to_the_same_as_in_the_model()
    {
        var first = SimulationTests.Variable("FIRST_SEED", 1);
        var seeds = SimulationTests.Variable("ENGINE_SEEDS", 100);
        await using var engine = await OpenAsync(_clock);
        for (var seed = first; seed < first + seeds; seed++)
        {
            if (await CompareAsync(seed, engine, (int)(seed - first), Mutation.None) is { } broken)
                Assert.Fail(broken);
        }
        Assert.Empty(await engine.OrphansAsync());
    }

    /// <summary>The negative control.</summary>
    [Fact]
    public async Task A_model_that_leases_what_has_expired_is_contradicted()
    {
        await using var engine = await OpenAsync(_clock);
        string? broken = null;
        for (var seed = 1; seed <= 50 && broken is null; seed++)
            broken = await CompareAsync((ulong)seed, engine, seed, Mutation.LeaseExpired);
        Assert.Contains("agrees", broken, StringComparison.Ordinal);
    }

    /// <summary>All seeds share the engine: each has its own tenants, and its nodes are later starts of the same ones.</summary>
    /// <returns>Where they part; null: nowhere.</returns>
    async Task<string?> CompareAsync(ulong seed, IStoreUnderTest engine, int number, Mutation mutation)
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        var setting = Fit(Setting.Of(seed));
        var tables = new ModelTables { IsShared = setting.IsShared };
        for (var node = 1; node <= 3; node++)
            tables.Members[node] = new ModelMember(1000L * (number + 1), 0, Alive: false);
        var log = new StringBuilder();
        var cluster = new Cluster(setting, mutation, tables, _clock,
            own => new PairedStore(new ModelStore(tables, own, mutation), engine))
        {
            Log = log,
            FirstTenant = 10 + 2 * number,
            HasOneClock = true,
            AfterAct = act => act % LookEvery == 0
                ? AgreedState.CompareAsync(tables, engine.Reader, _clock.GetUtcNow()) : Task.CompletedTask,
        };
        try
        {
            await cluster.RunAsync(Act.Draw(seed, Acts));
            await AgreedState.CompareAsync(tables, engine.Reader, _clock.GetUtcNow());
            return null;
        }
        catch (BrokenPromiseException broken)
        {
            return string.Create(CultureInfo.InvariantCulture, $"seed {seed}, {Acts} acts\n{setting}\n{broken.Message}\n{log}");
        }
    }
}

/// <summary>SQLite against the model: one process alone with its database.</summary>
public sealed class SqliteAgreementTests : EngineAgreement
{
    private protected override Task<IStoreUnderTest> OpenAsync(ManualClock clock) =>
        Task.FromResult<IStoreUnderTest>(new SqliteUnderTest(clock));

    private protected override Setting Fit(Setting setting) => setting with { Nodes = 1, IsShared = false };
}

/// <summary>PostgreSQL against the model: nodes that are members.</summary>
public sealed class PostgresAgreementTests : EngineAgreement
{
    private protected override async Task<IStoreUnderTest> OpenAsync(ManualClock clock) => await PostgresUnderTest.OpenAsync(clock);

    private protected override Setting Fit(Setting setting) => setting with { IsShared = true };
}
