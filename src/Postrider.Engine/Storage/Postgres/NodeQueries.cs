using System.Data.Common;
using Dapper;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>Reads the nodes for people.</summary>
static class NodeQueries
{
    // Their rows stay: the next node of that number counts its incarnations on, and what they did long ago shows their names.
    const string Known = """
        SELECT n.*, last_beat AS LastBeat, in_flight AS InFlight FROM nodes n WHERE alive OR last_beat >= @since ORDER BY id
        """;

    public static IReadOnlyList<NodeView> List(DbConnection connection, DateTimeOffset now) =>
        [.. connection.Query<Row>(Known, new { since = INodeList.ForgottenBefore(now).Ms }).Select(r => r.ToView())];

    sealed class Row
    {
        public int Id { get; init; }
        public long Beat { get; init; }
        public bool Alive { get; init; }
        public string Name { get; init; } = "";
        public string Host { get; init; } = "";
        public string Address { get; init; } = "";
        public string Roles { get; init; } = "";
        public string Version { get; init; } = "";
        public long Started { get; init; }
        public long LastBeat { get; init; }
        public int InFlight { get; init; }
        public long Draining { get; init; }

        public NodeView ToView() => new()
        {
            Id = Id,
            Name = Name,
            Host = Host,
            Address = Address,
            Roles = Roles,
            Version = Version,
            StartedAt = Instant.From(Started),
            LastBeatAt = Instant.From(LastBeat),
            Beats = Beat,
            InFlight = InFlight,
            Alive = Alive,
            // An older program that has the number now says nothing of it, and leaves what the one before has said.
            DrainingSince = Alive && Draining > 0 && Draining >= Started ? Instant.From(Draining) : null,
        };
    }
}
