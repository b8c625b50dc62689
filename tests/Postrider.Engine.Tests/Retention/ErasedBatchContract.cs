using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Batches;
using Postrider.Engine.Tests.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

public sealed class SqliteErasedBatchTests() : ErasedBatchContract(StoreEngine.Sqlite);

public sealed class PostgresErasedBatchTests() : ErasedBatchContract(StoreEngine.Postgres);

/// <summary>A person is forgotten in a batch that becomes mail meanwhile, on every store.</summary>
public abstract class ErasedBatchContract(StoreEngine engine) : IAsyncLifetime
{
    BatchHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = await BatchHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Works off what can be done now.</summary>
    async Task<Erasure> EraseAsync(Erasure erasure)
    {
        var erasures = new ErasureTables(_house.Tables);
        using var eraser = new Eraser(erasures, _house.Reader, _house.Store, _house.Clock, NullLogger<Eraser>.Instance);
        while (await eraser.TakeTurnAsync(default)) { }
        return (await erasures.FindAsync(TenantId.First, erasure.Id, default))!;
    }

    async Task<Erasure> OrderAsync(string address) =>
        (await new ErasureTables(_house.Tables).AddAsync(TenantId.First, address, "key", _house.Clock.GetUtcNow()))!;

    async Task RunAsync(InterruptedExpansion expansion)
    {
        var expander = _house.NewExpander(expansion: expansion);
        await BatchHouse.RunAsync(expander);
        await BatchHouse.RunAsync(expander); // what it had to leave it looks at again a moment later
    }

    // The expander has read some hundreds of destinations, and makes messages of them while the order is worked off.
    [Fact]
    public async Task What_was_read_before_a_person_was_erased_does_not_become_mail_to_him()
    {
        var batch = await _house.StartedAsync(250, data: i => i == 201 ? $$"""{"friend":"{{BatchHouse.Address(202)}}"}""" : null);
        var expansion = new InterruptedExpansion(_house.Expansion)
        {
            Before = async () => Assert.Equal(ErasureState.Done, (await EraseAsync(await OrderAsync(BatchHouse.Address(202)))).State),
        };
        await RunAsync(expansion);
        Assert.Null(expansion.Before);
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanded, 250, 1), (done.State, done.Taken, done.Failed));
        Assert.Equal(
            Enumerable.Range(1, 250).Where(i => i != 202).Select(BatchHouse.Address).Order(),
            (await _house.AddressesAsync(batch.Id)).Order());
        Assert.Equal("destination-gone", Assert.Single(await _house.Batches.FaultsAsync(batch.Id, 0, 10, default)).Slug);
    }

    [Fact]
    public async Task What_is_told_of_a_person_in_the_data_of_another_is_gone_from_mail_that_is_made_later()
    {
        await _house.TemplateAsync("hi", "Hi {{friend}}");
        var batch = await _house.StartedAsync(3, BatchHouse.News with { Subject = null, Text = null, Template = new("hi") },
            i => $$"""{"name":"x","friend":"{{(i == 2 ? "ann@example.com" : "nobody")}}"}""");
        var expansion = new InterruptedExpansion(_house.Expansion)
        {
            Before = async () => Assert.Equal(ErasureState.Done, (await EraseAsync(await OrderAsync("ann@example.com"))).State),
        };
        await RunAsync(expansion);
        var subjects = (await _house.MessagesAsync(batch.Id)).Select(m => m.Subject).ToList();
        Assert.Equal(3, subjects.Count);
        Assert.DoesNotContain(subjects, subject => subject!.Contains("ann@", StringComparison.Ordinal));
        Assert.Single(subjects, subject => subject!.StartsWith("Hi erased-", StringComparison.Ordinal));
    }

    // The expander is between the order's look for messages and its look for destinations.
    [Fact]
    public async Task A_message_that_was_made_while_the_order_was_worked_off_is_erased_too()
    {
        var batch = await _house.StartedAsync(3);
        var order = await OrderAsync(BatchHouse.Address(2));
        var reader = new InterruptedErasures(new ErasureTables(_house.Tables))
        {
            BeforeRest = () => BatchHouse.RunAsync(_house.NewExpander()),
        };
        using var eraser = new Eraser(reader, _house.Reader, _house.Store, _house.Clock, NullLogger<Eraser>.Instance);
        while (await eraser.TakeTurnAsync(default)) { }
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(batch.Id)).State);
        Assert.Equal(ErasureState.Done, (await reader.FindAsync(TenantId.First, order.Id, default))!.State);
        var addresses = await _house.AddressesAsync(batch.Id);
        Assert.Equal(3, addresses.Count);
        Assert.DoesNotContain(BatchHouse.Address(2), addresses);
    }

    /// <summary>The store's; something happens once before a piece is written.</summary>
    sealed class InterruptedExpansion(IBatchExpansion store) : IBatchExpansion
    {
        public Func<Task>? Before { get; set; }

        public async Task<PieceResult> ExpandAsync(BatchPiece piece)
        {
            if (Before is { } before)
            {
                Before = null;
                await before();
            }
            return await store.ExpandAsync(piece);
        }

        public Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit) => store.EndQueuedAsync(batch, now, limit);
        public Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit) => store.WakeAsync(batch, now, limit);
    }

    /// <summary>The store's; something happens once before it looks beside messages.</summary>
    sealed class InterruptedErasures(IErasureStore store) : IErasureStore
    {
        public Func<Task>? BeforeRest { get; set; }

        public async Task<ErasedPiece> EraseRestAsync(Erasure erasure, ErasureCursor at, CancellationToken ct)
        {
            if (BeforeRest is { } before)
            {
                BeforeRest = null;
                await before();
            }
            return await store.EraseRestAsync(erasure, at, ct);
        }

        public Task<Erasure?> AddAsync(TenantId tenant, string address, string createdBy, DateTimeOffset now) =>
            store.AddAsync(tenant, address, createdBy, now);
        public Task<Erasure?> FindAsync(TenantId tenant, long id, CancellationToken ct) => store.FindAsync(tenant, id, ct);
        public Task<IReadOnlyList<Erasure>> ListAsync(TenantId tenant, long? before, int limit, CancellationToken ct) =>
            store.ListAsync(tenant, before, limit, ct);
        public Task<Erasure?> TakeAsync(DateTimeOffset now, DateTimeOffset until) => store.TakeAsync(now, until);
        public Task EndTurnAsync(Erasure erasure, ErasureTurn done, DateTimeOffset now, DateTimeOffset? next) =>
            store.EndTurnAsync(erasure, done, now, next);
        public Task<ErasedMessage> EraseMessageAsync(Erasure erasure, MessageId message) => store.EraseMessageAsync(erasure, message);
        public Task<long> EraseKeptAsync(Erasure erasure, bool isLast, CancellationToken ct) => store.EraseKeptAsync(erasure, isLast, ct);
    }
}
