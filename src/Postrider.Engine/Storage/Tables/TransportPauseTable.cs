using Dapper;
using Postrider.Nodes;
using Postrider.Routing;

namespace Postrider.Storage.Tables;

/// <summary>Paused transports in the store of a single process. Of several nodes each knows by <see cref="ISharedLimits"/>.</summary>
public sealed class TransportPauseTable(ITableStore store) : ITransportPauseStore
{
    public Task<IReadOnlyList<string>> PausedAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<string>>(connection =>
        [.. connection.Query<string>("SELECT name FROM transport_states WHERE paused")], ct);

    public Task KeepAsync(string transport, bool isPaused) => store.ChangeAsync(Topic.Transports, connection => connection.Execute("""
        INSERT INTO transport_states (name, paused) VALUES (@transport, @isPaused)
        ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, version = version + 1
        """, new { transport, isPaused }));
}
