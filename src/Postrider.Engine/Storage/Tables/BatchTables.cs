using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;
using Postrider.Submission;

namespace Postrider.Storage.Tables;

/// <summary>Large batches in the store's database.</summary>
public sealed class BatchTables(ITableStore store) : IBatchStore
{
    /// <summary>A batch that nobody fills or starts any more is cancelled after so long.</summary>
    static readonly TimeSpan Abandoned = TimeSpan.FromDays(7);

    const string Columns = """
        batch, tenant, state, stop, start_at AS StartAt, source, until, cursor, first, total, taken, failed, refused, edits, terms,
        request_hash AS RequestHash
        """;

    public Task<AddedBatch?> AddAsync(NewLargeBatch batch) => store.WriteAsync(connection =>
    {
        if (Earlier(connection, batch) is { } earlier)
            return earlier;
        if (Add(connection, batch))
            return new AddedBatch(Find(connection, batch.Tenant, batch.Id)!.ToBatch(), true, false);
        return Earlier(connection, batch); // another call with its key came at the same moment, and was faster
    });

    /// <summary>Of the same key; null: none, or it has no key.</summary>
    static AddedBatch? Earlier(DbConnection connection, NewLargeBatch batch) =>
        batch.Key is { } key && FindByKey(connection, batch.Tenant, key.Key) is { } earlier
            ? new AddedBatch(earlier.ToBatch(), false, !earlier.RequestHash.AsSpan().SequenceEqual(key.RequestHash.Span)) : null;

    /// <summary>The same inside another room's transaction, which makes something of its own known together with the batch. False: the list
    /// is not there, or the key is taken; nothing was written.</summary>
    public static bool Add(DbConnection connection, NewLargeBatch batch)
    {
        var list = batch.List is { } id ? ListTables.Locked(connection, batch.Tenant, id) : null;
        if (batch.List is not null && list is null)
            return false;
        var content = batch.Shared.Content;
        using var bytes = new FieldWriter();
        ContentCodec.Write(bytes, content);
        var start = batch.Shared.SendAt is { } at && at > batch.At ? at : batch.At;
        var row = new
        {
            batch = batch.Id.Value,
            tenant = batch.Tenant.Value,
            sender = StoredText.Storable(content.From.ToString()),
            subject = StoredText.Storable(content.Subject),
            content = bytes.Written.ToArray(),
            state = (int)(list is null ? BatchState.Filling : BatchState.Expanding),
            start = start.Ms,
            source = (batch.List ?? batch.Id).Value,
            until = list is null ? 0 : list.Next - 1,
            total = list?.Count ?? 0,
            now = batch.At.Ms,
            terms = JsonSerializer.Serialize(batch.Shared.Terms, SharedTermsJson.Default.SharedTerms),
            key = batch.Key?.Key,
            hash = batch.Key?.RequestHash.ToArray(),
        };
        // Of two with one key the second waits here for the first.
        if (connection.Execute("""
            INSERT INTO expansions (batch, tenant, state, open, stop, tidy, start_at, source, until, cursor, next, first, total, taken,
                failed, refused, updated, terms, key, request_hash)
            VALUES (@batch, @tenant, @state, 1, 0, 0, @start, @source, @until, 0, 1, NULL, @total, 0, 0, 0, @now, @terms, @key, @hash)
            ON CONFLICT (tenant, key) WHERE key IS NOT NULL DO NOTHING
            """, row) == 0)
            return false;
        connection.Execute("""
            INSERT INTO batches (id, tenant, count, sender, subject, content)
            VALUES (@batch, @tenant, @total, @sender, @subject, @content)
            """, row);
        StateSums.AddStored(connection, batch.Tenant.Value, row.content.Length);
        return true;
    }

    public Task<AppendedPart?> AppendAsync(TenantId tenant, MessageId batch, BatchPart part, DateTimeOffset at) =>
        store.WriteAsync(connection => Append(connection, tenant, batch, part, at.Ms), isBulk: true);

    static AppendedPart? Append(DbConnection connection, TenantId tenant, MessageId batch, BatchPart part, long now)
    {
        // Holds the row on PostgreSQL: of two calls with one key the second waits, and finds what the first has done.
        var next = connection.ExecuteScalar<long?>(
            "UPDATE expansions SET updated = @now WHERE batch = @batch AND tenant = @tenant AND state = 0 RETURNING next",
            new { batch = batch.Value, tenant = tenant.Value, now });
        var done = part.Key is null ? new AppendedPart(part.LinesBefore, 0, 0) : BatchParts.Find(connection, batch, part.Key);
        if (next is not { } free)
            return done.IsComplete && Find(connection, tenant, batch) is not null ? done : null;
        if (part.Fingerprint is null ? part.Lines <= done.Lines : done.IsComplete || done.Lines != part.LinesBefore)
            return done;
        var toNumber = free - 1 - done.Lines;
        List<StoredDestination> rows =
            [.. part.Destinations.Where(d => d.N > done.Lines).Select(d => d with { N = d.N + toNumber })];
        List<DestinationFault> faults = [.. part.Faults.Where(f => f.N > done.Lines).Select(f => f with { N = f.N + toNumber })];
        var bytes = DestinationRows.Insert(connection, batch.Value, rows, _ => null);
        AddFaults(connection, batch, faults);
        var total = connection.ExecuteScalar<int>("""
            UPDATE expansions SET next = @next, until = @next - 1, total = total + @total, refused = refused + @refused,
                bytes = bytes + @bytes
            WHERE batch = @batch RETURNING total
            """, new { batch = batch.Value, next = part.Lines + toNumber + 1, total = rows.Count, refused = faults.Count, bytes });
        var all = new AppendedPart(part.Lines, done.Accepted + rows.Count, done.Refused + faults.Count)
        {
            Fingerprint = part.Fingerprint,
            Total = part.IsLast ? total : null,
        };
        if (part.Key is { } key)
            BatchParts.Put(connection, batch, key, all);
        return all;
    }

    public Task<TrackingCounts?> TrackingAsync(MessageId batch, CancellationToken ct) =>
        store.ReadAsync(connection => TrackingSums.OfBatch(connection, batch), ct);

    public Task<AppendedPart> FindPartAsync(MessageId batch, string key, CancellationToken ct) =>
        store.ReadAsync(connection => BatchParts.Find(connection, batch, key), ct);

    static void AddFaults(DbConnection connection, MessageId batch, List<DestinationFault> faults)
    {
        foreach (var fault in faults)
            connection.Execute("INSERT INTO expansion_faults (batch, n, email, slug, detail) VALUES (@batch, @N, @email, @Slug, @detail)",
                new
                {
                    batch = batch.Value,
                    fault.N,
                    email = StoredText.Storable(fault.Email),
                    fault.Slug,
                    detail = StoredText.Storable(fault.Detail),
                });
    }

    public Task<bool> StartAsync(TenantId tenant, MessageId batch, DateTimeOffset at) => store.WriteAsync(connection =>
    {
        var total = connection.ExecuteScalar<int?>("""
            UPDATE expansions SET state = 1, updated = @at WHERE batch = @batch AND tenant = @tenant AND state = 0 AND total > 0
            RETURNING total
            """, new { batch = batch.Value, tenant = tenant.Value, at = at.Ms });
        if (total is null)
            return false;
        connection.Execute("UPDATE batches SET count = @total WHERE id = @batch", new { batch = batch.Value, total });
        return true;
    });

    public Task<LargeBatch?> FindAsync(TenantId tenant, MessageId batch, CancellationToken ct) =>
        store.ReadAsync(connection => Find(connection, tenant, batch)?.ToBatch(), ct);

    // Uses batches_tenant.
    public Task<IReadOnlyList<BatchSummary>> ListAsync(TenantId tenant, MessageId? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<BatchSummary>>(connection =>
        {
            var heads = connection.Query<HeadRow>("""
                SELECT id, count, sender, subject FROM batches WHERE tenant = @tenant AND id < @before ORDER BY id DESC LIMIT @limit
                """, new { tenant = tenant.Value, before = before?.Value ?? long.MaxValue, limit }).AsList();
            return
            [
                .. heads.Select(h => new BatchSummary(new MessageId(h.Id), h.Count, h.Sender ?? "", h.Subject ?? "",
                    Find(connection, tenant, new MessageId(h.Id))?.ToBatch())),
            ];
        }, ct);

    static Row? Find(DbConnection connection, TenantId tenant, MessageId batch) => connection.QuerySingleOrDefault<Row>(
        $"SELECT {Columns} FROM expansions WHERE batch = @batch AND tenant = @tenant", new { batch = batch.Value, tenant = tenant.Value });

    static Row? FindByKey(DbConnection connection, TenantId tenant, string key) => connection.QuerySingleOrDefault<Row>(
        $"SELECT {Columns} FROM expansions WHERE tenant = @tenant AND key = @key AND key IS NOT NULL", new { tenant = tenant.Value, key });

    // One that was small when it came has no row here until it is paused.
    public Task<bool> PauseAsync(TenantId tenant, MessageId batch, bool paused, DateTimeOffset at) => store.WriteAsync(connection =>
    {
        connection.Execute("""
            INSERT INTO expansions (batch, tenant, state, open, stop, tidy, start_at, source, until, cursor, next, first, total, taken,
                failed, refused, updated)
            SELECT id, tenant, 2, 0, 0, 0, @at, id, 0, 0, 1, id + @stride, count, count, 0, 0, @at FROM batches
            WHERE id = @batch AND tenant = @tenant
            ON CONFLICT (batch) DO NOTHING
            """, new { batch = batch.Value, tenant = tenant.Value, stride = MessageId.Stride, at = at.Ms });
        return connection.Execute("""
            UPDATE expansions SET stop = @stop, updated = @at WHERE batch = @batch AND tenant = @tenant AND state IN (0, 1, 2)
            """, new { batch = batch.Value, tenant = tenant.Value, stop = paused ? 1 : 0, at = at.Ms }) == 1;
    });

    public Task BreakAsync(MessageId batch, string why, DateTimeOffset at) => store.WriteAsync(connection =>
    {
        connection.Execute("DELETE FROM expansion_faults WHERE batch = @batch AND n = 0", new { batch = batch.Value });
        AddFaults(connection, batch, [new DestinationFault(0, null, "server-error", why)]);
        return connection.Execute(
            "UPDATE expansions SET stop = 1, updated = @at WHERE batch = @batch AND state = 1", new { batch = batch.Value, at = at.Ms });
    });

    public Task<bool> CancelAsync(TenantId tenant, MessageId batch, DateTimeOffset at) => store.WriteAsync(connection =>
        connection.Execute("""
            UPDATE expansions SET state = 3, open = 1, stop = 2, updated = @at
            WHERE batch = @batch AND tenant = @tenant AND state IN (0, 1, 2)
            """, new { batch = batch.Value, tenant = tenant.Value, at = at.Ms }) == 1);

    public Task<int> CountCancelledAsync(MessageId batch, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<int?>("SELECT CAST(sum(delta) AS integer) FROM counters WHERE scope = @batch AND state = @cancelled",
            new { batch = batch.Value, cancelled = (int)RecipientState.Cancelled }) ?? 0, ct);

    // Uses expansions_open.
    // Each tenant's first before anybody's second: batches that wait for their tenant's quota must not keep those of the others.
    internal const string SelectWithWork = $"""
        SELECT {Columns} FROM (
            SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY start_at, batch) AS turn FROM expansions
            WHERE open = 1 AND start_at <= @now AND (state = 3 OR (state = 1 AND stop = 0
                AND (SELECT archived FROM tenants WHERE id = expansions.tenant) IS NULL))) AS work
        ORDER BY turn, start_at, batch LIMIT @limit OFFSET @skip
        """;

    public Task<IReadOnlyList<LargeBatch>> WithWorkAsync(DateTimeOffset now, int skip, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<LargeBatch>>(connection =>
            [.. connection.Query<Row>(SelectWithWork, new { now = now.Ms, skip, limit }).Select(row => row.ToBatch())], ct);

    public Task<MessageContent?> ContentAsync(MessageId batch, CancellationToken ct) => store.ReadAsync(
        connection => connection.ExecuteScalar<byte[]?>("SELECT content FROM batches WHERE id = @batch", new { batch = batch.Value })
            is { } content ? ContentCodec.Read(content) : null, ct);

    public Task<IReadOnlyList<StoredDestination>> ReadAsync(LargeBatch batch, long after, int limit, CancellationToken ct) =>
        store.ReadAsync(connection => DestinationRows.Read(connection, batch.Source.Value, after, batch.Until, limit), ct);

    public Task<bool> OpenAsync(MessageId batch, MessageId first) => store.WriteAsync(connection => connection.Execute(
        "UPDATE expansions SET first = @first WHERE batch = @batch AND first IS NULL",
        new { batch = batch.Value, first = first.Value }) == 1);

    // Uses queue_due.
    public Task<int> CountDueAsync(QueueKey key, DateTimeOffset now, int limit, CancellationToken ct) => store.ReadAsync(
        connection => connection.ExecuteScalar<int>("""
            SELECT count(*) FROM (SELECT 1 FROM queue
                WHERE state = 1 AND route = @route AND stream = @stream AND tenant = @tenant AND gate = 0 AND due <= @now LIMIT @limit) AS ahead
            """, new { route = key.Route, stream = (int)key.Stream, tenant = key.Tenant.Value, now = now.Ms, limit }), ct);

    public async Task<bool> TidyAsync(DateTimeOffset now, int limit)
    {
        var abandoned = (now - Abandoned).Ms;
        // Looked at first: a write that finds nothing to do would still be a write.
        var due = await store.ReadAsync(connection => connection.QueryFirstOrDefault<TidyRow>("""
            SELECT batch, 0 AS Kind FROM expansions WHERE tidy = 1
            UNION ALL SELECT batch, 1 FROM expansions WHERE open = 1 AND start_at <= @abandoned AND state = 0 AND updated <= @abandoned
            UNION ALL SELECT id, 2 FROM lists WHERE gone > 0 AND NOT EXISTS (SELECT 1 FROM expansions WHERE open = 1 AND source = id)
            LIMIT 1
            """, new { abandoned }), CancellationToken.None);
        if (due is null)
            return false;
        await store.WriteAsync(connection => Tidy(connection, due, limit, now.Ms, abandoned), isBulk: true);
        return true;
    }

    static int Tidy(DbConnection connection, TidyRow due, int limit, long now, long abandoned)
    {
        if (due.Kind == 1)
            return connection.Execute("""
                UPDATE expansions SET state = 3, stop = 2, updated = @now WHERE batch = @Batch AND state = 0 AND updated <= @abandoned
                """, new { due.Batch, now, abandoned });
        if (due.Kind == 2)
            return ListTables.Purge(connection, due.Batch, limit);
        var gone = DestinationRows.DeleteAll(connection, due.Batch, limit);
        if (gone < limit)
            connection.Execute("UPDATE expansions SET tidy = 0, bytes = 0 WHERE batch = @Batch", new { due.Batch });
        return gone;
    }

    public Task<IReadOnlyList<DestinationFault>> FaultsAsync(MessageId batch, long after, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<DestinationFault>>(connection =>
        [
            .. connection.Query<FaultRow>("""
                SELECT n, email, slug, detail FROM expansion_faults WHERE batch = @batch AND (n > @after OR (n = 0 AND @after = 0)) ORDER BY n LIMIT @limit
                """, new { batch = batch.Value, after, limit }).Select(f => new DestinationFault(f.N, f.Email, f.Slug, f.Detail)),
        ], ct);

    sealed class Row
    {
        public long Batch { get; init; }
        public int Tenant { get; init; }
        public int State { get; init; }
        public int Stop { get; init; }
        public long StartAt { get; init; }
        public long Source { get; init; }
        public long Until { get; init; }
        public long Cursor { get; init; }
        public long? First { get; init; }
        public int Total { get; init; }
        public int Taken { get; init; }
        public int Failed { get; init; }
        public int Refused { get; init; }
        public long Edits { get; init; }
        public string? Terms { get; init; }
        public byte[]? RequestHash { get; init; }

        public LargeBatch ToBatch() => new()
        {
            Id = new MessageId(Batch),
            Tenant = new TenantId(Tenant),
            State = (BatchState)State,
            IsPaused = Stop == (int)BatchStop.Paused,
            StartAt = Instant.From(StartAt),
            Source = new MessageId(Source),
            Until = Until,
            Cursor = Cursor,
            First = First is { } first ? new MessageId(first) : null,
            Total = Total,
            Taken = Taken,
            Failed = Failed,
            Refused = Refused,
            Edits = Edits,
            Terms = Terms is null ? NoTerms : JsonSerializer.Deserialize(Terms, SharedTermsJson.Default.SharedTerms)!,
        };

        static readonly SharedTerms NoTerms = new(MailStream.Bulk, null, TimeSpan.Zero, null, null, [], []);
    }

    sealed class HeadRow
    {
        public long Id { get; init; }
        public int Count { get; init; }
        public string? Sender { get; init; }
        public string? Subject { get; init; }
    }

    sealed class TidyRow
    {
        public long Batch { get; init; }
        public int Kind { get; init; }
    }

    sealed class FaultRow
    {
        public long N { get; init; }
        public string? Email { get; init; }
        public string Slug { get; init; } = "";
        public string Detail { get; init; } = "";
    }
}

/// <summary>What the messages of a large batch share, as text.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SharedTerms))]
sealed partial class SharedTermsJson : JsonSerializerContext;
