using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class SqliteRefusedCallTests() : RefusedCallContract(StoreEngine.Sqlite);

public sealed class PostgresRefusedCallTests() : RefusedCallContract(StoreEngine.Postgres);

/// <summary>The log of refused calls, on every store: bounded, apart by tenant, and without what the calls were about.</summary>
public abstract class RefusedCallContract(StoreEngine engine) : TableContract(engine)
{
    static readonly TenantId Other = new(2);

    readonly ManualClock _clock = new();

    RefusedCallTable Store => new(Tables);

    RefusedCalls NewLog(IRefusedCallStore? store = null) => new(store ?? Store, _clock, NullLogger<RefusedCalls>.Instance);

    static Principal Caller(TenantId tenant, string key = "shop") => new(tenant, key, Scopes.All, null, IsToken: false);

    static Problem Fault(string pointer, string detail = "wrong") =>
        new("invalid-field", 422, "Invalid field", detail) { Errors = [new(pointer, "invalid-field", detail)] };

    Task<IReadOnlyList<RefusedCall>> ListAsync(TenantId tenant, params string[] keys) =>
        ListAsync(tenant, new RefusedCallFilter(keys));

    Task<IReadOnlyList<RefusedCall>> ListAsync(TenantId tenant, RefusedCallFilter filter) =>
        Store.ListAsync(tenant, filter, null, 2_000, default);

    [Fact]
    public async Task A_call_comes_back_as_it_went_in_but_for_people_and_secrets()
    {
        using var log = NewLog();
        log.Add(Caller(TenantId.First), "DELETE /suppressions/{email}", "/suppressions/ann.lee@example.org", new Problem(
            "invalid-address", 422, "Invalid address", "ann.lee@example.org is refused with pr_0123456789ab_secretsecretsecret")
        {
            Errors = [new("/to/0", "invalid-address", "not kept: bob.ray@example.org"), new("", "no-content", "nor this")],
        });
        await log.WriteAsync();
        var call = Assert.Single(await ListAsync(TenantId.First));
        Assert.Equal(("shop", "DELETE /suppressions/{email}", 422, "invalid-address", 1, _clock.GetUtcNow()),
            (call.Key, call.Call, call.Status, call.Problem, call.Times, call.At));
        Assert.Equal([new RefusedPlace("/to/0", "invalid-address"), new RefusedPlace("", "no-content")], call.Faults);
        Assert.Equal("a***@example.org is refused with pr_0123456789ab_***", call.Detail);
        Assert.EndsWith("***@example.org", call.Target, StringComparison.Ordinal);
        Assert.DoesNotContain("ann.lee", call.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tenants_and_keys_are_apart_and_pages_go_back_in_time()
    {
        using var log = NewLog();
        log.Add(Caller(TenantId.First, "a"), "POST /emails", "/emails", Fault("/1"));
        log.Add(Caller(Other, "c"), "POST /emails", "/emails", Fault("/2"));
        await log.WriteAsync();
        log.Add(Caller(TenantId.First, "b"), "POST /emails", "/emails", Fault("/3"));
        await log.WriteAsync();
        Assert.Equal(["b", "a"], (await ListAsync(TenantId.First)).Select(call => call.Key));
        Assert.Equal(["c"], (await ListAsync(Other)).Select(call => call.Key));
        Assert.Equal(["a"], (await ListAsync(TenantId.First, "a", "c")).Select(call => call.Key));
        Assert.Empty(await ListAsync(Other, "a"));
        var newest = Assert.Single(await Store.ListAsync(TenantId.First, new RefusedCallFilter([]), null, 1, default));
        Assert.Equal("a", Assert.Single(await Store.ListAsync(TenantId.First, new RefusedCallFilter([]), newest.Id, 10, default)).Key);
    }

    [Fact]
    public async Task Of_each_tenant_the_newest_thousand_stay()
    {
        var at = _clock.GetUtcNow();
        await Store.AddAsync([RefusedCall.Of(at, Caller(Other), "GET /", "/", Fault("/other"))]);
        for (var piece = 0; piece < 6; piece++)
            await Store.AddAsync([.. Enumerable.Range(piece * 200, 200)
                .Select(n => RefusedCall.Of(at, Caller(TenantId.First), "GET /", "/", Fault($"/{n}")))]);
        var kept = await ListAsync(TenantId.First);
        Assert.Equal(1_000, kept.Count);
        Assert.Equal(("/1199", "/200"), (kept[0].Faults[0].Pointer, kept[^1].Faults[0].Pointer));
        Assert.Single(await ListAsync(Other));
    }

    [Fact]
    public async Task What_is_older_than_a_week_goes()
    {
        await Store.AddAsync([RefusedCall.Of(_clock.GetUtcNow(), Caller(TenantId.First), "GET /", "/", Fault("/old"))]);
        _clock.Advance(TimeSpan.FromDays(6));
        await Store.AddAsync([RefusedCall.Of(_clock.GetUtcNow(), Caller(TenantId.First), "GET /", "/", Fault("/new"))]);
        _clock.Advance(TimeSpan.FromDays(1.5));
        var retention = new RetentionTables(Tables, _clock);
        var before = _clock.GetUtcNow() - new RetentionOptions().AgeOf(RetentionKind.RefusedCalls)!.Value;
        Assert.Equal(1, (await retention.LookAsync(RetentionKind.RefusedCalls, before, default)).Due);
        Assert.Equal(1, (await retention.PurgeAsync(RetentionKind.RefusedCalls, 0, before, default)).Rows);
        Assert.Equal("/new", Assert.Single(await ListAsync(TenantId.First)).Faults[0].Pointer);
    }

    [Fact]
    public async Task The_same_again_within_a_second_is_one_and_too_many_are_counted()
    {
        var unlogged = 0L;
        using var log = NewLog();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "postrider.refused_calls.unlogged")
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref unlogged, count));
        listener.Start();
        for (var i = 0; i < 50; i++)
            log.Add(Caller(TenantId.First), "POST /emails", "/emails", Fault("/same"));
        for (var i = 0; i < 50; i++)
            log.Add(Caller(TenantId.First), "POST /emails", "/emails", Fault($"/{i}"));
        log.Add(Caller(Other), "POST /emails", "/emails", Fault("/theirs"));
        await log.WriteAsync();
        var kept = await ListAsync(TenantId.First);
        Assert.Equal((20, 50), (kept.Count, kept[^1].Times));
        Assert.Single(await ListAsync(Other)); // who floods takes nobody else's place
        Assert.True(unlogged >= 31); // of other logs in this process too
    }

    [Fact]
    public async Task What_is_asked_for_holds_together()
    {
        using var log = NewLog();
        log.Add(Caller(TenantId.First, "a"), "POST /emails", "/emails", Fault("/to"));
        log.Add(Caller(TenantId.First, "a"), "GET /emails/{id}", "/emails/1", new Problem("not-found", 404, "Not found", "none"));
        log.Add(Caller(TenantId.First, "b"), "POST /batches", "/batches", Fault("/from"));
        await log.WriteAsync();
        foreach (var (filter, found) in new (RefusedCallFilter, string[])[]
        {
            (new([], "EMAILS"), ["GET /emails/{id}", "POST /emails"]), (new([], "post "), ["POST /batches", "POST /emails"]),
            (new([], "%"), []), (new([], Status: 404), ["GET /emails/{id}"]), (new(["a"], "post", 422), ["POST /emails"]), (new(["b"], Status: 404), []),
        })
            Assert.Equal(found, (await ListAsync(TenantId.First, filter)).Select(call => call.Call));
    }

    [Fact]
    public async Task A_storage_that_is_away_costs_the_calls_and_nothing_else()
    {
        var away = new AwayStore();
        using var log = NewLog(away);
        log.Add(Caller(TenantId.First), "POST /emails", "/emails", Fault("/lost"));
        await log.WriteAsync();
        Assert.Equal(1, away.Calls);
        await log.WriteAsync();
        Assert.Equal(1, away.Calls); // given up, not heaped up
    }

    sealed class AwayStore : IRefusedCallStore
    {
        public int Calls { get; private set; }

        public Task AddAsync(IReadOnlyList<RefusedCall> calls)
        {
            Calls++;
            throw new StoreUnavailableException("away");
        }

        public Task<IReadOnlyList<RefusedCall>> ListAsync(
            TenantId tenant, RefusedCallFilter filter, long? before, int limit, CancellationToken ct) =>
            throw new NotSupportedException();
    }
}
