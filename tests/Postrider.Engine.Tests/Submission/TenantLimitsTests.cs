using Postrider.Messages;
using Postrider.Submission;
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
