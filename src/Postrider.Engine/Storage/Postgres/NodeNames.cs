using System.Collections.Concurrent;
using Npgsql;

namespace Postrider.Storage.Postgres;

/// <summary>Names of nodes by their numbers, as people's views show them.</summary>
sealed class NodeNames(TimeProvider clock)
{
    /// <summary>A number may be given to another node.</summary>
    static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    readonly ConcurrentDictionary<int, string> _names = [];
    long _loadedAt = long.MinValue;
    int _unknown;

    /// <summary>Someone asked for a node that joined after the last <see cref="Load"/>: load, and ask again.</summary>
    public bool IsBehind => Volatile.Read(ref _unknown) == 1;

    public bool IsStale => Volatile.Read(ref _loadedAt) is var at && (at == long.MinValue || clock.GetElapsedTime(at) > Fresh);

    public string Of(int node)
    {
        if (_names.TryGetValue(node, out var name))
            return name;
        Volatile.Write(ref _unknown, 1);
        return $"node {node}";
    }

    public void Load(NpgsqlConnection connection)
    {
        var trip = new Trip();
        trip.Read("SELECT id, name FROM nodes", row => _names[row.GetInt32(0)] = row.GetString(1));
        trip.Run(connection);
        Volatile.Write(ref _loadedAt, clock.GetTimestamp());
        Volatile.Write(ref _unknown, 0);
    }
}
