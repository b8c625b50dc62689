using Dapper;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Migrations;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

public sealed class SqliteStoredContentTests() : StoredContentContract(StoreEngine.Sqlite);

public sealed class PostgresStoredContentTests() : StoredContentContract(StoreEngine.Postgres);

/// <summary>The content of a large batch counts as the tenant's storage once, on every store.</summary>
public abstract class StoredContentContract(StoreEngine engine) : IAsyncLifetime
{
    BatchHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = await BatchHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    async Task<long> CountedAsync() => (await _house.Reader.StoredBytesAsync(TenantId.First, default)).Contents;

    Task<bool> RemoveAsync(MessageId batch, RetentionKind kind) => _house.Tables.WriteAsync(connection =>
    {
        var old = OldBatches.Look(connection, kind, batch.Value - 1, batch.Value + 1)!;
        return OldBatches.Remove(connection, kind, old, 100).Done;
    });

    [Fact]
    public async Task The_content_of_a_large_batch_counts_from_when_it_is_accepted_until_it_is_removed()
    {
        var batch = await _house.AddAsync(BatchHouse.News with { Text = new string('x', 50_000) });
        Assert.InRange(await CountedAsync(), 50_000, 51_000);
        await _house.Batches.CancelAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow());
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.True(await RemoveAsync(batch.Id, RetentionKind.BatchBodies));
        Assert.Equal(0, await CountedAsync());
        Assert.True(await RemoveAsync(batch.Id, RetentionKind.Batches));
        Assert.Equal(0, await CountedAsync());
    }

    [Fact]
    public async Task What_was_there_before_is_counted_when_the_database_is_brought_up_to_date()
    {
        var small = Submission.SubmissionHouse.Receipt(await _house.Submitter.SubmitToDestinationsAsync(
            BatchHouse.News, [new Destination(new AddressText("a@example.com"))], Submission.SubmissionHouse.With(), default));
        await _house.Batches.PauseAsync(TenantId.First, small.Batch!.Value, true, _house.Clock.GetUtcNow());
        await _house.AddAsync(BatchHouse.News with { Text = new string('x', 50_000) });
        var counted = await CountedAsync();
        await _house.Tables.WriteAsync(connection => connection.Execute("DELETE FROM counters WHERE state = 101 AND node = -1"));
        Assert.InRange(await CountedAsync(), 1, 2_000);
        await _house.Tables.WriteAsync(connection => connection.Execute(BatchCounts.Fill));
        Assert.Equal(counted, await CountedAsync());
    }

    [Fact]
    public async Task A_call_that_is_repeated_counts_once()
    {
        for (var i = 0; i < 3; i++)
            await _house.Batches.AddAsync(
                await _house.DraftAsync(BatchHouse.News with { Text = new string('x', 50_000) }) with { Key = ("k", new byte[] { 1 }) });
        Assert.InRange(await CountedAsync(), 50_000, 51_000);
    }
}
