using System.Data.Common;
using Dapper;
using Postrider.Nodes;

namespace Postrider.Storage.Tables;

/// <summary>How often each topic was changed, for nodes that keep what it is about in memory.</summary>
static class ChangeTable
{
    /// <summary>In the transaction of the change.</summary>
    public static void Raise(DbConnection connection, Topic topic) => connection.Execute("""
        INSERT INTO changes AS c (topic, version) VALUES (@topic, 1) ON CONFLICT (topic) DO UPDATE SET version = c.version + 1
        """, new { topic = topic.ToString() });

    /// <summary>A topic that only another release knows is left out.</summary>
    public static IReadOnlyDictionary<Topic, long> Versions(DbConnection connection)
    {
        var versions = new Dictionary<Topic, long>();
        foreach (var (name, version) in connection.Query<(string, long)>("SELECT topic, version FROM changes"))
            if (Enum.TryParse<Topic>(name, out var topic))
                versions[topic] = version;
        return versions;
    }
}
