using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Npgsql;
using Postrider.Messages;
using Postrider.Schedules;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Tables;

/// <summary>Schedules and their runs in the store's database.</summary>
/// <remarks>A node takes what is due in hand for a while. A step first writes the schedule where it is as it was taken, which holds its
/// row: of two nodes with the same time one finds it changed. The key of a run would stop the other one even so.</remarks>
public sealed class ScheduleTables(ITableStore store) : IScheduleStore
{
    const string Columns = """
        id, tenant, name, state, revision, change, next_at AS NextAt, next_local AS NextLocal, next_fold AS NextFold,
            last_local AS LastLocal, last_fold AS LastFold, retry_at AS RetryAt, edition, times, email,
            email_format AS EmailFormat, source, is_list AS IsList, updated,
            request_hash AS RequestHash
        """;

    const string Select = $"SELECT {Columns} FROM schedules";

    const string SelectRun = """
        SELECT id, schedule, revision, local, fold, tenant, due_at AS DueAt, ran_at AS RanAt, state, count, reason FROM schedule_runs
        """;

    public Task<AddedSchedule?> AddAsync(Schedule schedule, int limit, ScheduleKey? key) => store.WriteAsync<AddedSchedule?>(connection =>
    {
        if (Insert(connection, schedule, limit, key))
            return new AddedSchedule(schedule, IsNew: true, IsOther: false);
        return key is null ? null : Find(connection, schedule.Tenant, key);
    });

    public Task<AddedSchedule?> FindAsync(TenantId tenant, ScheduleKey key, CancellationToken ct) =>
        store.ReadAsync(connection => Find(connection, tenant, key), ct);

    static AddedSchedule? Find(DbConnection connection, TenantId tenant, ScheduleKey key) =>
        connection.QuerySingleOrDefault<Row>(
            $"{Select} WHERE tenant = @tenant AND key = @Key AND key IS NOT NULL", new { tenant = tenant.Value, key.Key }) is not { } earlier
            ? null
            : new AddedSchedule(earlier.ToSchedule(), IsNew: false, !earlier.RequestHash.AsSpan().SequenceEqual(key.RequestHash.Span));

    static bool Insert(DbConnection connection, Schedule schedule, int limit, ScheduleKey? key) => connection.Execute("""
        INSERT INTO schedules (id, tenant, name, state, revision, change, due, next_at, next_local, next_fold, last_local, last_fold, retry_at,
            edition, times, email, email_format, source, is_list, updated, key, request_hash)
        SELECT @id, @tenant, @name, @state, @revision, @change, @due, @nextAt, @nextLocal, @nextFold, @lastLocal, @lastFold, @retryAt,
            @edition, @times, @email, @emailFormat, @source, @isList, @updated, @key, @hash
        WHERE (SELECT count(*) FROM schedules WHERE tenant = @tenant AND state <> 2) < @limit
        ON CONFLICT DO NOTHING
        """, Parameters(schedule, limit, key)) == 1;

    public Task<Schedule?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>($"{Select} WHERE id = @id AND tenant = @tenant", new { id = id.Value, tenant = tenant.Value })
            ?.ToSchedule(), ct);

    public Task<IReadOnlyList<Schedule>> ListAsync(
        TenantId tenant, ScheduleState? state, MessageId? before, int limit, CancellationToken ct) => QueryAsync($"""
            {Select} WHERE tenant = @tenant AND id < @before AND (@state IS NULL OR state = @state) ORDER BY id DESC LIMIT @limit
            """, new { tenant = tenant.Value, before = before?.Value ?? long.MaxValue, state = (int?)state, limit }, ct);

    public Task<bool> ReplaceAsync(Schedule schedule) => store.WriteAsync(connection => Write(connection, schedule));

    internal const string PassOver = "FOR UPDATE SKIP LOCKED";

    /// <summary>By schedules_due.</summary>
    /// <param name="passing">How rows in others' hands are passed over, where there are others.</param>
    internal static string Take(string passing) => $"""
        WITH taken AS MATERIALIZED (
            SELECT id FROM schedules WHERE due IS NOT NULL AND due <= @now ORDER BY due LIMIT @limit {passing})
        UPDATE schedules SET due = @until, change = change + 1 WHERE id IN (SELECT id FROM taken)
        RETURNING {Columns}
        """;

    // Looked at first: a write that finds nothing to do would still be a write.
    public async Task<IReadOnlyList<Schedule>> TakeDueAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct) =>
        await store.ReadAsync(connection => connection.ExecuteScalar<long?>(
            "SELECT id FROM schedules WHERE due IS NOT NULL AND due <= @now LIMIT 1", new { now = now.Ms }), ct) is null ? []
        : await store.WriteAsync<IReadOnlyList<Schedule>>(connection =>
        [
            .. connection.Query<Row>(Take(connection is NpgsqlConnection ? PassOver : ""),
                new { now = now.Ms, until = until.Ms, limit }).Select(row => row.ToSchedule()).OrderBy(schedule => schedule.Next?.At),
        ]);

    // All that are active are looked at, some hundred thousand at most, when a node starts and then now and then.
    public Task<IReadOnlyList<Schedule>> OfOtherEditionAsync(string edition, int limit, CancellationToken ct) =>
        QueryAsync($"{Select} WHERE due IS NOT NULL AND edition <> @edition LIMIT @limit", new { edition, limit }, ct);

    Task<IReadOnlyList<Schedule>> QueryAsync(string sql, object parameters, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<Schedule>>(
            connection => [.. connection.Query<Row>(sql, parameters).Select(row => row.ToSchedule())], ct);

    public Task<StepResult> StepAsync(ScheduleStep step) => store.WriteAsync(connection =>
    {
        if (!Write(connection, step.Schedule))
            return StepResult.Stale;
        var isNew = true;
        foreach (var run in step.Runs)
            isNew = Insert(connection, run, step.Schedule.Tenant);
        if (!isNew)
            return StepResult.Repeated;
        if (step.Batch is null || BatchTables.Add(connection, step.Batch))
            return StepResult.Done;
        // Its call is refused, so the same key may try again.
        connection.Execute("UPDATE schedule_runs SET state = 3, told = 0, reason = @reason, key = NULL WHERE id = @id",
            new { id = step.Batch.Id.Value, reason = ScheduleRunner.NoList });
        return StepResult.NoList;
    });

    static bool Write(DbConnection connection, Schedule schedule) => connection.Execute("""
        UPDATE schedules SET name = @name, state = @state, revision = @revision, change = change + 1, due = @due, next_at = @nextAt,
            next_local = @nextLocal, next_fold = @nextFold, last_local = @lastLocal, last_fold = @lastFold, retry_at = @retryAt,
            edition = @edition, times = @times, email = @email, email_format = @emailFormat, source = @source, is_list = @isList,
            updated = @updated
        WHERE id = @id AND tenant = @tenant AND change = @change
        """, Parameters(schedule, 0, null)) == 1;

    /// <summary>False: the time has its run.</summary>
    static bool Insert(DbConnection connection, ScheduleRun run, TenantId tenant) => connection.Execute("""
        INSERT INTO schedule_runs (id, schedule, revision, local, fold, tenant, due_at, ran_at, state, told, count, reason, key)
        VALUES (@id, @schedule, @Revision, @local, @fold, @tenant, @dueAt, @ranAt, @state, @told, @Count, @reason, @Key)
        ON CONFLICT DO NOTHING
        """, new
    {
        id = run.Id.Value,
        schedule = run.Schedule.Value,
        run.Revision,
        local = Milliseconds(run.Time.Local),
        fold = run.Time.Fold,
        tenant = tenant.Value,
        dueAt = run.DueAt.Ms,
        ranAt = run.RanAt.Ms,
        state = (int)run.State,
        told = run.State == RunState.Enqueued ? 1 : 0,
        run.Count,
        reason = StoredText.Storable(run.Reason),
        run.Key,
    }) == 1;

    public Task<IReadOnlyList<ScheduleRun>> RunsAsync(MessageId schedule, MessageId? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<ScheduleRun>>(connection =>
        [
            .. connection.Query<RunRow>($"{SelectRun} WHERE schedule = @schedule AND id < @before ORDER BY id DESC LIMIT @limit",
                new { schedule = schedule.Value, before = before?.Value ?? long.MaxValue, limit }).Select(row => row.ToRun()),
        ], ct);

    public Task<ScheduleRun?> FindRunAsync(MessageId schedule, MessageId run, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<RunRow>($"{SelectRun} WHERE schedule = @schedule AND id = @run",
            new { schedule = schedule.Value, run = run.Value })?.ToRun(), ct);

    public Task<ScheduleRun?> FindRunAsync(MessageId schedule, string key, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<RunRow>($"{SelectRun} WHERE schedule = @schedule AND key = @key AND key IS NOT NULL",
            new { schedule = schedule.Value, key })?.ToRun(), ct);

    public Task<bool> IsSendingAsync(MessageId schedule, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<long?>("SELECT id FROM schedule_runs WHERE schedule = @schedule AND state = 0 ORDER BY id DESC LIMIT 1",
            new { schedule = schedule.Value }) is { } batch
        && connection.ExecuteScalar<long>("""
            SELECT (SELECT count(*) FROM expansions WHERE batch = @batch AND open = 1)
                + coalesce((SELECT CAST(sum(delta) AS bigint) FROM counters WHERE scope = @batch AND state IN (@queued, @leased, @unknown)), 0)
            """, new
        {
            batch,
            queued = (int)RecipientState.Queued,
            leased = (int)RecipientState.Leased,
            unknown = (int)RecipientState.Unknown,
        }) > 0, ct);

    public Task<MailReport> CountAsync(TenantId tenant, MessageId run, CancellationToken ct) =>
        store.ReadAsync(connection => ScheduleSums.OfMail(connection, [run.Value]), ct);

    public Task<ScheduleReport> ReportAsync(MessageId schedule, int mostRuns, CancellationToken ct) => store.ReadAsync(connection =>
    {
        var runs = connection.Query<(int State, long Count)>(
            "SELECT state, CAST(sum(count) AS bigint) FROM schedule_runs WHERE schedule = @schedule GROUP BY state",
            new { schedule = schedule.Value }).ToDictionary(r => (RunState)r.State, r => r.Count);
        var batches = connection.Query<long>(
            "SELECT id FROM schedule_runs WHERE schedule = @schedule AND state = 0 ORDER BY id DESC LIMIT @mostRuns",
            new { schedule = schedule.Value, mostRuns }).ToList();
        return new ScheduleReport(runs, batches.Count, ScheduleSums.OfMail(connection, batches));
    }, ct);

    // Uses schedule_runs_untold.
    public Task<IReadOnlyList<(TenantId Tenant, ScheduleRun Run)>> UntoldAsync(
        DateTimeOffset before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<(TenantId, ScheduleRun)>>(connection =>
        [
            .. connection.Query<RunRow>($"{SelectRun} WHERE told = 0 AND ran_at <= @before ORDER BY id LIMIT @limit", new { before = before.Ms, limit })
                .Select(row => (new TenantId(row.Tenant), row.ToRun())),
        ], ct);

    public Task TellAsync(MessageId run) => store.WriteAsync(connection =>
        connection.Execute("UPDATE schedule_runs SET told = 1 WHERE id = @id AND told = 0", new { id = run.Value }));

    static object Parameters(Schedule schedule, int limit, ScheduleKey? key) => new
    {
        id = schedule.Id.Value,
        tenant = schedule.Tenant.Value,
        name = StoredText.Storable(schedule.Name),
        state = (int)schedule.State,
        revision = schedule.Revision,
        change = schedule.Change,
        due = schedule is not { State: ScheduleState.Active, Next: { } due } ? (long?)null
            : schedule.RetryAt is { } retry && retry > due.At ? retry.Ms : due.At.Ms,
        nextAt = schedule.Next?.At.Ms,
        nextLocal = schedule.Next is { } next ? Milliseconds(next.Local) : (long?)null,
        nextFold = schedule.Next?.Fold,
        lastLocal = schedule.Last is { } last ? Milliseconds(last.Local) : (long?)null,
        lastFold = schedule.Last?.Fold,
        retryAt = schedule.RetryAt?.Ms,
        edition = schedule.Edition,
        times = JsonSerializer.Serialize(schedule.Times, ScheduleTimesJson.Default.ScheduleTimes),
        email = schedule.Email.Json,
        emailFormat = schedule.Email.Format,
        source = schedule.Recipients.Source.Value,
        isList = schedule.Recipients.IsList ? 1 : 0,
        updated = schedule.UpdatedAt.Ms,
        limit,
        key = key?.Key,
        hash = key?.RequestHash.ToArray(),
    };

    /// <summary>A wall clock's time as if it were UTC's.</summary>
    static long Milliseconds(DateTime local) => (local.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMillisecond;

    static WallClock Wall(long local, int fold) =>
        new(new DateTime(DateTime.UnixEpoch.Ticks + local * TimeSpan.TicksPerMillisecond, DateTimeKind.Unspecified), fold);

    sealed class Row
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public string Name { get; init; } = "";
        public int State { get; init; }
        public int Revision { get; init; }
        public long Change { get; init; }
        public long? NextAt { get; init; }
        public long? NextLocal { get; init; }
        public int? NextFold { get; init; }
        public long? LastLocal { get; init; }
        public int? LastFold { get; init; }
        public long? RetryAt { get; init; }
        public string Edition { get; init; } = "";
        public string Times { get; init; } = "";
        public string Email { get; init; } = "";
        public int EmailFormat { get; init; }
        public long Source { get; init; }
        public int IsList { get; init; }
        public long Updated { get; init; }
        public byte[]? RequestHash { get; init; }

        public Schedule ToSchedule() => new()
        {
            Id = new MessageId(Id),
            Tenant = new TenantId(Tenant),
            Name = Name,
            State = (ScheduleState)State,
            Revision = Revision,
            Change = Change,
            Times = JsonSerializer.Deserialize(Times, ScheduleTimesJson.Default.ScheduleTimes)!,
            Email = new ScheduledMail(EmailFormat, Email),
            Recipients = new ScheduleRecipients(new MessageId(Source), IsList != 0),
            Next = NextLocal is { } local && Wall(local, NextFold ?? 0) is var wall
                ? new Occurrence(wall.Local, wall.Fold, Instant.From(NextAt ?? 0)) : null,
            Last = LastLocal is { } last ? Wall(last, LastFold ?? 0) : null,
            Edition = Edition,
            RetryAt = RetryAt is { } at ? Instant.From(at) : null,
            CreatedAt = new MessageId(Id).At,
            UpdatedAt = Instant.From(Updated),
        };
    }

    sealed class RunRow
    {
        public long Id { get; init; }
        public long Schedule { get; init; }
        public int Revision { get; init; }
        public long Local { get; init; }
        public int Fold { get; init; }
        public int Tenant { get; init; }
        public long DueAt { get; init; }
        public long RanAt { get; init; }
        public int State { get; init; }
        public int Count { get; init; }
        public string? Reason { get; init; }

        public ScheduleRun ToRun() => new()
        {
            Id = new MessageId(Id),
            Schedule = new MessageId(Schedule),
            Revision = Revision,
            Time = Wall(Local, Fold),
            DueAt = Instant.From(DueAt),
            RanAt = Instant.From(RanAt),
            State = (RunState)State,
            Count = Count,
            Reason = Reason,
        };
    }
}

/// <summary>When a schedule comes, as text.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ScheduleTimes))]
sealed partial class ScheduleTimesJson : JsonSerializerContext;
