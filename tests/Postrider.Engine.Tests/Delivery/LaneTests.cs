using Postrider.Delivery;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>One attempt and its middlewares, through a whole node.</summary>
public sealed class LaneTests
{
    static Outcome Throttled(TimeSpan? retryAfter) => new(OutcomeKind.Throttled, OutcomeScope.Transport,
        new Reply(429, null, "slow down", "POST"), retryAfter);

    static async Task<IReadOnlyList<string>> TransportsOf(DeliveringNode node, MessageId id) =>
        [.. (await node.GetAsync(id)).Events.Where(e => e.Attempt is not null).Select(e => e.Attempt!.Transport)];

    [Fact]
    public async Task Tries_within_one_attempt_are_one_attempt_and_each_is_told_to_the_circuit()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?retry=constant:2,1s b=script://y");
        var tries = 0;
        node["a"].Answer = (envelope, _) => new(ScriptedProvider.All(envelope, Interlocked.Increment(ref tries) < 3
            ? ScriptedProvider.Refusing : ScriptedProvider.Accepted));
        var start = node.Clock.GetUtcNow();
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Equal([0, 1, 2], node["a"].Asked.Select(s => Math.Round((s.At - start).TotalSeconds, 1)));
        Assert.Equal(["a"], await TransportsOf(node, id));
        var status = node.Transport("a").GetStatus();
        Assert.Equal((3, 2), (status.Tries, status.Outcomes[OutcomeKind.Unreachable]));
    }

    [Fact]
    public async Task Exponential_tries_wait_longer_each_time()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?retry=exponential:3,1s b=script://y");
        node["a"].AnswerAll(ScriptedProvider.Refusing);
        await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["b"].Taken.Any(), within: TimeSpan.FromMinutes(2), step: TimeSpan.FromMilliseconds(100));
        var at = node["a"].Asked.Select(s => s.At).ToList();
        Assert.Equal(4, at.Count);
        Assert.True(at[3] - at[0] > TimeSpan.FromSeconds(2), $"{at[3] - at[0]}");
    }

    [Theory]
    [InlineData(OutcomeKind.Unknown)]
    [InlineData(OutcomeKind.Deferred)]
    [InlineData(OutcomeKind.Rejected)]
    [InlineData(OutcomeKind.Refused)]
    public void Only_what_is_known_unsent_as_a_whole_and_may_fare_better_is_tried_again(OutcomeKind kind)
    {
        var other = new RecipientOutcome(1, new Outcome(kind, OutcomeScope.Recipient, new Reply(0, null, "")));
        var refused = new RecipientOutcome(0, ScriptedProvider.Refusing);
        Assert.True(Lane.MayTryAgain(new Tried([refused, refused])));
        Assert.False(Lane.MayTryAgain(new Tried([refused, other])));
        Assert.False(Lane.MayTryAgain(new Tried([other])));
        Assert.False(Lane.MayTryAgain(new Tried([])));
        Assert.False(Lane.MayTryAgain(default));
        Assert.True(Lane.MayTryAgain(new Tried([new RecipientOutcome(0, Throttled(TimeSpan.FromSeconds(1)))])));
        Assert.False(Lane.MayTryAgain(new Tried([new RecipientOutcome(0, Throttled(TimeSpan.FromSeconds(30)))])));
        Assert.False(Lane.MayTryAgain(new Tried([new RecipientOutcome(0, Throttled(null))])));
    }

    [Fact]
    public async Task An_upload_that_takes_its_time_is_no_stall_and_silence_after_it_is()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        await node.KnowAsync("a");
        var stalled = new List<bool>();
        node["a"].Answer = (envelope, _) =>
        {
            for (var piece = 0; piece < 4; piece++)
            {
                node.Manual.Advance(TimeSpan.FromSeconds(20));
                envelope.Moved!();
                stalled.Add(node.Transport("a").GetStatus().Stalled);
            }
            node.Manual.Advance(TimeSpan.FromSeconds(31));
            stalled.Add(node.Transport("a").GetStatus().Stalled);
            return new(ScriptedProvider.All(envelope, ScriptedProvider.Accepted));
        };
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Equal([false, false, false, false, true], stalled);
    }

    [Fact]
    public async Task A_try_is_cut_at_the_transports_timeout()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?timeout=20s&stall=off b=script://y");
        node["a"].NeverAnswer();
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1, step: TimeSpan.FromMilliseconds(1));
        node.Manual.Advance(TimeSpan.FromSeconds(20));
        // Nothing but real work is left to do: the clock stands still, so that a busy machine does not make it longer.
        await Eventually.HoldsAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Unknown);
        Assert.Empty(node["b"].Asked);
        var attempt = (await node.GetAsync(id)).Events.Single(e => e.Attempt is not null).Attempt!;
        Assert.InRange(attempt.Duration, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(21));
    }

    [Fact]
    public async Task A_provider_that_does_not_end_when_it_is_told_to_is_left_behind()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node["a"].Answer = async (envelope, _) =>
        {
            await new TaskCompletionSource().Task; // for ever, whatever it is told
            return [];
        };
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);
        var draining = node.DrainAsync(new CancellationToken(canceled: true));
        await node.UntilAsync(() => draining.IsCompleted, within: TimeSpan.FromSeconds(60), step: TimeSpan.FromMilliseconds(100));
        Assert.Equal([RecipientState.Unknown], await node.StatesAsync(id));
    }

    [Fact]
    public async Task A_provider_that_throws_makes_an_unknown_outcome_and_the_node_goes_on()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].Answer = (_, _) => throw new InvalidOperationException("a bug");
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Unknown);
        Assert.Empty(node["b"].Asked);
        node["a"].AnswerAll(ScriptedProvider.Accepted);
        await node.SubmitAsync("next@example.com");
        await node.UntilAsync(() => node["a"].Taken.Contains("next@example.com"));
    }

    [Fact]
    public async Task A_throttled_transport_is_left_alone_for_as_long_as_it_asked_and_the_next_one_is_used()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].AnswerAll(Throttled(TimeSpan.FromSeconds(30)));
        await node.SubmitAsync("first@example.com");
        await node.UntilAsync(() => node["b"].Taken.Contains("first@example.com"));
        var throttledAt = node["a"].Asked.Single().At;
        node["a"].AnswerAll(ScriptedProvider.Accepted);
        for (var i = 0; i < 10; i++)
        {
            await node.SubmitAsync($"r{i}@example.com");
            await node.UntilAsync(() => node["b"].Taken.Contains($"r{i}@example.com"), within: TimeSpan.FromSeconds(2));
        }
        Assert.Single(node["a"].Asked);
        await node.UntilAsync(() => node.Clock.GetUtcNow() >= throttledAt.AddSeconds(30), step: TimeSpan.FromMilliseconds(100));
        await node.SubmitAsync("after@example.com");
        await node.UntilAsync(() => node["a"].Taken.Contains("after@example.com"));
    }

    [Fact]
    public async Task Where_the_provider_knows_a_repetition_an_unknown_outcome_is_asked_again_there_at_once()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].Capabilities = node["a"].Capabilities with { Idempotent = true };
        node["a"].Answer = (envelope, _) => new(ScriptedProvider.All(envelope, node["a"].Asked.Count == 1 ? ScriptedProvider.NoAnswer
            : ScriptedProvider.Accepted));
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, within: TimeSpan.FromSeconds(1));
        Assert.Equal(["a", "a"], await TransportsOf(node, id));
        Assert.Empty(node["b"].Asked);
    }

    [Fact]
    public async Task Where_the_provider_that_knows_a_repetition_is_gone_another_takes_over_when_the_doubt_has_settled()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?circuit=1,30s,2h b=script://y");
        node["a"].Capabilities = node["a"].Capabilities with { Idempotent = true };
        node["a"].AnswerAll(ScriptedProvider.NoAnswer);
        var began = node.Clock.GetUtcNow();
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, step: TimeSpan.FromMilliseconds(50));
        Assert.Equal(["a", "b"], await TransportsOf(node, id));
        Assert.True(node["b"].Asked.Single().At - began >= node.Options.SettleTransactional);
    }

    [Fact]
    public async Task Under_hold_a_mail_cancelled_before_its_commit_point_is_not_sent_and_nobody_is_to_blame()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        var prepared = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        node["a"].Prepare = async () =>
        {
            prepared.SetResult();
            await goOn.Task;
        };
        var id = await node.SubmitAsync(DeliveringNode.Mail with { OnAmbiguous = "hold" });
        await prepared.Task;
        await node.Store.CancelAsync(TenantId.First, id, node.Clock.GetUtcNow(), CancellationToken.None);
        goOn.SetResult();
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Cancelled);
        Assert.Empty(node["a"].Taken);
        Assert.Empty(node["b"].Asked);
        Assert.Equal(0, node.Transport("a").GetStatus().Outcomes[OutcomeKind.Unreachable]);
    }

    [Fact]
    public async Task Under_hold_a_mail_passes_its_commit_point_and_is_sent()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var id = await node.SubmitAsync(DeliveringNode.Mail with { OnAmbiguous = "hold" });
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.True(node["a"].Asked.Single().PassedCommitPoint);
    }

    [Fact]
    public async Task What_a_transport_cannot_carry_goes_to_the_next_without_touching_it_and_the_timeline_says_why()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].Capabilities = node["a"].Capabilities with { MaxMessageBytes = 10_000 };
        // The transport was made with the capabilities of before: as when a server turns out to take less than its DSN says.
        var id = await node.SubmitAsync(DeliveringNode.Mail with { Text = new string('x', 20_000) });
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Empty(node["a"].Asked);
        Assert.Equal(["a", "b"], await TransportsOf(node, id));
        Assert.Equal(CircuitPosition.Closed, node.Transport("a").GetStatus().Circuit);
    }

    [Fact]
    public async Task What_no_transport_can_carry_fails_and_does_not_wait_for_ever()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node["a"].Capabilities = node["a"].Capabilities with { SmtpUtf8 = false };
        var id = await node.SubmitAsync(DeliveringNode.Mail with
        {
            To = [new AddressText("jürgen@example.com"),
            new AddressText("ann@example.com")]
        });
        await node.UntilAsync(async () => (await node.StatesAsync(id)).SequenceEqual([RecipientState.Failed, RecipientState.Sent]));
        var failed = (await node.GetAsync(id)).Recipients[0];
        Assert.Contains("SMTPUTF8", failed.StatusReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_recipients_than_one_call_takes_go_in_several_attempts_each_once()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node["a"].Capabilities = node["a"].Capabilities with { MaxRecipients = 20 };
        var id = await node.SubmitAsync(DeliveringNode.Mail with
        {
            To = [.. Enumerable.Range(0, 50).Select(n =>
            new AddressText($"r{n}@example.com"))]
        });
        await node.UntilAsync(async () => (await node.StatesAsync(id)).All(s => s == RecipientState.Sent));
        Assert.Equal([20, 20, 10], node["a"].Asked.Select(s => s.Recipients.Count));
        Assert.Equal(50, node["a"].Taken.Distinct().Count());
    }

    [Fact]
    public async Task What_the_only_transport_that_can_carry_it_refuses_fails_and_is_not_offered_there_again()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x small=limited://y", factories: [new SmallProviderFactory()]);
        node["a"].AnswerAll(new Outcome(OutcomeKind.Refused, OutcomeScope.Recipient, new Reply(550, "5.7.1", "relaying denied", "RCPT")));
        var id = await node.SubmitAsync(DeliveringNode.Mail with { Text = new string('x', 20_000) });
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Failed);
        Assert.Single(node["a"].Asked);
        Assert.Equal(["a", "small"], await TransportsOf(node, id));
    }

    [Fact]
    public async Task Whom_this_installation_may_not_write_to_is_held_whatever_was_queued_or_ordered_again()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node.MayReceive = address => address.Domain == "ours.example";
        var id = await node.SubmitAsync(DeliveringNode.Mail with
        {
            To = [new AddressText("ann@ours.example"), new AddressText("bob@theirs.example")]
        });
        await node.UntilAsync(async () => (await node.StatesAsync(id)).SequenceEqual([RecipientState.Sent, RecipientState.Held]));
        var held = (await node.GetAsync(id)).Events.Single(e => e.Type == MailEventType.Held);
        Assert.Equal("not in POSTRIDER_ALLOW_RECIPIENTS", held.Remark);

        var now = node.Clock.GetUtcNow();
        await node.Store.RetryAsync(TenantId.First, id, bounced: false, discarded: false,
            now, now + TimeSpan.FromDays(1), CancellationToken.None);
        await node.UntilAsync(async () => (await node.GetAsync(id)).Events.Count(e => e.Type == MailEventType.Held) == 2);
        Assert.Equal(["ann@ours.example"], node["a"].Taken);
    }

    /// <summary>Takes 10 KB at most.</summary>
    sealed class SmallProviderFactory : IProviderFactory
    {
        public string Scheme => "limited";
        public IReadOnlyCollection<string> OptionNames => [];
        public IReadOnlyList<string> Check(TransportSettings settings) => [];

        public IProvider Create(TransportSettings settings) => new ScriptedProvider(settings.Name, TimeProvider.System)
        {
            Capabilities = new ProviderCapabilities { SmtpUtf8 = true, MaxMessageBytes = 10_000 },
        };
    }
}
