using Dapper;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>What nodes say of their transports: one row for each of both, gone when the node's number is another's.</summary>
/// <param name="node">The name of this one.</param>
public sealed class PostgresReports(PostgresStore store, string node, TimeProvider clock) : ITransportReports
{
    // Both by transport_reports_pkey. What is deleted and what is written are different rows.
    const string WriteSql = """
        WITH gone AS (DELETE FROM transport_reports WHERE node = $1 AND transport <> ALL ($2))
        INSERT INTO transport_reports (node, transport, incarnation, at, body)
            SELECT $1, u.transport, $3, $4, u.body FROM unnest($5, $6) AS u (transport, body)
        ON CONFLICT (node, transport) DO UPDATE SET incarnation = excluded.incarnation, at = excluded.at, body = excluded.body
        """;

    const string ReadSql = """
        SELECT r.transport, n.name AS Node, n.alive AND n.incarnation = r.incarnation AS IsAlive, r.at, r.body
        FROM transport_reports r JOIN nodes n ON n.id = r.node WHERE r.transport = ANY (@transports) AND r.node <> @own
            AND (n.alive OR n.last_beat >= @since)
        ORDER BY n.name, r.node
        """;

    Incarnation? _writtenBy;

    public string Node => node;

    public async Task WriteAsync(IReadOnlyDictionary<string, string> all, IReadOnlyCollection<string> changed, CancellationToken ct)
    {
        var own = store.Member.Incarnation;
        List<string> written = [.. own == _writtenBy ? changed : all.Keys];
        await using var write = store.Tables.CreateCommand(WriteSql);
        write.Parameters.Add(Sql.Int(own.Node));
        write.Parameters.Add(Sql.Texts([.. all.Keys]));
        write.Parameters.Add(Sql.Long(own.Number));
        write.Parameters.Add(Sql.Long(clock.GetUtcNow().Ms));
        write.Parameters.Add(Sql.Texts([.. written]));
        write.Parameters.Add(Sql.Texts([.. written.Select(transport => all[transport])]));
        try
        {
            await write.ExecuteNonQueryAsync(ct);
        }
        catch (Exception e) when (PostgresFault.Translate(e, commitIsOut: false) is Messages.StoreUnavailableException fault)
        {
            throw fault;
        }
        _writtenBy = own;
    }

    public Task<IReadOnlyList<NodeReport>> ReadAsync(IReadOnlyCollection<string> transports, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<NodeReport>>(connection =>
            [
                .. connection.Query<Row>(ReadSql, new
                {
                    transports = transports.ToArray(),
                    own = store.Member.Incarnation.Node,
                    since = INodeList.ForgottenBefore(clock.GetUtcNow()).Ms,
                })
                    .Select(row => row.Read()).OfType<NodeReport>(),
            ], ct);

    sealed class Row
    {
        public string Transport { get; init; } = "";
        public string Node { get; init; } = "";
        public bool IsAlive { get; init; }
        public long At { get; init; }
        public string Body { get; init; } = "";

        public NodeReport? Read() => TransportReport.TryRead(Body) is { } report
            ? new NodeReport(Transport, Node, IsAlive, Instant.From(At), report) : null;
    }
}
