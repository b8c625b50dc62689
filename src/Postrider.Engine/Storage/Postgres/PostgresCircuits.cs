using System.Data.Common;
using Dapper;
using Npgsql;
using Postrider.Nodes;
using Postrider.Routing;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Postgres;

/// <summary>How transports stand for all nodes, one row each on the database's clock. Every change is a compare-and-set; of several nodes
/// that would probe one gets leave.</summary>
sealed class PostgresCircuits(PostgresStore store)
{
    /// <summary>A probe of which nothing was heard for so long is anybody's, in microseconds; at once when its node was declared
    /// dead.</summary>
    const long ProbeLease = 20_000_000;

    const string Now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    const string IsOurs = "position = 2 AND prober = @node AND prober_incarnation = @incarnation";
    const string NoProber = "prober = NULL, prober_incarnation = NULL, probe_until = 0";

    static readonly Dictionary<SharedChangeKind, string> Changes = new()
    {
        [SharedChangeKind.Open] = $"""
            position = 1, until = {Now} + @span, openings = @openings, reason = @text, {NoProber} WHERE position = 0 OR {IsOurs}
            """,
        [SharedChangeKind.Close] = $"position = 0, reason = @text, {NoProber} WHERE {IsOurs}",
        [SharedChangeKind.Reset] = $"position = 0, not_before = 0, reason = 'closed by an operator', {NoProber} WHERE true",
        [SharedChangeKind.TakeProbe] = $"""
            position = 2, prober = @node, prober_incarnation = @incarnation, probe_until = {Now} + @lease
            WHERE (position = 1 AND until <= {Now}) OR (position = 2 AND (probe_until <= {Now} OR NOT EXISTS
                (SELECT 1 FROM nodes n WHERE n.id = prober AND n.incarnation = prober_incarnation AND n.alive)))
            """,
        [SharedChangeKind.KeepProbe] = $"probe_until = {Now} + @lease WHERE {IsOurs}",
        [SharedChangeKind.ReturnProbe] = $"position = 1, {NoProber} WHERE {IsOurs}",
        [SharedChangeKind.Throttle] = $"not_before = {Now} + @span WHERE not_before < {Now} + @span",
        [SharedChangeKind.Pause] = "paused = true WHERE NOT paused",
        [SharedChangeKind.Resume] = "paused = false WHERE paused",
        [SharedChangeKind.RefuseDomain] = "reason = reason WHERE true",
    };

    public async Task<IReadOnlyList<SharedState>> LoadAsync(CancellationToken ct)
    {
        var own = store.Member.Incarnation;
        return await store.ReadAsync(connection =>
        {
            var refused = connection.Query<(string Name, string Domain, long Left)>(
                $"SELECT name, domain, until - {Now} FROM refused_senders WHERE until > {Now}").ToLookup(row => row.Name);
            return connection.Query<Row>($"""
                SELECT name, version, position, until - {Now} AS left, openings, reason, not_before - {Now} AS wait, paused,
                    coalesce(prober = @Node AND prober_incarnation = @Number, false) AS ours FROM transport_states
                """, new { own.Node, own.Number }).Select(row => row.ToState(refused[row.Name])).ToList();
        }, ct);
    }

    public Task<bool> TellAsync(SharedChange change)
    {
        var own = store.Member.Incarnation;
        return store.WriteAsync(connection =>
        {
            connection.Execute("INSERT INTO transport_states (name) VALUES (@Transport) ON CONFLICT DO NOTHING", change);
            if (change.Kind is SharedChangeKind.RefuseDomain or SharedChangeKind.Reset)
                ChangeRefused(connection, change);
            var parts = Changes[change.Kind].Split("WHERE ", 2);
            var changed = connection.Execute(
                $"UPDATE transport_states SET version = version + 1, {parts[0]} WHERE name = @Transport AND ({parts[1]})", new
                {
                    change.Transport,
                    span = Microseconds(change.Span),
                    openings = change.Openings,
                    text = StoredText.Storable(change.Text),
                    node = own.Node,
                    incarnation = own.Number,
                    lease = ProbeLease,
                }) > 0;
            if (changed && change.Kind != SharedChangeKind.KeepProbe)
            {
                ChangeTable.Raise(connection, Topic.Transports);
                WorkSignals.TellOfChange((NpgsqlConnection)connection);
            }
            return changed;
        });
    }

    static void ChangeRefused(DbConnection connection, SharedChange change)
    {
        // What is over, of all transports: there is no more of it than domains were refused since the last change.
        connection.Execute($"DELETE FROM refused_senders WHERE until <= {Now}");
        if (change.Kind == SharedChangeKind.Reset)
            connection.Execute("DELETE FROM refused_senders WHERE name = @Transport", change);
        else
            connection.Execute($"""
                INSERT INTO refused_senders AS r (name, domain, until) VALUES (@Transport, @Text, {Now} + @span)
                ON CONFLICT (name, domain) DO UPDATE SET until = excluded.until
                """, new { change.Transport, change.Text, span = Microseconds(change.Span) });
    }

    static long Microseconds(TimeSpan span) => span.Ticks / 10;

    sealed class Row
    {
        public string Name { get; init; } = "";
        public long Version { get; init; }
        public short Position { get; init; }
        public long Left { get; init; }
        public int Openings { get; init; }
        public string Reason { get; init; } = "";
        public long Wait { get; init; }
        public bool Paused { get; init; }
        public bool Ours { get; init; }

        public SharedState ToState(IEnumerable<(string Name, string Domain, long Left)> refused) => new()
        {
            Name = Name,
            Version = Version,
            Circuit = (CircuitPosition)Position,
            OpenFor = TimeSpan.FromMicroseconds(Left),
            Openings = Openings,
            Reason = Reason,
            IsProbedHere = Ours && Position == (short)CircuitPosition.HalfOpen,
            NotBefore = TimeSpan.FromMicroseconds(Wait),
            IsPaused = Paused,
            RefusedDomains = refused.ToDictionary(row => row.Domain, row => TimeSpan.FromMicroseconds(row.Left)),
        };
    }
}
