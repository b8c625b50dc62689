using Dapper;
using Postrider.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

public sealed class SqliteBatchTurnTests() : BatchTurnContract(StoreEngine.Sqlite);

public sealed class PostgresBatchTurnTests() : BatchTurnContract(StoreEngine.Postgres);

/// <summary>How large batches share the time of those who make messages of them, on every store.</summary>
public abstract class BatchTurnContract(StoreEngine engine) : IAsyncLifetime
{
    BatchHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = await BatchHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_batch_that_is_slow_to_fill_in_has_its_turn_and_no_more()
    {
        var batches = new[] { await _house.StartedAsync(30), await _house.StartedAsync(30) };
        var expander = _house.NewExpander(clock: new StallingClock(_house.Clock) { Stall = TimeSpan.FromMilliseconds(100) });
        await expander.RunOnceAsync(default); // fixes the ids
        await expander.RunOnceAsync(default);
        foreach (var batch in batches)
            Assert.InRange((await _house.FindAsync(batch.Id)).Taken, 1, 5);
        await BatchHouse.RunAsync(expander);
        foreach (var batch in batches)
            Assert.Equal(Enumerable.Range(1, 30).Select(BatchHouse.Address).Order(), (await _house.AddressesAsync(batch.Id)).Order());
    }

    // A route that is gone, a quota that is spent, a transport that is paused: they have work for as long as they wait.
    [Fact]
    public async Task Hundreds_of_batches_that_wait_do_not_keep_one_behind_them()
    {
        _house.Router.Replace(_house.Routes("relay", "news"));
        var waiting = await _house.StartedAsync(1, BatchHouse.News with { Route = "news" });
        await _house.Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO expansions (batch, tenant, state, open, stop, tidy, start_at, source, until, cursor, next, first, total, taken,
                failed, refused, updated, terms)
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 250)
            SELECT batch + n, tenant, state, open, stop, tidy, start_at, batch + n, until, cursor, next, batch + n, total, taken,
                failed, refused, updated, terms
            FROM expansions CROSS JOIN numbers WHERE batch = @batch
            """, new { batch = waiting.Id.Value }));
        _house.Router.Replace(_house.Routes("relay"));
        _house.Clock.Advance(TimeSpan.FromSeconds(1));
        var good = await _house.StartedAsync(5);
        var expander = _house.NewExpander();
        for (var round = 0; round < 10; round++)
            await BatchHouse.RunAsync(expander);
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(good.Id)).State);
        await _house.Tables.WriteAsync(connection => connection.Execute("DELETE FROM expansions WHERE terms LIKE '%news%'"));
    }

    [Fact]
    public async Task Batches_of_an_archived_tenant_wait_and_can_be_cancelled()
    {
        var tenants = new TenantTable(_house.Tables);
        var tenant = (await tenants.AddAsync("gone", TenantSettings.Default, _house.Clock.GetUtcNow(), default))!;
        var batch = (await _house.Batches.AddAsync(await _house.DraftAsync() with { Tenant = tenant.Id }))!.Value.Batch;
        await _house.AppendAsync(batch.Id, 0, 3, tenant: tenant.Id);
        await _house.Batches.StartAsync(tenant.Id, batch.Id, _house.Clock.GetUtcNow());
        await tenants.ReplaceAsync(tenant with { ArchivedAt = _house.Clock.GetUtcNow() }, default);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(0, (await _house.Batches.FindAsync(tenant.Id, batch.Id, default))!.Taken);

        await _house.Batches.CancelAsync(tenant.Id, batch.Id, _house.Clock.GetUtcNow());
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(BatchState.Cancelled, (await _house.Batches.FindAsync(tenant.Id, batch.Id, default))!.State);
    }

    [Fact]
    public async Task Contents_are_in_memory_as_far_as_they_fit_and_read_again_otherwise()
    {
        var content = new MessageContent
        {
            From = new Mail.Addresses.Mailbox(null, Mail.Addresses.EmailAddress.Parse("news@example.com")),
            Text = new string('x', 10_000),
        };
        var (a, b, c) = (await _house.AddAsync(), await _house.AddAsync(), await _house.AddAsync());
        var reads = new List<MessageId>();
        var open = new OpenBatches((id, _) =>
        {
            reads.Add(id);
            return Task.FromResult<MessageContent?>(content);
        }, _house.Submitter, mostBytes: 25_000);
        foreach (var batch in new[] { a, a, b, c, b, a, a })
            Assert.NotNull(await open.FindAsync(batch, default));
        Assert.Equal([a.Id, b.Id, c.Id, a.Id], reads);
    }

    [Fact]
    public async Task The_content_of_a_batch_without_room_is_not_read()
    {
        await using var house = await BatchHouse.OpenAsync(engine, new SubmissionOptions { MaxWaiting = 3 });
        var batch = await house.StartedAsync(5);
        await BatchHouse.RunAsync(house.NewExpander());
        Assert.Equal(3, (await house.FindAsync(batch.Id)).Taken);
        // Whoever reads it now pauses the batch.
        await house.Tables.WriteAsync(connection => connection.Execute(
            "UPDATE batches SET content = @content WHERE id = @id", new { content = new byte[] { 77 }, id = batch.Id.Value }));
        await BatchHouse.RunAsync(house.NewExpander());
        Assert.False((await house.FindAsync(batch.Id)).IsPaused);
    }
}
