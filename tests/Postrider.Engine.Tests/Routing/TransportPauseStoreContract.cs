using Postrider.Engine.Tests.Storage;
using Postrider.Routing;
using Postrider.Storage.Postgres;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class SqliteTransportPauseStoreTests() : TransportPauseStoreContract(StoreEngine.Sqlite);

public sealed class PostgresTransportPauseStoreTests() : TransportPauseStoreContract(StoreEngine.Postgres);

/// <summary>What every store of paused transports must do.</summary>
public abstract class TransportPauseStoreContract(StoreEngine engine) : TableContract(engine)
{
    ITransportPauseStore Store => Tables is PostgresStore postgres ? new PostgresLimits(postgres) : new TransportPauseTable(Tables);

    [Fact]
    public async Task A_pause_lasts_over_a_restart_until_it_is_ended()
    {
        await Store.KeepAsync("relay", isPaused: true);
        await Store.KeepAsync("relay", isPaused: true);
        await Store.KeepAsync("2/own", isPaused: true);
        await Store.KeepAsync("never-paused", isPaused: false);
        await ReopenAsync();
        Assert.Equal(["2/own", "relay"], (await Store.PausedAsync(default)).Order());

        await Store.KeepAsync("relay", isPaused: false);
        await ReopenAsync();
        Assert.Equal(["2/own"], await Store.PausedAsync(default));
    }
}
