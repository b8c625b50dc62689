using Dapper;
using Postrider.Engine.Tests.Batches;
using Postrider.Engine.Tests.Schedules;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public sealed class SqliteRunnerSumTests() : RunnerSumContract(StoreEngine.Sqlite);

public sealed class PostgresRunnerSumTests() : RunnerSumContract(StoreEngine.Postgres);

/// <summary>How far behind those are who work beside the queue, on every store.</summary>
public abstract class RunnerSumContract(StoreEngine engine) : IAsyncLifetime
{
    BatchHouse _batches = null!;
    ScheduleHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = new ScheduleHouse(_batches = await BatchHouse.OpenAsync(engine));

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    async Task<RunnerSums> ReadAsync() => (await new QueueSumTable(_batches.Tables).ReadAsync(_house.Now, default)).Runners;

    Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        _batches.Tables.WriteAsync(connection => connection.Execute(sql, parameters));

    [Fact]
    public async Task Where_nothing_waits_nobody_is_behind() => Assert.Equal(new RunnerSums(), await ReadAsync());

    [Fact]
    public async Task A_schedule_is_behind_from_its_time_on_until_it_is_run_though_a_node_has_it_in_hand()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        var due = schedule.Next!.Value.At;
        _house.Clock.Advance(due - _house.Now - TimeSpan.FromSeconds(1));
        Assert.Null((await ReadAsync()).ScheduleDueAt);
        _house.Clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(due, (await ReadAsync()).ScheduleDueAt);
        await _house.Store.TakeDueAsync(_house.Now, _house.Now.AddSeconds(30), 10, default);
        Assert.Equal(due, (await ReadAsync()).ScheduleDueAt);
        await ExecuteAsync("UPDATE tenants SET archived = 1 WHERE id = 1");
        Assert.Null((await ReadAsync()).ScheduleDueAt);
        await ExecuteAsync("UPDATE tenants SET archived = NULL WHERE id = 1");
        await _house.RunAtAsync(_house.Now.AddMinutes(1));
        Assert.Null((await ReadAsync()).ScheduleDueAt);
    }

    [Fact]
    public async Task Batches_count_while_they_become_messages()
    {
        var one = await _batches.StartedAsync(30);
        await _batches.StartedAsync(12);
        await _batches.AddAsync();
        Assert.Equal((2, 42), ((await ReadAsync()).Expanding, (await ReadAsync()).DestinationsLeft));
        await _batches.Batches.PauseAsync(TenantId.First, one.Id, true, _house.Now);
        Assert.Equal((1, 12), ((await ReadAsync()).Expanding, (await ReadAsync()).DestinationsLeft));
        await BatchHouse.RunAsync(_batches.NewExpander());
        Assert.Equal(new RunnerSums(), await ReadAsync());
    }

    [Fact]
    public async Task Deliveries_to_webhooks_that_are_on_count_until_they_are_made()
    {
        var now = _house.Now.ToUnixTimeMilliseconds();
        foreach (var (id, enabled) in ((string, int)[])[("on", 1), ("off", 0)])
        {
            await ExecuteAsync("""
                INSERT INTO webhooks (tenant, id, url, description, events, enabled, created, place, revision, secret)
                VALUES (1, @id, 'https://example.com', '', '[]', @enabled, 0, '', 1, @secret)
                """, new { id, enabled, secret = new byte[1] });
            foreach (var (name, state, created, due) in ((string, int, long, long)[])
                [("made", 1, now - 90_000, now - 90_000), ("again", 0, now - 60_000, now + 5_000), ("late", 0, now - 30_000, now - 20_000)])
                await ExecuteAsync("""
                    INSERT INTO webhook_deliveries (tenant, webhook, event, type, created, state, due, tries, claim, payload, attempts)
                    VALUES (1, @id, @name, 'email.sent', @created, @state, @due, 0, 0, @none, '[]')
                    """, new { id, name, state, created, due, none = Array.Empty<byte>() });
        }
        var sums = await ReadAsync();
        Assert.Equal((2, _house.Now.AddSeconds(-60), _house.Now.AddSeconds(-20)),
            (sums.Deliveries, sums.OldestDeliveryAt, sums.DeliveryDueAt));
    }

    [Fact]
    public async Task Retention_is_behind_from_when_its_next_look_was_due()
    {
        var now = _house.Now.ToUnixTimeMilliseconds();
        await ExecuteAsync("UPDATE retention SET hand_until = @later", new { later = now + 60_000 });
        Assert.Null((await ReadAsync()).RetentionDueAt);
        await ExecuteAsync("UPDATE retention SET hand_until = @before WHERE kind = 3", new { before = now - 60_000 });
        Assert.Equal(_house.Now.AddMinutes(-1), (await ReadAsync()).RetentionDueAt);
    }
}
