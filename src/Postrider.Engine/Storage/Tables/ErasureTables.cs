using System.Data.Common;
using Dapper;
using Npgsql;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Tables;

/// <summary>Orders to erase, in the store's database, and what they do there.</summary>
public sealed class ErasureTables(ITableStore store) : IErasureStore
{
    /// <summary>Rows that one transaction changes.</summary>
    const int AtOnce = 50;

    /// <summary>Of the order that was worked on last: to make ready for the search takes longer than to search a page.</summary>
    ErasedAddress? _text;

    const string Columns = """
        id, tenant, address, pseudonym, created, created_by AS CreatedBy, state, messages,
        other_rows AS Rows, waiting, ended, revision, place, cursor, passed
        """;

    public async Task<Erasure?> AddAsync(TenantId tenant, string address, string createdBy, DateTimeOffset now)
    {
        var hash = Hash(tenant, address);
        // Uses erasures_running.
        return (await store.WriteAsync(connection => connection.QueryFirstOrDefault<Row>(
            $"SELECT {Columns} FROM erasures WHERE state = 0 AND tenant = @tenant AND address = @address ORDER BY id LIMIT 1",
            new { tenant = tenant.Value, address }) ?? connection.QueryFirstOrDefault<Row>($"""
            INSERT INTO erasures (tenant, address, pseudonym, created, created_by, state, messages, other_rows, waiting, not_before, revision)
            SELECT @tenant, @address, @pseudonym, @now, @createdBy, 0, 0, 0, 0, 0, 0
            WHERE (SELECT count(*) FROM erasures WHERE state = 0 AND tenant = @tenant) < @most RETURNING {Columns}
            """, new
            {
                tenant = tenant.Value,
                address,
                pseudonym = $"erased-{Convert.ToHexStringLower(hash)}@erased.invalid",
                now = now.Ms,
                createdBy,
                most = IErasureStore.MostRunning,
            })))?.ToErasure();
    }

    public Task<Erasure?> FindAsync(TenantId tenant, long id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QueryFirstOrDefault<Row>($"SELECT {Columns} FROM erasures WHERE id = @id AND tenant = @tenant",
            new { id, tenant = tenant.Value })?.ToErasure(), ct);

    public Task<IReadOnlyList<Erasure>> ListAsync(TenantId tenant, long? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<Erasure>>(connection =>
        [
            .. connection.Query<Row>(
                $"SELECT {Columns} FROM erasures WHERE tenant = @tenant AND id < @before ORDER BY id DESC LIMIT @limit",
                new { tenant = tenant.Value, before = before ?? long.MaxValue, limit }).Select(row => row.ToErasure()),
        ], ct);

    public Task<Erasure?> TakeAsync(DateTimeOffset now, DateTimeOffset until) => store.WriteAsync(connection =>
        connection.QueryFirstOrDefault<Row>($"""
            UPDATE erasures SET not_before = @until, revision = revision + 1
            WHERE state = 0 AND not_before <= @now
                AND id = (SELECT id FROM erasures WHERE state = 0 AND not_before <= @now ORDER BY not_before, id LIMIT 1)
            RETURNING {Columns}
            """, new { now = now.Ms, until = until.Ms })?.ToErasure(), isBulk: true);

    public Task EndTurnAsync(Erasure erasure, ErasureTurn done, DateTimeOffset now, DateTimeOffset? next) =>
        store.WriteAsync(connection => connection.Execute("""
            UPDATE erasures SET messages = messages + @Messages, other_rows = other_rows + @Rows, waiting = @Waiting, not_before = @next,
                place = @place, cursor = @after, passed = @passed, state = @state, ended = @ended, address = CASE WHEN @state = 0 THEN address END
            WHERE id = @Id AND revision = @Revision
            """, new
        {
            done.Messages,
            done.Rows,
            done.Waiting,
            place = done.Cursor.Place,
            after = done.Cursor.After,
            passed = done.Cursor.Open,
            next = (next ?? now).Ms,
            state = (int)(next is null ? ErasureState.Done : ErasureState.Running),
            ended = next is null ? now.Ms : (long?)null,
            erasure.Id,
            erasure.Revision,
        }));

    public Task<ErasedMessage> EraseMessageAsync(Erasure erasure, MessageId message) => store.WriteAsync(
        connection => new MessageErasing(connection, TextOf(erasure), erasure.Tenant).Run(message.Value), isBulk: true);

    public async Task<ErasedPiece> EraseRestAsync(Erasure erasure, ErasureCursor at, CancellationToken ct)
    {
        if (at.Place >= ErasedPlace.All.Count)
            return new ErasedPiece(0, 0, null);
        var place = ErasedPlace.All[at.Place];
        var text = TextOf(erasure);
        var look = await store.ReadAsync(connection => place.Find(connection, text, erasure.Tenant, at.After), ct);
        var done = new ErasedRows();
        foreach (var some in look.Found.Chunk(AtOnce))
            done += await store.WriteAsync(connection => place.Erase(connection, text, [.. some]), isBulk: true);
        var next = look.Next is { } after ? at with { After = after } : at with { Place = at.Place + 1, After = "" };
        return new ErasedPiece(done.Rows, done.Messages, next with { Open = at.Open + done.Open });
    }

    public async Task<long> EraseKeptAsync(Erasure erasure, bool isLast, CancellationToken ct)
    {
        var (text, hash) = (TextOf(erasure), Hash(erasure.Tenant, erasure.Address!));
        return await store.WriteAsync(connection => Suppressions(connection, erasure.Tenant, text, hash), isBulk: true)
            + (isLast ? await SearchAsync(erasure, ct) : 0);
    }

    /// <summary>It stays suppressed, by its keyed hash.</summary>
    static long Suppressions(DbConnection connection, TenantId tenant, ErasedAddress text, byte[] hash)
    {
        var rows = connection.Query<(int Stream, string Reason)>(
            "SELECT stream, reason FROM suppressions WHERE tenant = @tenant AND address_hash = @hash AND address IS NOT NULL",
            new { tenant = tenant.Value, hash }).AsList();
        foreach (var (stream, reason) in rows)
            connection.Execute("""
                UPDATE suppressions SET address = NULL, reason = @reason WHERE tenant = @tenant AND address_hash = @hash AND stream = @stream
                """, new { tenant = tenant.Value, hash, stream, reason = text.Replace(reason) });
        return rows.Count;
    }

    /// <summary>What the index of SQLite has under the hash of the address, which needs no key.</summary>
    async Task<long> SearchAsync(Erasure erasure, CancellationToken ct)
    {
        var hash = StoredAddress.SearchHash(erasure.Tenant, StoredAddress.Parse(erasure.Address!));
        if (await store.ReadAsync(static connection => connection is NpgsqlConnection, ct))
            return 0;
        return await store.WriteAsync(connection => connection.Execute(
            "DELETE FROM search WHERE hash = @hash AND bucket IN (SELECT bucket FROM search_runs)", new { hash }), isBulk: true);
    }

    ErasedAddress TextOf(Erasure erasure) => _text is { } known && known.IsOf(erasure) ? known : _text = new ErasedAddress(erasure);

    byte[] Hash(TenantId tenant, string address)
    {
        var hash = new byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(tenant, address, hash);
        store.AddressKey.Apply(hash);
        return hash;
    }

    sealed class Row
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public string? Address { get; init; }
        public string Pseudonym { get; init; } = "";
        public long Created { get; init; }
        public string CreatedBy { get; init; } = "";
        public int State { get; init; }
        public long Messages { get; init; }
        public long Rows { get; init; }
        public long Waiting { get; init; }
        public long? Ended { get; init; }
        public long Revision { get; init; }
        public int Place { get; init; }
        public string Cursor { get; init; } = "";
        public long Passed { get; init; }

        public Erasure ToErasure() => new()
        {
            Id = Id,
            Tenant = new TenantId(Tenant),
            Address = Address,
            Pseudonym = Pseudonym,
            CreatedAt = Instant.From(Created),
            CreatedBy = CreatedBy,
            State = (ErasureState)State,
            Messages = Messages,
            Rows = Rows,
            Waiting = Waiting,
            EndedAt = Ended is { } ended ? Instant.From(ended) : null,
            Revision = Revision,
            Cursor = new ErasureCursor(Place, Cursor, Passed),
        };
    }
}
