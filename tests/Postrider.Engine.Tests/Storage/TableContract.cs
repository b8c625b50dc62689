using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The engines that every contract is held to.</summary>
public enum StoreEngine { Sqlite, Postgres }

/// <summary>What the contracts of small tables need: a store of that engine, which the test has to itself.</summary>
public abstract class TableContract(StoreEngine engine) : IAsyncLifetime
{
    IStoreUnderTest _under = null!;

    private protected ITableStore Tables => (ITableStore)_under.Store;

    public async ValueTask InitializeAsync() => _under = engine switch
    {
        StoreEngine.Sqlite => new SqliteUnderTest(new ManualClock()),
        StoreEngine.Postgres => await PostgresUnderTest.OpenAsync(new ManualClock()),
        _ => throw new ArgumentOutOfRangeException(nameof(engine)),
    };

    public async ValueTask DisposeAsync()
    {
        await _under.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected Task ReopenAsync() => _under.ReopenAsync();
}
