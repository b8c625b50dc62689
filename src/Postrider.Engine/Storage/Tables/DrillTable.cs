using Dapper;
using Postrider.Nodes;
using Postrider.Routing;

namespace Postrider.Storage.Tables;

/// <summary>Drills in the store's database; a handful of rows.</summary>
public sealed class DrillTable(ITableStore store) : IDrillStore
{
    public Task<IReadOnlyList<Drill>> LoadAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<Drill>>(connection =>
        [.. connection.Query<Row>("SELECT transport, fail, since, until FROM drills").Select(row => row.ToDrill())], ct);

    // Of two at once, on whichever nodes, the key lets one in; the other waits for its commit, and then sees it.
    public Task<Drill?> PutAsync(Drill drill, CancellationToken ct) => store.ChangeAsync(Topic.Drills, connection =>
    {
        connection.Execute("DELETE FROM drills WHERE until <= @Since", Row.Of(drill));
        return connection.Execute("""
            INSERT INTO drills (transport, fail, since, until) VALUES (@Transport, @Fail, @Since, @Until) ON CONFLICT (transport) DO NOTHING
            """, Row.Of(drill)) > 0 ? null : connection.QuerySingleOrDefault<Row>(
                "SELECT transport, fail, since, until FROM drills WHERE transport = @Transport", Row.Of(drill))?.ToDrill();
    });

    public Task RemoveAsync(string transport, CancellationToken ct) => store.ChangeAsync(Topic.Drills, connection =>
        connection.Execute("DELETE FROM drills WHERE transport = @transport", new { transport }));

    sealed class Row
    {
        public string Transport { get; init; } = "";
        public double Fail { get; init; }
        public long Since { get; init; }
        public long Until { get; init; }

        public static Row Of(Drill drill) => new()
        {
            Transport = drill.Transport,
            Fail = drill.Fail,
            Since = drill.Since.ToUnixTimeMilliseconds(),
            Until = drill.Until.ToUnixTimeMilliseconds(),
        };

        public Drill ToDrill() =>
            new(Transport, Fail, DateTimeOffset.FromUnixTimeMilliseconds(Since), DateTimeOffset.FromUnixTimeMilliseconds(Until));
    }
}
