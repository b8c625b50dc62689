using Dapper;

namespace Postrider.Storage.Tables;

/// <summary>Facts about the installation, by name: whoever comes first decides, for all nodes.</summary>
public sealed class InstallationTable(ITableStore store)
{
    public Task<byte[]> GetOrAddAsync(string name, byte[] value) => store.WriteAsync(connection =>
    {
        connection.Execute(
            "INSERT INTO installation (name, value) VALUES (@name, @value) ON CONFLICT (name) DO NOTHING", new { name, value });
        return connection.QuerySingle<byte[]>("SELECT value FROM installation WHERE name = @name", new { name });
    });
}
