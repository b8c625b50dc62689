using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Suppression;

namespace Postrider.Storage.Sqlite;

/// <summary>The event log: append only, numbered in the order of commits.</summary>
sealed class EventTable : IEventTable
{
    readonly Statement _insert;
    readonly Statement _attempts;
    long _next;   // writer only; numbers of rolled back events are not used again

    public EventTable(Statements statements)
    {
        // Attempts, evidence that came late, and sweeps.
        _attempts = statements.Prepare("SELECT type, details FROM events WHERE message = ?1 AND type IN (1, 8, 10) LIMIT ?2");
        _insert = statements.Prepare(
            "INSERT INTO events (id, message, tenant, type, at, node, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _next = (statements.Prepare("SELECT max(id) FROM events").With().Scalar() ?? 0) + 1;
    }

    public void Append(long message, int tenant, MailEventType type, long at, int? node, ReadOnlySpan<byte> details) =>
        _insert.With().Add(_next++).Add(message).Add(tenant).Add((long)type).Add(at).Add(node).AddBlob(details).Run();

    /// <summary>What tells where a message was tried.</summary>
    public List<(MailEventType Type, byte[] Details)> Attempts(long message, int limit)
    {
        _attempts.With().Add(message).Add(limit);
        var rows = new List<(MailEventType, byte[])>();
        while (_attempts.Step())
            rows.Add(((MailEventType)_attempts.Int(0), _attempts.Bytes(1).ToArray()));
        return rows;
    }
}

/// <summary>The counters' rows.</summary>
sealed class CounterTable(Statements statements)
{
    readonly Statement _add = statements.Prepare("""
        INSERT INTO counters (scope, state, hour, node, delta) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (scope, state, hour, node) DO UPDATE SET delta = delta + excluded.delta
        """);

    /// <summary>Writes what the transaction added up.</summary>
    public void Write(CounterDeltas deltas, long now, int node)
    {
        foreach (var row in deltas.Take(now))
            _add.With().Add(row.Scope).Add(row.State).Add(row.Hour).Add(node).Add(row.Delta).Run();
    }
}

/// <summary>Addresses we do not mail, by tenant and stream.</summary>
sealed class SuppressionTable : ISuppressionTable
{
    readonly Statement _test;
    readonly Statement _insert;
    readonly Statement _resubscribe;
    readonly Statement _nextTenant;
    readonly HashSet<int> _tenants = [];   // those with any: for the others nothing is looked up

    readonly TimeProvider _clock;

    readonly AddressKey _key;

    public SuppressionTable(Statements statements, TimeProvider clock, AddressKey key)
    {
        (_clock, _key) = (clock, key);
        _test = statements.Prepare("""
            SELECT cause, reason FROM suppressions
            WHERE tenant = ?1 AND address_hash = ?2 AND stream IN (-1, ?3) AND (until IS NULL OR until > ?4) ORDER BY stream LIMIT 1
            """);
        _insert = statements.Prepare($"""
            INSERT INTO suppressions (tenant, address_hash, stream, cause, reason, message, at, address)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            {SuppressionSql.KeepTheLonger}
            """);
        _resubscribe = statements.Prepare($"""
            DELETE FROM suppressions WHERE tenant = ?1 AND address_hash = ?2 AND stream = ?3 AND cause = {(int)SuppressionCause.Unsubscribed}
            """);
        _nextTenant = statements.Prepare("SELECT tenant FROM suppressions WHERE tenant > ?1 ORDER BY tenant LIMIT 1");
        LookAgain();
    }

    /// <summary>After others may have written to the list. A loose scan: one seek a tenant, however long the list. Who had any stays: the
    /// transaction that took the last away may be rolled back yet.</summary>
    public void LookAgain()
    {
        for (var tenant = _nextTenant.With().Add(int.MinValue).Scalar(); tenant is not null;
            tenant = _nextTenant.With().Add(tenant).Scalar())
            _tenants.Add((int)tenant.Value);
    }

    public bool AnyFor(int tenant) => _tenants.Contains(tenant);

    public SuppressionHit? Find(int tenant, MailStream stream, ReadOnlySpan<byte> hash)
    {
        Span<byte> keyed = stackalloc byte[StoredAddress.SuppressionHashBytes];
        hash.CopyTo(keyed);
        _key.Apply(keyed);
        _test.With().Add(tenant).AddBlob(keyed).Add((long)stream).Add(_clock.GetUtcNow().Ms);
        SuppressionHit? hit = _test.Step() ? new SuppressionHit((SuppressionCause)_test.Int(0), _test.Text(1)) : null;
        _test.Reset();
        return hit;
    }

    public void Add(int tenant, in NewSuppression added)
    {
        Span<byte> hash = stackalloc byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(new TenantId(tenant), added.Address, hash);
        _key.Apply(hash);
        _insert.With().Add(tenant).AddBlob(hash).Add(SuppressionSql.NumberOf(added.Stream)).Add((long)added.Cause).AddText(added.Reason)
            .Add(added.Message).Add(added.At).AddText(added.Address).Run();
        // Also when the transaction is rolled back: then one look-up finds nothing.
        _tenants.Add(tenant);
    }

    public void Resubscribe(int tenant, string address, MailStream stream)
    {
        Span<byte> hash = stackalloc byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(new TenantId(tenant), address, hash);
        _key.Apply(hash);
        _resubscribe.With().Add(tenant).AddBlob(hash).Add((long)stream).Run();
    }
}

/// <summary>Callers' keys and the answers they got.</summary>
sealed class IdempotencyTable(Statements statements) : IIdempotencyTable
{
    readonly Statement _find =
        statements.Prepare("SELECT request_hash, answer, keep_until FROM idempotency WHERE tenant = ?1 AND key = ?2");

    readonly Statement _put = statements.Prepare("""
        INSERT INTO idempotency (tenant, key, request_hash, answer, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (tenant, key) DO UPDATE SET request_hash = excluded.request_hash, answer = excluded.answer,
            keep_until = excluded.keep_until
        """);

    readonly Statement _purge = statements.Prepare("""
        DELETE FROM idempotency WHERE (tenant, key) IN
            (SELECT tenant, key FROM idempotency INDEXED BY idempotency_keep_until WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2)
        """);

    public (byte[] RequestHash, byte[] Answer)? Find(int tenant, string key, long now)
    {
        _find.With().Add(tenant).AddText(key);
        if (!_find.Step())
            return null;
        (byte[], byte[])? row = _find.Long(2) > now ? (_find.Bytes(0).ToArray(), _find.Bytes(1).ToArray()) : null;
        _find.Reset();
        return row;
    }

    public void Put(int tenant, Queue.IdempotencyClaim claim, ReadOnlyMemory<byte>? answer) => _put.With()
        .Add(tenant).AddText(claim.Key).AddBlob(claim.RequestHash.Span).AddBlob((answer ?? claim.Answer).Span).Add(claim.KeepUntil.Ms)
            .Run();

    public int Purge(long now, int limit) => _purge.With().Add(now).Add(limit).RunCounting();
}
