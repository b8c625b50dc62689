using Dapper;
using Postrider.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Migrations;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

public sealed class SqliteStoredBytesTests() : StoredBytesContract(StoreEngine.Sqlite);

public sealed class PostgresStoredBytesTests() : StoredBytesContract(StoreEngine.Postgres);

/// <summary>What lists and batches hold counts as the tenant's storage, to the byte, on every store.</summary>
public abstract class StoredBytesContract(StoreEngine engine) : IAsyncLifetime
{
    const string Data = """{"city":"Köln","order":7}""";

    BatchHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = await BatchHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    DateTimeOffset Now => _house.Clock.GetUtcNow();

    async Task<MessageId> ListAsync(params StoredDestination[] recipients)
    {
        var list = _house.Ids.Next();
        Assert.True(await _house.Lists.AddAsync(list, TenantId.First, $"list {list}", Now));
        await PutAsync(list, recipients);
        return list;
    }

    Task<int?> PutAsync(MessageId list, params StoredDestination[] recipients) =>
        _house.Lists.PutAsync(TenantId.First, list, recipients, Now);

    /// <summary>Compares what is counted with what is there, and returns it.</summary>
    async Task<long> CountedAsync()
    {
        var there = await _house.Tables.ReadAsync(connection => connection.ExecuteScalar<long>(
            $"SELECT CAST(coalesce(sum({DestinationRows.Bytes}), 0) AS bigint) FROM destinations"), default);
        Assert.Equal(there, (await _house.Reader.StoredBytesAsync(TenantId.First, default)).Destinations);
        return there;
    }

    async Task TidyAsync()
    {
        while (await _house.Batches.TidyAsync(Now, 2)) { }
    }

    [Fact]
    public async Task A_list_counts_what_is_on_it_until_what_is_gone_is_cleared_away()
    {
        Assert.Equal(default, await _house.Reader.StoredBytesAsync(TenantId.First, default));
        var list = await ListAsync(
            new(1, "ann@example.com", "Änn", Data), new(2, "bob@example.com", null, null), new(3, "cy@example.com", null, null));
        var all = await CountedAsync();
        // The address twice, as it is and as it is found by; letters count by their bytes.
        Assert.Equal((2 * (15 + 15 + 14)) + 4 + 26, all);
        await PutAsync(list, new StoredDestination(1, "ann@example.com", null, null));
        Assert.Equal(all + 30, await CountedAsync());
        await _house.Lists.RemoveAsync(TenantId.First, list, "bob@example.com", Now);
        Assert.Equal(all + 30, await CountedAsync());
        await TidyAsync();
        Assert.Equal((2 * 15) + (2 * 14), await CountedAsync());
        Assert.Equal(default, await _house.Reader.StoredBytesAsync(new TenantId(2), default));
        await _house.Lists.DeleteAsync(TenantId.First, list, Now);
        await TidyAsync();
        Assert.Equal(0, await CountedAsync());
    }

    [Fact]
    public async Task A_batch_counts_its_destinations_until_they_are_messages()
    {
        var batch = await _house.StartedAsync(30, data: _ => Data);
        Assert.True(await CountedAsync() > 30 * (Data.Length + 15));
        var contents = (await _house.Reader.StoredBytesAsync(TenantId.First, default)).Contents;
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(batch.Id)).State);
        Assert.Equal(0, await CountedAsync());
        Assert.True((await _house.Reader.StoredBytesAsync(TenantId.First, default)).Contents >= contents);

        var cancelled = await _house.StartedAsync(5);
        Assert.True(await CountedAsync() > 0);
        await _house.Batches.CancelAsync(TenantId.First, cancelled.Id, Now);
        await BatchHouse.RunAsync(_house.NewExpander());
        await TidyAsync();
        Assert.Equal(0, await CountedAsync());
    }

    [Fact]
    public async Task An_erasure_changes_what_is_counted_by_what_it_takes_and_puts_in()
    {
        await ListAsync(new(1, "ann@example.com", null, Data), new(2, "bob@example.com", "friend of ann@example.com", null));
        var batch = await _house.AddAsync();
        await _house.Batches.AppendAsync(TenantId.First, batch.Id, new BatchPart
        {
            Destinations = [new(1, "ann@example.com", null, Data), new(2, "bob@example.com", null, """{"from":"ann@example.com"}""")],
            LinesBefore = 0,
            Lines = 2,
        }, Now);
        await CountedAsync();
        var erasures = new ErasureTables(_house.Tables);
        var order = (await erasures.AddAsync(TenantId.First, "ann@example.com", "key", Now))!;
        for (ErasureCursor? at = ErasureCursor.Start; at is { } from;)
            at = (await erasures.EraseRestAsync(order, from, default)).Next;
        Assert.Equal(2, await _house.Tables.ReadAsync(
            connection => connection.ExecuteScalar<long>("SELECT count(*) FROM destinations"), default));
        await CountedAsync();
    }

    [Fact]
    public async Task What_was_there_before_is_counted_when_the_database_is_brought_up_to_date()
    {
        await ListAsync(new(1, "ann@example.com", "Ann", Data), new(2, "bob@example.com", null, null));
        await _house.StartedAsync(3);
        var counted = await CountedAsync();
        await _house.Tables.WriteAsync(connection => connection.Execute("UPDATE lists SET bytes = 0; UPDATE expansions SET bytes = 0"));
        Assert.Equal(0, (await _house.Reader.StoredBytesAsync(TenantId.First, default)).Destinations);
        await _house.Tables.WriteAsync(connection => connection.Execute(DestinationBytes.Fill));
        Assert.Equal(counted, await CountedAsync());
    }
}
