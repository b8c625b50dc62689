using System.Data.Common;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Inspection;

/// <summary>The tables of a database that is only looked at: nothing is written, nothing is made.</summary>
/// <param name="open">A connection that the caller disposes.</param>
sealed class ReadingTables(Func<CancellationToken, ValueTask<DbConnection>> open) : ITableStore
{
    AddressKey ITableStore.AddressKey => throw OnlyRead();

    public Task<T> WriteAsync<T>(Func<DbConnection, T> write, bool isBulk) => throw OnlyRead();

    void ITableStore.Tell(DbConnection connection, TenantId tenant, MailEventType type, string data) => throw OnlyRead();

    public Task<T> ChangeAsync<T>(Topic topic, Func<DbConnection, T> write) => throw OnlyRead();

    public async Task<T> ReadAsync<T>(Func<DbConnection, T> read, CancellationToken ct)
    {
        await using var connection = await open(ct);
        return read(connection);
    }

    static InvalidOperationException OnlyRead() => new("A database that is looked at is not written to.");
}
