using System.Data.Common;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Nodes;

namespace Postrider.Storage.Tables;

/// <summary>A database in which other rooms keep tables of their own, in SQL that both engines speak.</summary>
public interface ITableStore
{
    /// <summary>What addresses are hashed with.</summary>
    internal AddressKey AddressKey { get; }

    /// <summary>A short write in one transaction, on disk when the task completes. It may run twice when the first transaction was rolled
    /// back, so it must not change anything but the database.</summary>
    /// <param name="isBulk">It can wait behind mail: one of many pieces of something large.</param>
    Task<T> WriteAsync<T>(Func<DbConnection, T> write, bool isBulk = false);

    /// <summary>Within a write: adds an event that belongs to a tenant and to no message, in the write's own transaction.</summary>
    /// <param name="data">What it tells: a JSON object.</param>
    internal void Tell(DbConnection connection, TenantId tenant, MailEventType type, string data);

    /// <summary>The same for what nodes keep in memory: all of them, this one too, hear of it within a second (<see cref="Notices"/>).</summary>
    Task<T> ChangeAsync<T>(Topic topic, Func<DbConnection, T> write);

    /// <summary>A read of one moment, cut after 5 s with <see cref="TimeoutException"/>.</summary>
    Task<T> ReadAsync<T>(Func<DbConnection, T> read, CancellationToken ct);
}
