using Postrider.Messages;
using Postrider.Submission;
using Xunit;
using static Postrider.Engine.Tests.Submission.Requests;
using static Postrider.Engine.Tests.Submission.SubmissionHouse;

namespace Postrider.Engine.Tests.Submission;

/// <summary>Storage that fails at every moment: nothing is lost, nothing is stored twice, no permit leaks (the house counts
/// them).</summary>
public sealed class SubmitterFaultTests : IAsyncDisposable
{
    static readonly Exception Down = new StoreUnavailableException("no line");
    static readonly Exception Lost = new StoreUnavailableException("line cut", mayHaveCommitted: true);

    readonly SubmissionHouse _house = new();

    public SubmitterFaultTests() => _house.HandOver.Permits = 3;

    public ValueTask DisposeAsync() => _house.DisposeAsync();

    static void AssertBusy(SubmissionResult result, string slug)
    {
        var problem = Problem(result);
        Assert.Equal((slug, 503), (problem.Slug, problem.Status));
        Assert.NotNull(problem.RetryAfter);
    }

    [Fact]
    public async Task A_store_that_is_down_is_told_with_503()
    {
        _house.Lossy.Before = Down;
        AssertBusy(await _house.SubmitAsync(Good), "storage-unavailable");
        AssertBusy(await _house.Submitter.SubmitManyAsync([new(Good)], With(), false, default), "storage-unavailable");
        Assert.Equal(1, _house.HandOver.Returned);
        _house.Lossy.Before = null;
        await _house.AcceptedAsync(Good);
    }

    [Fact]
    public async Task A_disk_that_is_nearly_full_is_told_with_503()
    {
        await using var house = new SubmissionHouse();
        house.Lossy.Before = new StorageLowException("full");
        AssertBusy(await house.SubmitAsync(Good), "storage-low");
    }

    [Fact]
    public async Task A_server_that_stops_takes_nothing_more()
    {
        _house.Submitter.StopAccepting();
        AssertBusy(await _house.SubmitAsync(Good), "draining");
        AssertBusy(await _house.Submitter.SubmitManyAsync([new(Good)], With(), false, default), "draining");
        AssertBusy(await _house.Submitter.SubmitToDestinationsAsync(Good with { To = [] }, [new(new AddressText("a@example.com"))],
            With(), default), "draining");
        Assert.Equal(0, _house.Lossy.Accepts);
    }

    [Fact]
    public async Task A_lost_reply_of_a_commit_that_is_found_is_an_acceptance()
    {
        _house.HandOver.Permits = 0;
        _house.Lossy.After = Lost;
        var message = await _house.AcceptedAsync(Good);
        Assert.Equal(1, await _house.CountAsync());
        Assert.Single(_house.HandOver.Signals);
        Assert.Equal(message.Id, Assert.Single(await _house.LeaseAsync()).Message.Id);
        var batch = Receipt(await _house.Submitter.SubmitManyAsync([new(Good), new(Good)], With(), false, default));
        Assert.Equal(2, (await _house.Lossy.GetBatchAsync(TenantId.First, batch.Batch!.Value, default))?.Count);
    }

    [Fact]
    public async Task A_lost_reply_of_a_commit_that_is_not_found_is_unknown()
    {
        _house.Lossy.Before = Lost;
        AssertBusy(await _house.SubmitAsync(Good, With("key")), "commit-unknown");
        _house.Lossy.Before = null;
        await _house.AcceptedAsync(Good, With("key"));
        Assert.Equal(1, await _house.CountAsync());
    }

    [Fact]
    public async Task A_commit_that_cannot_be_looked_up_is_unknown_and_its_key_finds_it_later()
    {
        _house.Lossy.After = Lost;
        _house.Lossy.BlindLooks = 1;
        AssertBusy(await _house.SubmitAsync(Good, With("key")), "commit-unknown");
        _house.Lossy.After = null;
        Assert.IsType<SubmissionResult.Replayed>(await _house.SubmitAsync(Good, With("key")));
        Assert.Equal(1, await _house.CountAsync());
    }

    [Fact]
    public async Task A_born_leased_message_whose_reply_was_lost_goes_back_to_the_queue()
    {
        _house.Lossy.After = Lost;
        var message = await _house.AcceptedAsync(Good);
        await _house.Clock.AdvanceUntilAsync(() => !_house.HandOver.Signals.IsEmpty, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Empty(_house.HandOver.Started);
        Assert.Equal(1, _house.HandOver.Returned);
        Assert.Equal(message.Id, Assert.Single(await _house.LeaseAsync()).Message.Id);
    }

    [Fact]
    public async Task A_born_leased_message_is_looked_for_until_the_store_answers()
    {
        _house.Lossy.After = Lost;
        _house.Lossy.BlindLooks = 5;
        AssertBusy(await _house.SubmitAsync(Good), "commit-unknown");
        Assert.Empty(await _house.LeaseAsync());
        await _house.Clock.AdvanceUntilAsync(() => !_house.HandOver.Signals.IsEmpty, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Single(await _house.LeaseAsync());
    }

    [Fact]
    public async Task A_born_leased_message_with_a_suppressed_recipient_goes_back_to_the_queue_too()
    {
        _house.HandOver.Permits = 0;
        await _house.SuppressAsync("bad@example.com");
        _house.HandOver.Signals.Clear();
        _house.HandOver.Permits = 1;
        _house.Lossy.After = Lost;
        await _house.AcceptedAsync(Good with { To = To("bad@example.com", "ann@example.com") });
        await _house.Clock.AdvanceUntilAsync(() => !_house.HandOver.Signals.IsEmpty, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Equal([1], Assert.Single(await _house.LeaseAsync()).Recipients.Select(r => r.N));
    }

    [Fact]
    public async Task An_error_that_nobody_expected_returns_the_permit()
    {
        _house.Lossy.Before = new InvalidOperationException("a bug");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _house.SubmitAsync(Good));
        Assert.Equal(1, _house.HandOver.Returned);
    }

    [Fact]
    public async Task A_caller_that_is_gone_already_is_not_served()
    {
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _house.Submitter.SubmitAsync(Good, With(), gone.Token));
        Assert.Equal(0, await _house.CountAsync());
    }
}
