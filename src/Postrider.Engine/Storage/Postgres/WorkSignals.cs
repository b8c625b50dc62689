using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Postgres;

/// <summary>Tells the other nodes which keys have new work, and that something they keep in memory was changed, so that they need not wait
/// for their next poll; polling is the net under it.</summary>
/// <remarks>Apart from the transactions of mail, and at most some twenty times a second: a NOTIFY makes its transaction wait for every
/// other one that has one.</remarks>
sealed partial class WorkSignals(PostgresDatabase database, ThisNode node, Action changed, TimeProvider clock, ILogger log)
    : IAsyncDisposable
{
    const string Channel = "postrider_due";
    const string Changes = "postrider_changes";
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    readonly Lock _lock = new();
    readonly CancellationTokenSource _closed = new();
    HashSet<QueueKey> _keys = [];   // guarded by _lock
    Task _sending = Task.CompletedTask;   // guarded by _lock
    bool _isSending;                // guarded by _lock; the task itself ends a moment after it has seen that nothing is left

    public void Add(IEnumerable<QueueKey> keys)
    {
        lock (_lock)
        {
            _keys.UnionWith(keys);
            if (_keys.Count == 0 || _isSending)
                return;
            _isSending = true;
            _sending = Task.Run(SendAsync);
        }
    }

    async Task SendAsync()
    {
        while (!_closed.IsCancellationRequested)
        {
            HashSet<QueueKey> keys;
            lock (_lock)
            {
                _isSending = _keys.Count > 0;
                if (!_isSending)
                    return;
                (keys, _keys) = (_keys, []);
            }
            try
            {
                await using var notify = database.Tables.CreateCommand("SELECT pg_notify($1, p) FROM unnest($2) AS p");
                notify.Parameters.Add(Sql.Text(Channel));
                notify.Parameters.Add(Sql.Texts([.. keys.Select(Write)]));
                await notify.ExecuteNonQueryAsync();
            }
            catch (Exception e) when (PostgresFault.Judge(e) == FaultKind.Away || e is PostgresException or InvalidOperationException)
            {
                // They poll.
            }
            await Task.Delay(Between, clock, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Heard by all nodes, this one too, when the transaction is committed; which topic it was, the versions tell.</summary>
    public static void TellOfChange(NpgsqlConnection connection)
    {
        using var notify = new NpgsqlCommand($"NOTIFY {Changes}", connection);
        notify.ExecuteNonQuery();
    }

    /// <summary>Calls <paramref name="due"/> for what other nodes took in, until stopped; on a connection of its own, made anew when it is
    /// lost.</summary>
    public async Task ListenAsync(Action<QueueKey> due, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.Tables.OpenConnectionAsync(ct);
                connection.Notification += (_, told) =>
                {
                    if (told.Channel == Changes)
                        changed();
                    else if (TryRead(told.Payload, out var from, out var key) && from != node.Incarnation.Node)
                        due(key);
                };
                await using (var listen = new NpgsqlCommand($"LISTEN {Channel}; LISTEN {Changes}", connection))
                    await listen.ExecuteNonQueryAsync(ct);
                changed(); // nobody told while it did not listen
                while (true)
                    await connection.WaitAsync(ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (PostgresFault.IsPassing(e))
            {
                LogDeaf(log, e.Message);
                await Task.Delay(Rest, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    string Write(QueueKey key) => string.Create(CultureInfo.InvariantCulture, $"{node.Incarnation.Node} {(int)key.Stream} {key.Tenant.Value} {key.Route}");

    static bool TryRead(string payload, out int from, out QueueKey key)
    {
        (from, key) = (-1, default);
        if (payload.Split(' ', 4) is not [var node, var stream, var tenant, var route]
            || !int.TryParse(node, CultureInfo.InvariantCulture, out from) || !int.TryParse(stream, CultureInfo.InvariantCulture, out var s)
            || !int.TryParse(tenant, CultureInfo.InvariantCulture, out var t))
            return false;
        key = new QueueKey(route, (MailStream)s, new TenantId(t));
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        Task sending;
        await _closed.CancelAsync();
        lock (_lock)
            sending = _sending;
        await sending;
        _closed.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Work of other nodes is found by polling only for now: {Reason}")]
    static partial void LogDeaf(ILogger log, string reason);
}
