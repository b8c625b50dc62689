using Npgsql;
using NpgsqlTypes;
using Postrider.Routing;

namespace Postrider.Storage.Postgres;

/// <summary>What nodes share of transports. Their rates are one row each, on the database's clock: GCRA as in <see cref="Gcra"/>, taken
/// many at a time.</summary>
public sealed class PostgresLimits(PostgresStore store) : ISharedLimits, ITransportPauseStore
{
    /// <summary>No instants are handed out further ahead, in microseconds: who asks then waits until some are nearer.</summary>
    const long FurthestAhead = 2_000_000;

    // Uses rate_budgets_pkey. Locked in the order of their keys, so that nodes do not wait for each other in a circle. What a clock that
    // was set back would keep for hours is cut to what debts may come to.
    public const string TakeSql = """
        WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1, $2, $3, $4, $5) AS a (key, count, gap, late, kept)),
        locked AS MATERIALIZED (
            SELECT b.key, b.arrival FROM rate_budgets b WHERE b.key = ANY ($1) ORDER BY b.key FOR UPDATE),
        timed AS MATERIALIZED (
            SELECT a.*, t.now, least(greatest(l.arrival, t.now - a.late), t.now + 100 * a.gap + 10000000) AS first
            FROM locked l JOIN asked a ON a.key = l.key,
                LATERAL (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 0 * l.arrival AS now) t),
        granted AS MATERIALIZED (
            SELECT *, CASE WHEN first > now + $6 - kept * gap THEN 0 ELSE least(count, (now + $6 - kept * gap - first) / gap + 1) END
                AS given FROM timed),
        taken AS (
            UPDATE rate_budgets b SET arrival = g.first + g.given * g.gap FROM granted g WHERE b.key = g.key AND g.given > 0)
        SELECT key, given, CASE WHEN given > 0 THEN first - now ELSE first + kept * gap - $6 - now END FROM granted
        """;

    // In the same order.
    const string MakeSql = """
        INSERT INTO rate_budgets (key, arrival) SELECT k, 0 FROM unnest($1) AS k ORDER BY k ON CONFLICT DO NOTHING
        """;

    // One that nobody used for two days is as one that is new, for no rate is counted over more than a day. Without this, domains that were
    // written to once would stay for ever. Looked for once for so many that are made.
    const int TidyEvery = 1_000;
    const string TidySql = """
        DELETE FROM rate_budgets WHERE key IN (
            SELECT key FROM rate_budgets WHERE arrival > 0 AND arrival < (extract(epoch FROM clock_timestamp()) - 172800) * 1000000
            ORDER BY key FOR UPDATE SKIP LOCKED)
        """;

    int _made;

    const string GiveBackSql = """
        WITH locked AS MATERIALIZED (
            SELECT b.key FROM rate_budgets b WHERE b.key = ANY ($1) ORDER BY b.key FOR UPDATE)
        UPDATE rate_budgets b SET arrival = b.arrival - a.count * a.gap
        FROM locked l JOIN unnest($1, $2, $3) AS a (key, count, gap) ON a.key = l.key WHERE b.key = l.key
        """;

    readonly PostgresCircuits _circuits = new(store);

    public Task<IReadOnlyList<SharedState>> LoadAsync(CancellationToken ct) => _circuits.LoadAsync(ct);

    public Task<bool> TellAsync(SharedChange change) => _circuits.TellAsync(change);

    public async Task<IReadOnlyList<string>> PausedAsync(CancellationToken ct) =>
        [.. (await LoadAsync(ct)).Where(state => state.IsPaused).Select(state => state.Name)];

    public Task KeepAsync(string transport, bool isPaused) =>
        TellAsync(new SharedChange(transport, isPaused ? SharedChangeKind.Pause : SharedChangeKind.Resume));

    public async Task<IReadOnlyList<RateGrant>> TakeAsync(IReadOnlyList<RateAsk> asks, CancellationToken ct)
    {
        var granted = await TakeOnceAsync(asks, ct);
        if (granted.Count < asks.Count)
        {
            await using var make = store.Tables.CreateCommand(MakeSql);
            make.Parameters.Add(Sql.Texts([.. asks.Select(ask => ask.Key)]));
            await RunAsync(make, ct);
            if (Interlocked.Add(ref _made, asks.Count - granted.Count) >= TidyEvery)
                await TidyAsync(ct);
            foreach (var (key, grant) in await TakeOnceAsync([.. asks.Where(ask => !granted.ContainsKey(ask.Key))], ct))
                granted.Add(key, grant);
        }
        return [.. asks.Select(ask => granted[ask.Key])];
    }

    async Task TidyAsync(CancellationToken ct)
    {
        Volatile.Write(ref _made, 0);
        await using var tidy = store.Tables.CreateCommand(TidySql);
        await RunAsync(tidy, ct);
    }

    async Task<Dictionary<string, RateGrant>> TakeOnceAsync(IReadOnlyList<RateAsk> asks, CancellationToken ct)
    {
        await using var take = store.Tables.CreateCommand(TakeSql);
        take.Parameters.Add(Sql.Texts([.. asks.Select(ask => ask.Key)]));
        take.Parameters.Add(Numbers(asks.Select(ask => (long)ask.Count)));
        take.Parameters.Add(Numbers(asks.Select(ask => Microseconds(ask.Gap))));
        take.Parameters.Add(Numbers(asks.Select(ask => Microseconds(ask.Late))));
        take.Parameters.Add(Numbers(asks.Select(ask => (long)ask.KeepBack)));
        take.Parameters.Add(Sql.Long(FurthestAhead));
        var granted = new Dictionary<string, RateGrant>();
        try
        {
            await using var reader = await take.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                granted.Add(reader.GetString(0),
                    new RateGrant(reader.GetString(0), (int)reader.GetInt64(1), TimeSpan.FromMicroseconds(reader.GetInt64(2))));
        }
        catch (Exception e) when (PostgresFault.Translate(e, commitIsOut: false) is Messages.StoreUnavailableException fault)
        {
            throw fault;
        }
        return granted;
    }

    public async Task GiveBackAsync(IReadOnlyList<RateAsk> unused, CancellationToken ct)
    {
        await using var give = store.Tables.CreateCommand(GiveBackSql);
        give.Parameters.Add(Sql.Texts([.. unused.Select(ask => ask.Key)]));
        give.Parameters.Add(Numbers(unused.Select(ask => (long)ask.Count)));
        give.Parameters.Add(Numbers(unused.Select(ask => Microseconds(ask.Gap))));
        await RunAsync(give, ct);
    }

    static async Task RunAsync(NpgsqlCommand command, CancellationToken ct)
    {
        try
        {
            await command.ExecuteNonQueryAsync(ct);
        }
        catch (Exception e) when (PostgresFault.Translate(e, commitIsOut: false) is Messages.StoreUnavailableException fault)
        {
            throw fault;
        }
    }

    /// <summary>Rounded up: never faster than asked.</summary>
    static long Microseconds(TimeSpan span) => (span.Ticks + 9) / 10;

    static NpgsqlParameter Numbers(IEnumerable<long> values) =>
        new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint };
}
