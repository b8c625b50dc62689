using Microsoft.Extensions.Logging;
using Npgsql;
using Postrider.Batches;
using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Queue;
using Postrider.Storage.Migrations;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Postgres;

/// <summary>The store in a PostgreSQL database, shared by any number of nodes.</summary>
/// <remarks>
/// Two writers with group commit: what comes in, and what leaves. They and the writers of other nodes meet in row locks only; every rule is
/// the one that SQLite has. What is read for people goes over connections that cannot write.
/// </remarks>
public sealed partial class PostgresStore : IQueueStore, IMessageReader, INodeList, ITableStore, IBatchExpansion, IDeadLetterCommands,
    IAsyncDisposable
{
    const int WritersPerNode = 2;
    internal const string PassOver = "FOR UPDATE SKIP LOCKED";
    static readonly TimeSpan RestWhenFull = TimeSpan.FromSeconds(5);

    readonly PostgresDatabase _database;
    readonly PostgresWriter _incoming;
    readonly PostgresWriter _outgoing;
    readonly AstrayLeases _astray;   // of the outgoing writer
    readonly LeaseReader _leases;
    readonly PostgresReadDialect _dialect;
    readonly NodeNames _names;
    readonly SemaphoreSlim _readers;   // reads at a time: who waits for a connection must not hold a thread
    readonly TimeProvider _clock;
    readonly StoreMetrics _metrics = new();
    readonly MessageIds _eventIds;
    readonly StoreHealth _health = new();   // never fails: a server comes back
    int _disposed;
    long _fullAt = long.MinValue;   // never

    PostgresStore(PostgresDatabase database, PostgresMember member, AddressKey key, TimeProvider clock, ILogger log)
    {
        (_database, _clock, Member, AddressKey) = (database, clock, member, key);
        _eventIds = new MessageIds(clock);
        Ids = new MessageIds(clock);
        _leases = new LeaseReader(database.Readers);
        Notices = new Notices(ct => ReadAsync(ChangeTable.Versions, ct), clock, log);
        Signals = new WorkSignals(database, member.Node, Notices.Wake, clock, log);
        _names = new NodeNames(clock);
        _dialect = new PostgresReadDialect(_names);
        _readers = new SemaphoreSlim(database.ReadersAtOnce);
        PostgresSession Session(int number) => new(clock, _eventIds, () => member.Incarnation.Node * WritersPerNode + number, key);
        PostgresWriter Writer(PostgresSession session, string name) => new(database.Writers, session, name, clock, _health,
            () => Volatile.Write(ref _fullAt, clock.GetTimestamp()), log, _metrics);
        _incoming = Writer(Session(0), "incoming");
        var outgoing = Session(1);
        _outgoing = Writer(outgoing, "outgoing");
        _astray = outgoing.Astray;
    }

    /// <summary>This node's place among the nodes.</summary>
    public PostgresMember Member { get; }

    /// <summary>The last beat found no server: nothing can be taken in.</summary>
    public bool IsAway { get; internal set; }

    /// <summary>Tells rooms of this process what was changed, by whichever node.</summary>
    public Notices Notices { get; }

    internal WorkSignals Signals { get; }
    /// <summary>The server said a moment ago that its disk is full. Looked at again by trying: nobody tells when there is room.</summary>
    public bool IsLow => Volatile.Read(ref _fullAt) is var at && at != long.MinValue && _clock.GetElapsedTime(at) < RestWhenFull;

    internal NpgsqlDataSource Tables => _database.Tables;

    /// <summary>Makes the ids of messages under this node's number.</summary>
    public MessageIds Ids { get; }

    /// <summary>Connects, checks the server, brings the schema up to date, and joins the nodes.</summary>
    /// <exception cref="StoreUnusableException">The server would lose mail, or the schema is too new.</exception>
    /// <exception cref="StoreUnavailableException">It cannot be reached.</exception>
    public static async Task<PostgresStore> OpenAsync(
        PostgresDsn dsn, NodeCard card, TimeProvider clock, ILogger<PostgresStore> log, CancellationToken ct)
    {
        var database = new PostgresDatabase(dsn);
        try
        {
            await MigrateAsync(database, clock, ct);
            await MovedEvents.RefuseHalfMovedAsync(database.Tables, dsn, ct);
            var member = await PostgresMember.JoinAsync(database.Writers, card, clock, ct);
            await RefuseBegunMoveAsync(database, member, dsn, ct);
            await EventPartitions.MakeAsync(database.Tables, clock.GetUtcNow(), ct);
            var store = new PostgresStore(database, member, await LoadAddressKeyAsync(database, ct), clock, log);
            await store.NumberAsync(member.Incarnation, ct);
            return store;
        }
        catch (Exception e)
        {
            await database.DisposeAsync();
            if (e is NpgsqlException or TimeoutException or IOException)
                throw new StoreUnavailableException($"{dsn} cannot be opened: {PostgresFault.Words(e)}", e);
            throw;
        }
    }

    internal AddressKey AddressKey { get; }
    AddressKey ITableStore.AddressKey => AddressKey;

    /// <summary>Nodes that start together wait for the one that makes it.</summary>
    static async Task<AddressKey> LoadAddressKeyAsync(PostgresDatabase database, CancellationToken ct)
    {
        await using var connection = await database.Tables.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var key = AddressKey.Load(connection);
        await transaction.CommitAsync(ct);
        return key;
    }

    /// <summary>A move begins by its note, then looks for nodes; a node joins, then looks for the note: one of them sees the
    /// other.</summary>
    static async Task RefuseBegunMoveAsync(PostgresDatabase database, PostgresMember member, PostgresDsn dsn, CancellationToken ct)
    {
        try
        {
            await MovedEvents.RefuseHalfMovedAsync(database.Tables, dsn, ct);
        }
        catch (StoreUnusableException)
        {
            await member.DisposeAsync();
            throw;
        }
    }

    /// <summary>Forgets the events of whole days before one; see <see cref="EventPartitions.DropBeforeAsync"/>.</summary>
    public Task<int> DropEventsBeforeAsync(DateTimeOffset day, CancellationToken ct) => EventPartitions.DropBeforeAsync(Tables, day, ct);

    /// <summary>The process does not start after all: nothing was leased or accepted, and none of the nodes is to show it.</summary>
    public void Withdraw() => Member.Withdraw();

    /// <summary>Joins the nodes anew, after the others have given this one up.</summary>
    internal Task RejoinAsync(CancellationToken ct) => Member.RejoinAsync(joined => NumberAsync(joined, ct), ct);

    /// <summary>Ids are this node's from now on, and continue after those that are stored: clocks may have been set back, and the number
    /// may have been another node's.</summary>
    async Task NumberAsync(Incarnation joined, CancellationToken ct)
    {
        var node = (byte)joined.Node;
        _eventIds.MoveTo(node);
        Ids.MoveTo(node);
        if (await NewestAsync(Tables, "SELECT max(id) FROM events", ct) is { } newestEvent)
            _eventIds.ContinueAfter(new MessageId(newestEvent));
        var newest = await NewestAsync(Tables, """
            SELECT greatest((SELECT max(id) FROM messages), (SELECT id + count * 256::bigint FROM batches ORDER BY id DESC LIMIT 1),
                (SELECT max(first + total * 256::bigint) FROM expansions))
            """, ct);
        if (newest is { } id)
            Ids.ContinueAfter(new MessageId(id));
    }

    /// <summary>Only brings the schema up to date. Returns how many steps were done.</summary>
    /// <exception cref="StoreUnusableException">The server would lose mail, the schema is too new, or a move into it is not
    /// done.</exception>
    public static async Task<int> MigrateAsync(PostgresDsn dsn, TimeProvider clock, CancellationToken ct)
    {
        await using var database = new PostgresDatabase(dsn);
        try
        {
            var steps = await MigrateAsync(database, clock, ct);
            await MovedEvents.RefuseHalfMovedAsync(database.Tables, dsn, ct);
            return steps;
        }
        catch (NpgsqlException e)
        {
            throw new StoreUnavailableException($"{dsn} cannot be brought up to date: {PostgresFault.Words(e)}", e);
        }
    }

    static async Task<int> MigrateAsync(PostgresDatabase database, TimeProvider clock, CancellationToken ct)
    {
        await database.CheckAsync(ct);
        return await database.MigrateAsync(PostgresMigrations.All, clock.GetUtcNow().Ms, ct);
    }

    static async Task<long?> NewestAsync(NpgsqlDataSource source, string sql, CancellationToken ct)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(ct) as long?;
    }

    public async Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        using var prepared = new PreparedAcceptance(acceptance);
        var hashes = SuppressionHashes(prepared);
        var born = acceptance.Messages.Where(m => m.BornLeasedBy is not null).Select(m => m.BornLeasedBy!.Value).Distinct().ToList();
        try
        {
            var result = await AgainWhereKeyWasPutAsync(() => _incoming.RunAsync(session =>
            {
                if (born.Exists(owner => !session.IsMember(owner)))
                    throw new StoreUnavailableException("This node was declared dead by the others and joins again: nothing was stored.");
                return Accepting.Run(session, prepared);
            }, needs =>
            {
                needs.Owners.UnionWith(born);
                Need(needs, prepared, hashes);
                if (prepared.Idempotency is { } claim)
                    needs.IdempotencyKeys.Add((prepared.Tenant, StoredText.Storable(claim.Key)!));
            }, acceptance.Urgency == MailStream.Bulk, hashes.Count));
            if (result is AcceptResult.Accepted)
                Signals.Add(KeysOf(acceptance, _clock.GetUtcNow()));
            return result;
        }
        catch (StoreUnavailableException full) when (full.InnerException is PostgresException { SqlState: PostgresFault.DiskFullState })
        {
            throw new StorageLowException(full.Message);
        }
    }

    /// <summary>Another node put the same idempotency key at the same time, and has committed it: asked again, it is found. More than once
    /// only where that one's time was up meanwhile.</summary>
    static async Task<AcceptResult> AgainWhereKeyWasPutAsync(Func<Task<AcceptResult>> accept)
    {
        for (var left = 3; ; left--)
        {
            try
            {
                return await accept();
            }
            catch (PostgresException lost) when (left > 0
                && lost is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "idempotency_pkey" })
            {
                // The transaction that was first is there now.
            }
        }
    }

    static void Need(Needs needs, PreparedAcceptance prepared, List<byte[]> hashes)
    {
        needs.Tenants.Add(prepared.Tenant);
        foreach (var hash in hashes)
            needs.Suppressions.Add((prepared.Tenant, hash));
        foreach (var message in prepared.Messages)
            needs.Ordering(prepared.Tenant, message.OrderingKeyText);
    }

    /// <summary>Those with work for whoever is free now.</summary>
    static IEnumerable<QueueKey> KeysOf(Acceptance acceptance, DateTimeOffset now) => acceptance.Messages
        .Where(m => m.BornLeasedBy is null && (m.SendAt is null || m.SendAt <= now))
        .Select(m => new QueueKey(m.Route, m.Stream, acceptance.Tenant)).Distinct();

    List<byte[]> SuppressionHashes(PreparedAcceptance prepared)
    {
        var hashes = new List<byte[]>();
        foreach (var message in prepared.Messages)
        {
            foreach (ref readonly var recipient in message.Recipients.AsSpan())
            {
                var hash = new byte[StoredAddress.SuppressionHashBytes];
                StoredAddress.SuppressionHash(new TenantId(prepared.Tenant), recipient.Mailbox, hash);
                AddressKey.Apply(hash);
                hashes.Add(hash);
            }
        }
        return hashes;
    }

    public async Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (permits <= 0)
            return [];
        if (IsLow)
            throw new StorageLowException("The disk of the database server was full: an outcome could not be recorded, so nothing is leased.");
        var request = new DueRequest(key, alone ? Gate.Alone : Gate.Open, now.Ms, alone ? 1 : permits);
        List<Taken> taken;
        bool hasMore;
        do
        {
            (taken, hasMore) = await _outgoing.RunAsync(session =>
            {
                _astray.GiveBack(session);
                return session.IsMember(owner) ? Leasing.Take(session, key, permits, owner, now.Ms, alone) : ([], false);
            }, needs =>
            {
                needs.Astray(_astray);
                needs.Owners.Add(owner);
                needs.Tenants.Add(key.Tenant.Value);
                needs.Due.Add(request);
            }, key.Stream == MailStream.Bulk, permits);
        }
        while (taken.Count == 0 && hasMore);
        if (taken.Count == 0)
            return [];
        try
        {
            // Not in the pool item that completes waiters: they would wait for it.
            var (leases, unreadable) = await LoadAsync(() => _leases.Load(taken), CancellationToken.None);
            if (unreadable.Count > 0)
                await _outgoing.RunAsync(session =>
                {
                    unreadable.ForEach(row => Leasing.Hold(session, row, now.Ms));
                    return true;
                }, needs => unreadable.ForEach(u =>
                {
                    needs.Rows.Add(Claimed.Of(u.Row).Id);
                    needs.Ordering(u.Row.Tenant, u.Row.OrderingKey);
                }));
            return leases;
        }
        catch (Exception)
        {
            // Leased for nobody, they would wait for the next start.
            await ReleaseForSureAsync(taken, now.AddMinutes(1));
            throw;
        }
    }

    /// <summary>At once, or as soon as the database is back.</summary>
    async Task ReleaseForSureAsync(List<Taken> taken, DateTimeOffset dueAt)
    {
        var leases = taken.ConvertAll(t => AstrayLease.Of(t.Row));
        try
        {
            await ReleaseAsync(leases.ConvertAll(l => l.Lease), leases.ConvertAll(l => (l.Tenant, l.OrderingKey)), dueAt,
                WaitReason.Released);
        }
        catch (StoreUnavailableException)
        {
            _astray.Add(leases);
        }
    }

    // Not behind people's reads; there are two at a time at most, of the dispatcher.
    static Task<T> LoadAsync<T>(Func<T> load, CancellationToken ct) => Task.Run(() => Reading(load), ct);

    public Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct) => ReleaseAsync(
        [.. leases.Select(Claimed.Of)], [.. leases.Select(l => (l.Envelope.Key.Tenant.Value, l.Envelope.OrderingKey))], dueAt, reason);

    Task<bool> ReleaseAsync(
        List<Claimed> leases, List<(int Tenant, string? Key)> orderingKeys, DateTimeOffset dueAt, WaitReason reason) => _outgoing.RunAsync(
        session =>
        {
            Leasing.Release(session, leases, dueAt.Ms, reason);
            return true;
        }, needs =>
        {
            needs.Rows.UnionWith(leases.Select(l => l.Id));
            orderingKeys.ForEach(o => needs.Ordering(o.Tenant, o.Key));
        }, size: leases.Count);

    public Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        TestSwitches.PassesEveryCommitPoint ? Task.FromResult(true) : _outgoing.RunAsync(
        session => session.IsMember(lease.Owner) && Leasing.PassCommitPoint(session, lease, transport, now.Ms),
        needs =>
        {
            needs.Owners.Add(lease.Owner);
            needs.Tenants.Add(lease.Envelope.Key.Tenant.Value);
            needs.Rows.Add(lease.Envelope.Id);
            needs.Ordering(lease.Envelope.Key.Tenant.Value, lease.Envelope.OrderingKey);
        }, lease.Envelope.Key.Stream == MailStream.Bulk);

    public async Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        using var prepared = PreparedRecord.Of(record);
        var envelope = record.Lease.Envelope;
        return await _outgoing.RunAsync(session => Recording.Run(session, prepared), needs =>
        {
            needs.Ordering(envelope.Key.Tenant.Value, envelope.OrderingKey);
            if (record.Continues.Count == 0)
                needs.Claims.Add(record.Lease);
            else
                needs.Messages.Add(envelope.Id.Message.Value);
        }, envelope.Key.Stream == MailStream.Bulk, record.Lease.Recipients.Count);
    }

    public async Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct)
    {
        var swept = 0;
        int some;
        do
        {
            some = await _outgoing.RunAsync(session =>
            {
                _astray.GiveBack(session);
                return Sweeping.Sweep(session, owner, now.Ms, settleAt.Ms);
            }, needs => needs.Astray(_astray));
            swept += some;
        }
        while (some == QueueRows.SweepLimit);
        return swept;
    }

    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _outgoing.RunAsync(session => Sweeping.Settle(session, now.Ms, limit), isBulk: true);

    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _outgoing.RunAsync(session => Sweeping.Expire(session, now.Ms, limit), isBulk: true);

    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) =>
        WriteAsync(connection => QueueTimes.Hasten(connection, now.Ms, latest.Ms, after, limit, passing: PassOver), isBulk: true);

    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _outgoing.RunAsync(session => session.IdempotencyRows.Purge(now.Ms, limit), isBulk: true);

    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct) => LoadAsync(_leases.DueKeys, ct);

    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        CommandAsync(session => Commanding.Cancel(session, tenant.Value, message.Value, now.Ms), message);

    public Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        CommandAsync(session => Commanding.Retry(session, tenant.Value, message.Value, bounced, discarded, now.Ms, expiresAt.Ms), message);

    public Task<int?> RedriveAsync(
        TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now, DateTimeOffset expiresAt) =>
        CommandAsync(
            session => Commanding.Redrive(session, tenant.Value, message.Value, recipients, remark, now.Ms, expiresAt.Ms), message);

    public Task<int?> DiscardAsync(
        TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now) =>
        CommandAsync(session => Commanding.Discard(session, tenant.Value, message.Value, recipients, remark, now.Ms), message);

    public Task<bool?> RescheduleAsync(
        TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct) =>
        CommandAsync(session => Commanding.Reschedule(session, tenant.Value, message.Value, sendAt.Ms, expiresAt.Ms), message);

    Task<T> CommandAsync<T>(Func<IWriteSession, T> command, MessageId message) =>
        _incoming.RunAsync(command, needs => needs.Stranger(message.Value));

    /// <summary>Finishes what waits, and leaves the nodes.</summary>
    public async ValueTask DisposeAsync()
    {
        // Registered under each of its interfaces, it is disposed once for each.
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        await Task.Run(() =>
        {
            _incoming.Dispose();
            _outgoing.Dispose();
        });
        await Signals.DisposeAsync();
        await Member.DisposeAsync();
        await _database.DisposeAsync();
        _readers.Dispose();
        _metrics.Dispose();
        _health.Dispose();
        Notices.Dispose();
    }
}
