using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;
using Postrider.Suppression;

namespace Postrider.Storage.Postgres;

/// <summary>The events of a running transaction.</summary>
sealed class EventRows(PostgresSession session, MessageIds ids) : IEventTable
{
    // Attempts, evidence that came late, and sweeps. No event is older than its message by more than clocks of nodes differ.
    public const string SelectAttempts = """
        SELECT message, type, details FROM events WHERE message = ANY($1) AND type IN (1, 8, 10) AND id >= $2
        """;

    readonly List<long> _ids = [], _messages = [], _at = [];
    readonly List<int> _tenants = [];
    readonly List<int?> _nodes = [];
    readonly List<short> _types = [];
    readonly List<byte[]?> _details = [];
    readonly Dictionary<long, List<(MailEventType Type, byte[] Details)>> _attempts = [];

    public void Append(long message, int tenant, MailEventType type, long at, int? node, ReadOnlySpan<byte> details)
    {
        _ids.Add(ids.Next().Value);
        _messages.Add(message);
        _at.Add(at);
        _tenants.Add(tenant);
        _nodes.Add(node);
        _types.Add((short)type);
        _details.Add(details.ToArray());
    }

    public void Prefetch(Trip trip, Needs needs) => Prefetch(trip, [.. needs.Reports.Select(r => r.Message).Distinct()]);

    void Prefetch(Trip trip, List<long> messages)
    {
        if (messages.Count == 0)
            return;
        foreach (var message in messages)
            _attempts[message] = [];
        trip.Read(SelectAttempts, row => _attempts[row.GetInt64(0)].Add(((MailEventType)row.GetInt16(1), row.GetFieldValue<byte[]>(2))),
            Sql.Longs(messages), Sql.Long(EventPartitions.Before(messages.Min())));
    }

    public List<(MailEventType Type, byte[] Details)> Attempts(long message, int limit)
    {
        if (!_attempts.ContainsKey(message))
        {
            var trip = new Trip();
            Prefetch(trip, [message]);
            session.Ask(trip);
        }
        return [.. _attempts[message].Take(limit)];
    }

    public void Write(Trip trip)
    {
        if (_ids.Count == 0)
            return;
        trip.Add("""
            INSERT INTO events (id, message, at, tenant, node, type, details) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)
            """, Sql.Longs([.. _ids]), Sql.Longs([.. _messages]), Sql.Longs([.. _at]), Sql.Ints([.. _tenants]), Sql.Ints([.. _nodes]),
            Sql.Shorts([.. _types]), Sql.Blobs([.. _details]));
        ForgetWritten();
    }

    void ForgetWritten()
    {
        _ids.Clear();
        _messages.Clear();
        _at.Clear();
        _tenants.Clear();
        _nodes.Clear();
        _types.Clear();
        _details.Clear();
    }

    public void Forget()
    {
        ForgetWritten();
        _attempts.Clear();
    }
}

/// <summary>What a running transaction knows of the suppression list.</summary>
sealed class SuppressionRows(PostgresSession session, AddressKey key) : ISuppressionTable
{
    // A loose look: one probe a tenant.
    public const string SelectAny = """
        SELECT t FROM unnest($1) AS t WHERE EXISTS (SELECT 1 FROM suppressions s WHERE s.tenant = t)
        """;

    public const string SelectHits = """
        SELECT s.tenant, s.address_hash, s.stream, s.cause, s.reason FROM unnest($1, $2) AS c (tenant, address_hash)
        JOIN suppressions s ON s.tenant = c.tenant AND s.address_hash = c.address_hash
        WHERE s.until IS NULL OR s.until > $3
        """;

    readonly Dictionary<int, bool> _any = [];
    readonly HashSet<(int Tenant, UInt128 Hash)> _asked = [];
    readonly Dictionary<(int Tenant, UInt128 Hash, int Stream), SuppressionHit> _hits = [];
    readonly List<(int Tenant, byte[] Hash, NewSuppression Row)> _new = [];
    readonly List<(int Tenant, byte[] Hash, MailStream Stream)> _resubscribed = [];

    public void Prefetch(Trip trip, Needs needs)
    {
        if (needs.Tenants.Count > 0)
            AskAny(trip, [.. needs.Tenants]);
        AskHits(trip, needs.Suppressions);
    }

    void AskAny(Trip trip, List<int> tenants)
    {
        foreach (var tenant in tenants)
            _any.TryAdd(tenant, false);
        trip.Read(SelectAny, row => _any[row.GetInt32(0)] = true, Sql.Ints(tenants));
    }

    void AskHits(Trip trip, List<(int Tenant, byte[] Hash)> addresses)
    {
        var unknown = addresses.Where(a => _asked.Add((a.Tenant, Number(a.Hash)))).ToList();
        if (unknown.Count > 0)
            trip.Read(SelectHits, row => _hits[(row.GetInt32(0), Number(row.GetFieldValue<byte[]>(1)), row.GetInt16(2))] =
                new SuppressionHit((SuppressionCause)row.GetInt16(3), row.GetString(4)),
                Sql.Ints(unknown.ConvertAll(a => a.Tenant)), Sql.Blobs(unknown.ConvertAll(a => (byte[]?)a.Hash)), Sql.Long(session.Now));
    }

    /// <summary>Looks all recipients of some rows up at once.</summary>
    public void AskFor(List<QueueRow> rows)
    {
        session.AskRecipients(rows.Select(r => r.Message));
        var addresses = new List<(int, byte[])>();
        foreach (var row in rows)
        {
            foreach (var recipient in session.MessageRows.Open(row))
                addresses.Add((row.Tenant, HashOf(row.Tenant, recipient.Address)));
        }
        var trip = new Trip();
        AskHits(trip, addresses);
        if (!trip.IsEmpty)
            session.Ask(trip);
    }

    public bool AnyFor(int tenant)
    {
        if (!_any.ContainsKey(tenant))
        {
            var trip = new Trip();
            AskAny(trip, [tenant]);
            session.Ask(trip);
        }
        return _any[tenant];
    }

    public SuppressionHit? Find(int tenant, MailStream stream, ReadOnlySpan<byte> hash)
    {
        var keyed = key.Of(hash);
        var number = Number(keyed);
        if (!_asked.Contains((tenant, number)))
        {
            var trip = new Trip();
            AskHits(trip, [(tenant, keyed)]);
            session.Ask(trip);
        }
        return _hits.TryGetValue((tenant, number, SuppressionSql.AllStreams), out var hit)
            || _hits.TryGetValue((tenant, number, (int)stream), out hit) ? hit : null;
    }

    public void Add(int tenant, in NewSuppression added)
    {
        var hash = HashOf(tenant, added.Address);
        _new.Add((tenant, hash, added));
        _any[tenant] = true;
        _hits.TryAdd((tenant, Number(hash), SuppressionSql.NumberOf(added.Stream)), new SuppressionHit(added.Cause, added.Reason));
    }

    public void Resubscribe(int tenant, string address, MailStream stream)
    {
        var hash = HashOf(tenant, address);
        _resubscribed.Add((tenant, hash, stream));
        _new.RemoveAll(s => s.Tenant == tenant && s.Hash.AsSpan().SequenceEqual(hash) && s.Row.Stream == stream
            && s.Row.Cause == SuppressionCause.Unsubscribed);
        // Something else may keep it there.
        _asked.Remove((tenant, Number(hash)));
        _hits.Remove((tenant, Number(hash), (int)stream));
    }

    public void Write(Trip trip)
    {
        foreach (var (tenant, hash, stream) in _resubscribed)
            trip.Add("DELETE FROM suppressions WHERE tenant = $1 AND address_hash = $2 AND stream = $3 AND cause = $4",
                Sql.Int(tenant), Sql.Bytes(hash), Sql.Int((int)stream), Sql.Int((int)SuppressionCause.Unsubscribed));
        _resubscribed.Clear();
        if (_new.Count == 0)
            return;
        // In one order, as two transactions may add the same addresses; a row once, as a statement must not change one twice.
        var rows = _new.OrderBy(s => (s.Tenant, Number(s.Hash), SuppressionSql.NumberOf(s.Row.Stream)))
            .DistinctBy(s => (s.Tenant, Number(s.Hash), s.Row.Stream)).ToList();
        trip.Add($"""
            INSERT INTO suppressions (tenant, address_hash, stream, cause, reason, message, at, address)
            SELECT tenant, address_hash, stream, cause, reason, message, at, address
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS s (tenant, address_hash, stream, cause, reason, message, at, address)
            {SuppressionSql.KeepTheLonger}
            """, Sql.Ints(rows.ConvertAll(s => s.Tenant)), Sql.Blobs(rows.ConvertAll(s => (byte[]?)s.Hash)),
            Sql.Ints(rows.ConvertAll(s => SuppressionSql.NumberOf(s.Row.Stream))), Sql.Ints(rows.ConvertAll(s => (int)s.Row.Cause)),
            Sql.Texts(rows.ConvertAll(s => StoredText.Storable(s.Row.Reason))), Sql.Longs(rows.ConvertAll(s => s.Row.Message)),
            Sql.Longs(rows.ConvertAll(s => s.Row.At)), Sql.Texts(rows.ConvertAll(s => (string?)s.Row.Address)));
        _new.Clear();
    }

    public void Forget()
    {
        _any.Clear();
        _asked.Clear();
        _hits.Clear();
        _new.Clear();
        _resubscribed.Clear();
    }

    byte[] HashOf(int tenant, string address)
    {
        var hash = new byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(new TenantId(tenant), address, hash);
        key.Apply(hash);
        return hash;
    }

    static UInt128 Number(ReadOnlySpan<byte> hash) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash);
}

/// <summary>Callers' keys that a running transaction found or put.</summary>
sealed class IdempotencyRows(PostgresSession session) : IIdempotencyTable
{
    public const string Select = """
        SELECT i.tenant, i.key, i.request_hash, i.answer, i.keep_until FROM unnest($1, $2) AS c (tenant, key)
        JOIN idempotency i ON i.tenant = c.tenant AND i.key = c.key FOR UPDATE OF i
        """;

    readonly record struct Found(byte[] RequestHash, byte[] Answer, long KeepUntil);

    readonly HashSet<(int, string)> _asked = [];
    readonly Dictionary<(int Tenant, string Key), Found> _found = [];
    readonly Dictionary<(int Tenant, string Key), Found> _new = [];
    readonly Dictionary<(int Tenant, string Key), Found> _renewed = [];

    public void Prefetch(Trip trip, Needs needs)
    {
        var keys = needs.IdempotencyKeys.Where(k => _asked.Add(k)).OrderBy(k => k).ToList();
        if (keys.Count > 0)
            trip.Read(Select, row => _found[(row.GetInt32(0), row.GetString(1))] =
                new Found(row.GetFieldValue<byte[]>(2), row.GetFieldValue<byte[]>(3), row.GetInt64(4)),
                Sql.Ints(keys.ConvertAll(k => k.Tenant)), Sql.Texts(keys.ConvertAll(k => (string?)k.Key)));
    }

    public (byte[] RequestHash, byte[] Answer)? Find(int tenant, string key, long now)
    {
        var stored = StoredText.Storable(key)!;
        if (!_asked.Contains((tenant, stored)))
        {
            var (trip, needs) = (new Trip(), new Needs());
            needs.IdempotencyKeys.Add((tenant, stored));
            Prefetch(trip, needs);
            session.Ask(trip);
        }
        return _found.TryGetValue((tenant, stored), out var found) && found.KeepUntil > now ? (found.RequestHash, found.Answer) : null;
    }

    public void Put(int tenant, IdempotencyClaim claim, ReadOnlyMemory<byte>? answer)
    {
        var key = (tenant, StoredText.Storable(claim.Key)!);
        var row = new Found(claim.RequestHash.ToArray(), (answer ?? claim.Answer).ToArray(), claim.KeepUntil.Ms);
        (_found.ContainsKey(key) ? _renewed : _new)[key] = row;
        _found[key] = row;
    }

    public void Write(Trip trip)
    {
        // Whoever puts the same key at the same time makes the insert fail: the work is done again, and finds what the other one put.
        Write(trip, _new, """
            INSERT INTO idempotency (tenant, key, request_hash, answer, keep_until) SELECT * FROM unnest($1, $2, $3, $4, $5)
            """);
        Write(trip, _renewed, """
            UPDATE idempotency i SET request_hash = c.request_hash, answer = c.answer, keep_until = c.keep_until
            FROM unnest($1, $2, $3, $4, $5) AS c (tenant, key, request_hash, answer, keep_until) WHERE i.tenant = c.tenant AND i.key = c.key
            """);
    }

    static void Write(Trip trip, Dictionary<(int Tenant, string Key), Found> rows, string sql)
    {
        if (rows.Count == 0)
            return;
        var all = rows.OrderBy(r => r.Key).ToList();
        trip.Add(sql, Sql.Ints(all.ConvertAll(r => r.Key.Tenant)), Sql.Texts(all.ConvertAll(r => (string?)r.Key.Key)),
            Sql.Blobs(all.ConvertAll(r => (byte[]?)r.Value.RequestHash)), Sql.Blobs(all.ConvertAll(r => (byte[]?)r.Value.Answer)),
            Sql.Longs(all.ConvertAll(r => r.Value.KeepUntil)));
        rows.Clear();
    }

    public int Purge(long now, int limit)
    {
        var purged = 0;
        session.Ask("""
            WITH old AS (SELECT tenant, key FROM idempotency WHERE keep_until <= $1 ORDER BY keep_until LIMIT $2 FOR UPDATE SKIP LOCKED),
                gone AS (DELETE FROM idempotency i USING old WHERE i.tenant = old.tenant AND i.key = old.key RETURNING 1)
            SELECT count(*) FROM gone
            """, row => purged = (int)row.GetInt64(0), Sql.Long(now), Sql.Int(limit));
        return purged;
    }

    public void Forget()
    {
        _asked.Clear();
        _found.Clear();
        _new.Clear();
        _renewed.Clear();
    }
}

/// <summary>Tags under which messages are found. Addresses are found by a column of their own rows.</summary>
sealed class TagRows : ISearchEntries
{
    readonly List<(long Hash, long Message)> _new = [];

    public void Add(PreparedMessage message)
    {
        foreach (var hash in message.SearchHashes.AsSpan(message.Recipients.Length))
            _new.Add((hash, message.Id));
    }

    public void Write(Trip trip)
    {
        if (_new.Count == 0)
            return;
        _new.Sort();
        trip.Add("INSERT INTO tagged (hash, message) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING",
            Sql.Longs(_new.ConvertAll(t => t.Hash)), Sql.Longs(_new.ConvertAll(t => t.Message)));
        _new.Clear();
    }

    public void Forget() => _new.Clear();
}
