using System.Data.Common;
using System.Text.Json;
using Dapper;
using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>The list of dead letters, and the jobs on it, in the store's database. What puts letters there is in
/// <see cref="Rules.DeadLettering"/>.</summary>
/// <param name="lookAtOnce">Letters that one read of a job looks at, whatever they are: far less than what is cut after 5 s.</param>
public sealed class DeadLetterTables(ITableStore store, int lookAtOnce = DeadLetterTables.LookAtOnce) : IDeadLetterStore
{
    const int LookAtOnce = 5_000;

    /// <summary>Reads of one turn of a job.</summary>
    const int MostReads = 20;

    const string JobColumns =
        "id, tenant, action, filter, per_second AS PerSecond, created, created_by AS CreatedBy, state, done, ended, revision, "
        + "after_message AS AfterMessage, after_n AS AfterN";

    // Uses dead_letters_tenant.
    const string OfTenant = "d.tenant = @tenant AND d.state <> 0";

    public Task<IReadOnlyList<DeadLetter>> ListAsync(
        TenantId tenant, DeadLetterFilter filter, RecipientId? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<DeadLetter>>(connection =>
        {
            var (where, values) = Where(tenant, filter);
            if (before is { } cursor)
            {
                where += " AND (d.message, d.n) < (@message, @n)";
                values.AddDynamicParams(new { message = cursor.Message.Value, n = cursor.N });
            }
            values.Add("limit", limit);
            return
            [
                .. connection.Query<LetterRow>($"""
                    SELECT d.message, d.n, d.stream, d.route, d.state, d.reason, d.code, d.enhanced, d.transport, d.transient, d.tries,
                        d.redrives, d.first_at AS FirstAt, d.at, d.last_attempt AS LastAttempt, r.address,
                        coalesce(m.sender, b.sender) AS Sender, coalesce(m.subject, b.subject) AS Subject
                    FROM dead_letters d JOIN recipients r ON r.message = d.message AND r.n = d.n JOIN messages m ON m.id = d.message
                        LEFT JOIN batches b ON b.id = m.batch
                    WHERE {where} ORDER BY d.message DESC, d.n DESC LIMIT @limit
                    """, values).Select(row => row.ToLetter()),
            ];
        }, ct);

    public Task<IReadOnlyList<DeadLetterGroup>> GroupsAsync(TenantId tenant, DeadLetterFilter filter, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<DeadLetterGroup>>(connection =>
        {
            var (where, values) = Where(tenant, filter);
            return
            [
                .. connection.Query<GroupRow>($"""
                    SELECT d.state, d.reason, d.code, d.enhanced, d.transport, d.transient, count(*) AS Count, min(d.first_at) AS FirstAt,
                        max(d.at) AS LastAt, max(d.last_attempt) AS LastAttempt
                    FROM dead_letters d WHERE {where}
                    GROUP BY d.state, d.reason, d.code, d.enhanced, d.transport, d.transient
                    ORDER BY count(*) DESC, d.state, d.reason LIMIT {IDeadLetterStore.MostGroups}
                    """, values).Select(row => row.ToGroup()),
            ];
        }, ct);

    public async Task<RedrivePiece> NextAsync(RedriveJob job, CancellationToken ct)
    {
        // Letters of policies have an index of their own, and those that are named have their keys: nothing else is looked at.
        if (job.Filter is { Transient: true, FirstFrom: not null } or { Ids: not null })
        {
            var places = await store.ReadAsync(connection => Places(connection, job, null, null, job.PerSecond), ct);
            return new RedrivePiece(places, null, HasMore: places.Count == job.PerSecond);
        }
        var (found, at) = (new List<DeadLetterPlace>(), job.LookedAt);
        for (var reads = 0; reads < MostReads && found.Count < job.PerSecond; reads++)
        {
            var (some, end) = await store.ReadAsync(connection =>
            {
                var end = Behind(connection, job.Tenant, at);
                return (Places(connection, job, at, end, job.PerSecond - found.Count), end);
            }, ct);
            found.AddRange(some);
            var isFull = found.Count == job.PerSecond;
            if (end is null && !isFull)
                return new RedrivePiece(found, at, HasMore: false);
            at = isFull ? found[^1].Id : end;
        }
        return new RedrivePiece(found, at, HasMore: true);
    }

    /// <summary>The last of the letters that are looked at in one read; null: there are not so many. Uses dead_letters_tenant.</summary>
    RecipientId? Behind(DbConnection connection, TenantId tenant, RecipientId? after) =>
        connection.QueryFirstOrDefault<(long Message, int N)?>($"""
            SELECT d.message, d.n FROM dead_letters d WHERE {OfTenant} AND (d.message, d.n) > (@message, @n)
            ORDER BY d.message, d.n LIMIT 1 OFFSET @before
            """, new { tenant = tenant.Value, message = after?.Message.Value ?? 0, n = after?.N ?? -1, before = lookAtOnce - 1 })
            is { } last
            ? new RecipientId(new MessageId(last.Message), last.N) : null;

    static List<DeadLetterPlace> Places(DbConnection connection, RedriveJob job, RecipientId? after, RecipientId? upTo, int limit)
    {
        var (where, values) = Where(job.Tenant, job.Scope);
        values.Add("limit", limit);
        foreach (var (place, name, test) in new[] { (after, "after", ">"), (upTo, "upto", "<=") })
        {
            if (place is not { } bound)
                continue;
            where += $" AND (d.message, d.n) {test} (@{name}message, @{name}n)";
            values.Add($"{name}message", bound.Message.Value);
            values.Add($"{name}n", bound.N);
        }
        var order = job.Filter is { Transient: true, FirstFrom: not null } ? "d.at, d.message, d.n" : "d.message, d.n";
        return
        [
            .. connection.Query<(long Message, int N, string Route, int Stream)>($"""
                SELECT d.message, d.n, d.route, d.stream FROM dead_letters d WHERE {where} ORDER BY {order} LIMIT @limit
                """, values).Select(row => new DeadLetterPlace(
                new RecipientId(new MessageId(row.Message), row.N), new QueueKey(row.Route, (MailStream)row.Stream, job.Tenant))),
        ];
    }

    public Task<RedriveJob> AddJobAsync(RedriveJob job) => store.WriteAsync(connection => Insert(connection, job));

    // Looked for in a read first: most looks find nothing. Of two nodes that found the same, the second finds the job of the first.
    public async Task<bool> AddPolicyJobAsync(RedriveJob job, CancellationToken ct) =>
        await store.ReadAsync(connection => IsWanted(connection, job), ct)
        && await store.WriteAsync(connection =>
        {
            var isWanted = IsWanted(connection, job);
            if (isWanted)
                Insert(connection, job);
            return isWanted;
        });

    /// <summary>There are letters for it, and no other job of the policy. Uses dead_letters_transient.</summary>
    static bool IsWanted(DbConnection connection, RedriveJob job)
    {
        var (where, values) = Where(job.Tenant, job.Scope);
        values.Add("policy", RedriveJob.Policy);
        return connection.ExecuteScalar<long>($"""
            SELECT count(*) FROM (SELECT 1 FROM dead_letters d WHERE {where} AND NOT EXISTS (
                SELECT 1 FROM dead_letter_jobs WHERE tenant = @tenant AND created_by = @policy AND state = 0) LIMIT 1) AS wanted
            """, values) > 0;
    }

    public Task<IReadOnlyList<RedriveJob>> ListJobsAsync(TenantId tenant, long? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<RedriveJob>>(connection =>
        [
            .. connection.Query<JobRow>(
                $"SELECT {JobColumns} FROM dead_letter_jobs WHERE tenant = @tenant AND id < @before ORDER BY id DESC LIMIT @limit",
                new { tenant = tenant.Value, before = before ?? long.MaxValue, limit }).Select(row => row.ToJob()),
        ], ct);

    public Task<RedriveJob?> FindJobAsync(TenantId tenant, long id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<JobRow>(
            $"SELECT {JobColumns} FROM dead_letter_jobs WHERE tenant = @tenant AND id = @id", new { tenant = tenant.Value, id })?.ToJob(), ct);

    public Task<bool> CancelJobAsync(TenantId tenant, long id, DateTimeOffset at) => store.WriteAsync(connection => connection.Execute("""
        UPDATE dead_letter_jobs SET state = 2, ended = @at, revision = revision + 1 WHERE tenant = @tenant AND id = @id AND state = 0
        """, new { tenant = tenant.Value, id, at = at.ToUnixTimeMilliseconds() }) > 0);

    // The outer test is made again where another node was faster: one of the two gets the job. Uses dead_letter_jobs_running.
    internal const string TakeJob = $"""
        UPDATE dead_letter_jobs SET not_before = @until, revision = revision + 1
        WHERE id = (SELECT id FROM dead_letter_jobs WHERE state = 0 AND not_before <= @now ORDER BY not_before, id LIMIT 1)
            AND state = 0 AND not_before <= @now
        RETURNING {JobColumns}
        """;

    public Task<RedriveJob?> TakeJobAsync(DateTimeOffset now, DateTimeOffset until) => store.WriteAsync(connection =>
        connection.QuerySingleOrDefault<JobRow>(
            TakeJob, new { now = now.ToUnixTimeMilliseconds(), until = until.ToUnixTimeMilliseconds() })?.ToJob());

    public Task EndTurnAsync(RedriveJob job, long done, RecipientId? lookedAt, DateTimeOffset now, DateTimeOffset? next) =>
        store.WriteAsync(connection =>
        connection.Execute("""
            UPDATE dead_letter_jobs SET done = done + @done, state = @state, ended = @ended, not_before = @next, revision = revision + 1,
                after_message = @message, after_n = @n
            WHERE id = @Id AND revision = @Revision
            """, new
        {
            done,
            message = lookedAt?.Message.Value ?? 0,
            n = lookedAt?.N ?? -1,
            state = (int)(next is null ? RedriveState.Done : RedriveState.Running),
            ended = next is null ? now.ToUnixTimeMilliseconds() : (long?)null,
            next = (next ?? now).ToUnixTimeMilliseconds(),
            job.Id,
            job.Revision,
        }));

    static RedriveJob Insert(DbConnection connection, RedriveJob job) => connection.QuerySingle<JobRow>($"""
        INSERT INTO dead_letter_jobs (tenant, action, filter, per_second, created, created_by, state, done, not_before, revision)
        VALUES (@tenant, @action, @filter, @PerSecond, @created, @CreatedBy, 0, 0, 0, 0) RETURNING {JobColumns}
        """, new
    {
        tenant = job.Tenant.Value,
        action = (int)job.Action,
        filter = JsonSerializer.Serialize(job.Filter, DeadLetterJson.Default.DeadLetterFilter),
        job.PerSecond,
        created = job.CreatedAt.ToUnixTimeMilliseconds(),
        job.CreatedBy,
    }).ToJob();

    static (string Where, DynamicParameters Values) Where(TenantId tenant, DeadLetterFilter filter)
    {
        var values = new DynamicParameters(new { tenant = tenant.Value });
        var where = OfTenant;
        void Test(string sql, string name, object? value)
        {
            if (value is null)
                return;
            where += $" AND {sql}";
            values.Add(name, value);
        }

        Test("d.state = @state", "state", (int?)filter.State);
        Test("d.reason = @reason", "reason", filter.Reason);
        Test("d.transport = @transport", "transport", filter.Transport);
        // Not a parameter: dead_letters_transient has these letters alone.
        if (filter.Transient is { } transient)
            where += transient ? " AND d.transient = 1" : " AND d.transient = 0";
        Test("d.at >= @since", "since", filter.From?.ToUnixTimeMilliseconds());
        Test("d.at < @until", "until", filter.Until?.ToUnixTimeMilliseconds());
        // Nobody dies again before the first time: the second test bounds the index.
        Test("d.first_at >= @first AND d.at >= @first", "first", filter.FirstFrom?.ToUnixTimeMilliseconds());
        if (filter.Ids is { } ids)
            where += $" AND {Named(ids)}";
        return (where, values);
    }

    /// <summary>Numbers that we read ourselves: no text of a caller's gets into the statement.</summary>
    static string Named(IReadOnlyList<string> ids)
    {
        var places = new List<string>(ids.Count);
        foreach (var text in ids)
            if (RecipientId.TryParse(text, out var id))
                places.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"({id.Message.Value}, {id.N})"));
        return places.Count == 0 ? "1 = 0" : $"(d.message, d.n) IN (VALUES {string.Join(", ", places)})";
    }

    static DateTimeOffset? At(long? milliseconds) => milliseconds is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    /// <summary>Instants in Unix milliseconds, as in the two below.</summary>
    sealed class LetterRow
    {
        public long Message { get; init; }
        public int N { get; init; }
        public int Stream { get; init; }
        public string Route { get; init; } = "";
        public int State { get; init; }
        public string Reason { get; init; } = "";
        public int? Code { get; init; }
        public string? Enhanced { get; init; }
        public string? Transport { get; init; }
        public int Transient { get; init; }
        public int Tries { get; init; }
        public int Redrives { get; init; }
        public long FirstAt { get; init; }
        public long At { get; init; }
        public long? LastAttempt { get; init; }
        public string Address { get; init; } = "";
        public string? Sender { get; init; }
        public string? Subject { get; init; }

        public DeadLetter ToLetter() => new()
        {
            Id = new RecipientId(new MessageId(Message), N),
            Address = Address,
            From = Sender ?? "",
            Subject = Subject ?? "",
            Stream = (MailStream)Stream,
            Route = Route,
            State = (RecipientState)State,
            Reason = Reason,
            Code = Code,
            EnhancedCode = Enhanced,
            Transport = Transport,
            IsTransient = Transient != 0,
            Tries = Tries,
            Redrives = Redrives,
            FirstAt = DateTimeOffset.FromUnixTimeMilliseconds(FirstAt),
            At = DateTimeOffset.FromUnixTimeMilliseconds(At),
            LastAttemptAt = DeadLetterTables.At(LastAttempt),
        };
    }

    sealed class GroupRow
    {
        public int State { get; init; }
        public string Reason { get; init; } = "";
        public int? Code { get; init; }
        public string? Enhanced { get; init; }
        public string? Transport { get; init; }
        public int Transient { get; init; }
        public long Count { get; init; }
        public long FirstAt { get; init; }
        public long LastAt { get; init; }
        public long? LastAttempt { get; init; }

        public DeadLetterGroup ToGroup() => new((RecipientState)State, Reason, Code, Enhanced, Transport, Transient != 0, Count,
            DateTimeOffset.FromUnixTimeMilliseconds(FirstAt), DateTimeOffset.FromUnixTimeMilliseconds(LastAt), At(LastAttempt));
    }

    sealed class JobRow
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public int Action { get; init; }
        public string Filter { get; init; } = "";
        public int PerSecond { get; init; }
        public long Created { get; init; }
        public string CreatedBy { get; init; } = "";
        public int State { get; init; }
        public long Done { get; init; }
        public long? Ended { get; init; }
        public long Revision { get; init; }
        public long AfterMessage { get; init; }
        public int AfterN { get; init; }

        public RedriveJob ToJob() => new()
        {
            Id = Id,
            Tenant = new TenantId(Tenant),
            Action = (RedriveAction)Action,
            Filter = JsonSerializer.Deserialize(Filter, DeadLetterJson.Default.DeadLetterFilter)!,
            PerSecond = PerSecond,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            CreatedBy = CreatedBy,
            State = (RedriveState)State,
            LookedAt = AfterN < 0 ? null : new RecipientId(new MessageId(AfterMessage), AfterN),
            Done = Done,
            EndedAt = At(Ended),
            Revision = Revision,
        };
    }
}
