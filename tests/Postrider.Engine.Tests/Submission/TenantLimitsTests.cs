using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;
using Xunit;
using static Postrider.Engine.Tests.Submission.Requests;
using static Postrider.Engine.Tests.Submission.SubmissionHouse;

namespace Postrider.Engine.Tests.Submission;

/// <summary>What one tenant may have waiting and hand over in a time.</summary>
public sealed class TenantLimitsTests
{
    [Fact]
    public async Task A_tenant_with_as_much_waiting_as_it_may_is_refused_until_some_has_left()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { MaxWaiting = 3 });
        await house.AcceptedAsync(Good);
        await house.AcceptedAsync(Good with { To = To("a@example.com", "b@example.com") });
        AssertRefused(await house.SubmitAsync(Good), "queue-full");
        AssertRefused(await house.Submitter.SubmitManyAsync([new(Good)], With(), false, default), "queue-full");
        Assert.Equal(3, await house.CountAsync());
        await house.AcceptedAsync(Good, With(tenant: 2)); // each for itself

        foreach (var lease in await house.LeaseAsync())
            await house.Lossy.CancelAsync(TenantId.First, lease.Message.Id, house.Clock.GetUtcNow(), default);
        var queued = await house.Submitter.SubmitToDestinationsAsync(Good with { To = [] }, [new(new AddressText("c@example.com"))], With(), default);
        AssertRefused(queued, "queue-full"); // the count is a second old at most
        house.Clock.Advance(TimeSpan.FromSeconds(1));
        AssertRefused(await house.SubmitAsync(Good), "queue-full"); // what is under way still waits
    }

    [Fact]
    public async Task Cancelled_mail_makes_room_within_a_second()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { MaxWaiting = 1 });
        var id = (await house.AcceptedAsync(Good)).Id;
        AssertRefused(await house.SubmitAsync(Good), "queue-full");
        await house.Lossy.CancelAsync(TenantId.First, id, house.Clock.GetUtcNow(), default);
        house.Clock.Advance(TimeSpan.FromSeconds(1));
        await house.AcceptedAsync(Good);
    }

    [Fact]
    public async Task A_tenant_that_is_too_fast_is_told_when_to_go_on()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { Rate = "10/s,2" });
        await house.AcceptedAsync(Good);
        await house.AcceptedAsync(Good);
        var problem = AssertRefused(await house.SubmitAsync(Good), "rate-limited");
        Assert.Equal(TimeSpan.FromMilliseconds(100), problem.RetryAfter);
        await house.AcceptedAsync(Good, With(tenant: 2));
        house.Clock.Advance(problem.RetryAfter!.Value);
        await house.AcceptedAsync(Good);
        AssertRefused(await house.SubmitAsync(Good), "rate-limited");
    }

    [Fact]
    public async Task A_tenant_of_its_own_limits_is_held_to_them_and_others_to_the_default()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { MaxWaiting = 2 });
        var small = (await house.Tenants.AddAsync("small", new TenantSettings { MaxQueued = 1 }, default)).Tenant!.Id.Value;
        var free = (await house.Tenants.AddAsync("free", new TenantSettings { MaxQueued = 0 }, default)).Tenant!.Id.Value;
        await house.AcceptedAsync(Good, With(tenant: small));
        AssertRefused(await house.SubmitAsync(Good, With(tenant: small)), "queue-full");
        await house.AcceptedAsync(Good);
        await house.AcceptedAsync(Good);
        AssertRefused(await house.SubmitAsync(Good), "queue-full");
        for (var i = 0; i < 5; i++)
            await house.AcceptedAsync(Good, With(tenant: free));
    }

    [Fact]
    public async Task A_limit_that_is_raised_holds_at_once()
    {
        await using var house = new SubmissionHouse();
        var tenant = (await house.Tenants.AddAsync("a", new TenantSettings { MaxQueued = 1 }, default)).Tenant!.Id;
        await house.AcceptedAsync(Good, With(tenant: tenant.Value));
        AssertRefused(await house.SubmitAsync(Good, With(tenant: tenant.Value)), "queue-full");
        await house.Tenants.ChangeAsync(tenant, t => t with { Settings = t.Settings with { MaxQueued = 2 } }, default);
        await house.AcceptedAsync(Good, With(tenant: tenant.Value));
        AssertRefused(await house.SubmitAsync(Good, With(tenant: tenant.Value)), "queue-full");
    }

    [Fact]
    public async Task What_a_tenant_wants_done_in_doubt_holds_where_neither_message_nor_route_says_it()
    {
        await using var house = new SubmissionHouse();
        var held = new TenantSettings { OnAmbiguous = AmbiguityPolicy.Hold };
        var tenant = (await house.Tenants.AddAsync("a", held, default)).Tenant!.Id.Value;
        await house.AcceptedAsync(Good, With(tenant: tenant));
        await house.AcceptedAsync(Good with { OnAmbiguous = "retry" }, With(tenant: tenant));
        await house.AcceptedAsync(Good);
        var leases = await house.LeaseAsync(tenant: tenant);
        Assert.Equal([AmbiguityPolicy.Hold, AmbiguityPolicy.Retry], leases.Select(l => l.Envelope.OnAmbiguous));
        Assert.Equal([AmbiguityPolicy.Retry], (await house.LeaseAsync()).Select(l => l.Envelope.OnAmbiguous));
    }

    // Counted as it is accepted, and found again in the store.
    [Fact]
    public async Task A_tenant_may_store_so_many_bytes_and_no_more()
    {
        await using var house = new SubmissionHouse();
        var tenant = (await house.Tenants.AddAsync("a", new TenantSettings { MaxStorageBytes = 25_000 }, default)).Tenant!.Id.Value;
        var large = Good with { Text = new string('x', 10_000) };
        await house.AcceptedAsync(large, With(tenant: tenant));
        await house.AcceptedAsync(large, With(tenant: tenant));
        AssertRefused(await house.SubmitAsync(large, With(tenant: tenant)), "storage-full");
        house.Clock.Advance(TimeSpan.FromSeconds(2));
        AssertRefused(await house.SubmitAsync(large, With(tenant: tenant)), "storage-full");
        AssertRefused(await house.Submitter.SubmitManyAsync([new(large)], With(tenant: tenant), false, default), "storage-full");
        await house.AcceptedAsync(Good, With(tenant: tenant));
        Assert.InRange((await house.Lossy.StoredBytesAsync(new TenantId(tenant), default)).Total, 20_000, 25_000);
        await house.AcceptedAsync(large);
    }

    [Fact]
    public async Task What_a_large_batch_shares_counts_too()
    {
        await using var house = new SubmissionHouse();
        var tenant = (await house.Tenants.AddAsync("a", new TenantSettings { MaxStorageBytes = 25_000 }, default)).Tenant!.Id.Value;
        var large = Good with { To = [], Text = new string('x', 20_000) };
        Assert.Null((await house.Submitter.CheckSharedAsync(large, With(tenant: tenant))).Problem);
        Assert.Equal("storage-full", (await house.Submitter.CheckSharedAsync(large, With(tenant: tenant))).Problem?.Slug);
        house.Clock.Advance(TimeSpan.FromSeconds(1)); // the first was not stored after all
        Assert.Null((await house.Submitter.CheckSharedAsync(large, With(tenant: tenant))).Problem);
    }

    // The content of a batch is stored once.
    [Fact]
    public async Task A_batch_counts_what_its_content_takes_once()
    {
        await using var house = new SubmissionHouse();
        var tenant = (await house.Tenants.AddAsync("a", new TenantSettings { MaxStorageBytes = 25_000 }, default)).Tenant!.Id.Value;
        var destinations = Enumerable.Range(0, 20).Select(i => new Destination(new AddressText($"r{i}@example.com"))).ToList();
        Receipt(await house.Submitter.SubmitToDestinationsAsync(
            Good with { To = [], Text = new string('x', 10_000) }, destinations, With(tenant: tenant), default));
        Assert.InRange((await house.Lossy.StoredBytesAsync(new TenantId(tenant), default)).Total, 10_000, 12_000);
    }

    [Fact]
    public async Task A_fault_of_the_request_costs_nothing()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { Rate = "1/s,1", MaxWaiting = 1 });
        for (var i = 0; i < 5; i++)
            Assert.Equal(422, Problem(await house.SubmitAsync(Good with { To = [] })).Status);
        await house.AcceptedAsync(Good);
    }

    static Problem AssertRefused(SubmissionResult result, string slug)
    {
        var problem = Problem(result);
        Assert.Equal((slug, 429), (problem.Slug, problem.Status));
        Assert.NotNull(problem.RetryAfter);
        return problem;
    }
}
