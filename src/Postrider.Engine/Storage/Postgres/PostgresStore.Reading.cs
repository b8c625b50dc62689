using System.Data;
using System.Data.Common;
using Npgsql;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Queue;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Postgres;

// What people ask about messages, and tables of other rooms.
public sealed partial class PostgresStore
{
    public Task<MessageView?> GetAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ViewAsync(connection => MessageQueries.Get(connection, _dialect, tenant, id.Value, Now), ct);

    public Task<MessageContent?> GetContentAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ReadAsync(connection => MessageQueries.GetContent(connection, tenant, id.Value), ct);

    public Task<bool> ExistsAsync(MessageId id, CancellationToken ct) =>
        ReadAsync(connection => MessageQueries.Exists(connection, id.Value), ct);

    public Task<StateCounts> CountAsync(TenantId tenant, CancellationToken ct) =>
        ReadAsync(connection => StateSums.Of(connection, tenant, Now), ct);

    public Task<StoredBytes> StoredBytesAsync(TenantId tenant, CancellationToken ct) =>
        ReadAsync(connection => StateSums.BytesOf(connection, tenant), ct);

    public Task<BatchView?> GetBatchAsync(TenantId tenant, MessageId batch, CancellationToken ct) =>
        ReadAsync(connection => StateSums.OfBatch(connection, tenant, batch, Now), ct);

    public Task<MessagePage> ListAsync(TenantId tenant, MessageFilter filter, CancellationToken ct) =>
        ViewAsync(connection => new MessageSearch(connection, tenant, filter, _dialect, _clock).Run(), ct);

    public Task<IReadOnlyList<NodeView>> ListNodesAsync(CancellationToken ct) =>
        ReadAsync(connection => NodeQueries.List(connection, _clock.GetUtcNow()), ct);

    /// <summary>Whether the database answers now.</summary>
    public async Task<bool> IsReachableAsync(CancellationToken ct)
    {
        try
        {
            await using var probe = Tables.CreateCommand("SELECT 1");
            await probe.ExecuteNonQueryAsync(ct);
            return true;
        }
        catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away)
        {
            return false;
        }
    }

    /// <summary>The time by the server's clock, which all nodes see alike.</summary>
    public Task<DateTimeOffset> ServerTimeAsync(CancellationToken ct) => ReadAsync(connection =>
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT clock_timestamp()";
        return new DateTimeOffset((DateTime)command.ExecuteScalar()!);
    }, ct);

    long Now => _clock.GetUtcNow().Ms;

    public async Task<T> ReadAsync<T>(Func<DbConnection, T> read, CancellationToken ct)
    {
        await _readers.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Reading(() =>
            {
                using var connection = _database.Readers.OpenConnection();
                using var moment = connection.BeginTransaction(IsolationLevel.RepeatableRead);
                return read(connection);
            }), ct);
        }
        finally
        {
            _readers.Release();
        }
    }

    /// <summary>A connection of the readers, for look-ups that do not wait behind people.</summary>
    internal ValueTask<NpgsqlConnection> OpenReaderAsync(CancellationToken ct) => _database.Readers.OpenConnectionAsync(ct);

    /// <summary>For tests that look at plans.</summary>
    internal ValueTask<NpgsqlConnection> OpenWriterAsync() => _database.Writers.OpenConnectionAsync();

    /// <summary>A read in which nodes have names.</summary>
    async Task<T> ViewAsync<T>(Func<DbConnection, T> read, CancellationToken ct)
    {
        if (_names.IsStale)
            await LoadNamesAsync(ct);
        var view = await ReadAsync(read, ct);
        if (!_names.IsBehind)
            return view;
        await LoadNamesAsync(ct);
        return await ReadAsync(read, ct);
    }

    Task<bool> LoadNamesAsync(CancellationToken ct) => ReadAsync(connection =>
    {
        _names.Load((NpgsqlConnection)connection);
        return true;
    }, ct);

    public Task<T> WriteAsync<T>(Func<DbConnection, T> write, bool isBulk = false) => Task.Run(() =>
    {
        var committing = false;
        try
        {
            using var connection = _database.Tables.OpenConnection();
            using var transaction = connection.BeginTransaction();
            var result = write(connection);
            committing = true;
            transaction.Commit();
            return result;
        }
        catch (Exception e) when (PostgresFault.Translate(e, committing) is StoreUnavailableException fault)
        {
            throw fault;
        }
    });

    public Task<T> ChangeAsync<T>(Topic topic, Func<DbConnection, T> write) => WriteAsync(connection =>
    {
        var result = write(connection);
        ChangeTable.Raise(connection, topic);
        WorkSignals.TellOfChange((NpgsqlConnection)connection);
        return result;
    });

    static T Reading<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled)
        {
            throw new TimeoutException("The search took longer than 5 s and was cut. Narrow it: a shorter time span, or an address.", e);
        }
        catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away)
        {
            throw PostgresFault.Translate(e, commitIsOut: false);
        }
    }
}
