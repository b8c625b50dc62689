using Postrider.Messages;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>What happens when a transport fails, from the submission to the recipient's state.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task A_mail_is_sent_and_says_by_whom()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        var recipient = (await node.GetAsync(id)).Recipients[0];
        Assert.Equal(("a", 1), (recipient.Transport, recipient.Tries));
        Assert.Equal(["ann@example.com"], node["a"].Taken);
    }

    [Fact]
    public async Task A_sender_whom_no_transport_is_set_up_for_fails_with_the_reason()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?from=elsewhere.example b=script://y?from=*.elsewhere.example");
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Failed);
        var message = await node.GetAsync(id);
        Assert.Equal(["a", "b"], message.Events.Where(e => e.Attempt is not null).Select(e => e.Attempt!.Transport));
        Assert.All(message.Events.Where(e => e.Attempt is not null),
            e => Assert.Contains("is not set up for mail from", e.Attempt!.Outcomes[0].Outcome.Reply.Text, StringComparison.Ordinal));
        Assert.Empty(node["a"].Asked.Concat(node["b"].Asked));
    }

    [Fact]
    public async Task A_thousand_mails_pass_by_a_relay_that_refuses_connections()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].AnswerAll(ScriptedProvider.Refusing);
        var accepted = new Dictionary<string, DateTimeOffset>();
        for (var i = 0; i < 1_000; i += 50)
        {
            var ids = await Task.WhenAll(Enumerable.Range(i, 50).Select(n => node.SubmitAsync($"r{n}@example.com")));
            for (var n = 0; n < ids.Length; n++)
                accepted[$"r{i + n}@example.com"] = ids[n].At;
        }
        await node.UntilAsync(() => node["b"].Taken.Count() == 1_000, step: TimeSpan.FromMilliseconds(1)); // no faster than real time

        Assert.Equal(1_000, node["b"].Taken.Distinct().Count());
        Assert.All(node["b"].Asked, s => Assert.InRange(s.At - accepted[s.Recipients[0]], TimeSpan.Zero, TimeSpan.FromSeconds(1)));
        Assert.Equal(CircuitPosition.Open, node.Transport("a").GetStatus().Circuit);
        // Ten failures open the circuit; those that had a permit by then (concurrency 20) fail too.
        Assert.InRange(node["a"].Asked.Count, 10, 30);
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 1_000);
        var first = await node.GetAsync(node["a"].Asked.First().Message);
        Assert.Equal(["a", "b"], first.Events.Where(e => e.Attempt is not null).Select(e => e.Attempt!.Transport));
        // Each tells why it was b: of the first a had failed, of the last a's circuit was open.
        Assert.Equal([new PassedOver("a", PassReason.FailedBefore)], first.Events[^1].Attempt!.PassedOver);
        var last = await node.GetAsync(node["b"].Asked.Last(asked => !node["a"].Asked.Any(other => other.Message == asked.Message)).Message);
        Assert.Equal([new PassedOver("a", PassReason.CircuitOpen)], Assert.Single(last.Events).Attempt!.PassedOver);
    }

    [Fact]
    public async Task Traffic_returns_to_a_relay_through_exactly_one_probe()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].AnswerAll(ScriptedProvider.Refusing);
        for (var i = 0; i < 30; i++)
            await node.SubmitAsync($"down{i}@example.com");
        await node.UntilAsync(() => node["b"].Taken.Count() == 30);
        Assert.Equal(CircuitPosition.Open, node.Transport("a").GetStatus().Circuit);
        var failed = node["a"].Asked.Count;

        // It is back, but slow to say so: whatever comes meanwhile must not pile up on it.
        var answer = new TaskCompletionSource();
        node["a"].Answer = async (envelope, _) =>
        {
            await answer.Task;
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        node.Manual.Advance(TimeSpan.FromSeconds(6)); // the break (5 s) is over
        for (var i = 0; i < 30; i++)
            await node.SubmitAsync($"probe{i}@example.com");
        await node.UntilAsync(() => node["b"].Taken.Count() == 59, step: TimeSpan.Zero);
        Assert.Equal(failed + 1, node["a"].Asked.Count);

        answer.SetResult();
        await node.UntilAsync(() => node.Transport("a").GetStatus() is { Circuit: CircuitPosition.Closed, InFlight: 0 });
        await node.SubmitAsync("after@example.com");
        await node.UntilAsync(() => node["a"].Taken.Contains("after@example.com"));
        Assert.Equal(59, node["b"].Taken.Count());
    }

    [Theory]
    [InlineData("retry")]
    [InlineData("hold")]
    public async Task A_relay_that_never_answers_the_dot_keeps_one_mail_and_no_other(string onAmbiguous)
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?timeout=10m b=script://y");
        node["a"].NeverAnswer();
        var start = node.Clock.GetUtcNow();
        var first = await node.SubmitAsync(DeliveringNode.Mail with { OnAmbiguous = onAmbiguous });
        for (var i = 2; i <= 20; i++)
            await node.SubmitAsync($"r{i}@example.com");

        await node.UntilAsync(() => node["b"].Taken.Count() == 19, within: TimeSpan.FromSeconds(35), step: TimeSpan.FromMilliseconds(100));
        Assert.Single(node["a"].Asked);

        // Large steps to just before each end, small ones across it: the store works in real time meanwhile.
        await node.PassAsync(start + TimeSpan.FromSeconds(598));
        await node.UntilAsync(async () => (await node.StatesAsync(first))[0] == RecipientState.Unknown, within: TimeSpan.FromMinutes(1),
            step: TimeSpan.FromMilliseconds(20));
        Assert.DoesNotContain(node["b"].Asked, s => s.Message == first);
        Assert.InRange(node.Clock.GetUtcNow() - start, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));

        var end = onAmbiguous == "retry" ? RecipientState.Sent : RecipientState.Held;
        await node.PassAsync(start + TimeSpan.FromSeconds(658));
        await node.UntilAsync(async () => (await node.StatesAsync(first))[0] == end, within: TimeSpan.FromMinutes(1),
            step: TimeSpan.FromMilliseconds(20));
        var again = node["b"].Asked.Where(s => s.Message == first).ToList();
        Assert.Equal(onAmbiguous == "retry" ? 1 : 0, again.Count);
        Assert.All(again, s => Assert.InRange(s.At - start, TimeSpan.FromSeconds(660), TimeSpan.FromSeconds(670)));
        var remarks = (await node.GetAsync(first)).Events.Select(e => e.Remark ?? "");
        Assert.Equal(onAmbiguous == "retry", remarks.Any(r => r.Contains("possible duplicate", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task All_relays_dead_for_31_minutes_make_no_dead_letter()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        node["a"].AnswerAll(ScriptedProvider.Refusing);
        node["b"].AnswerAll(ScriptedProvider.Refusing);
        for (var i = 0; i < 200; i++)
            await node.SubmitAsync($"r{i}@example.com");
        var until = node.Clock.GetUtcNow().AddMinutes(31);
        await node.UntilAsync(() => node.Clock.GetUtcNow() >= until, within: TimeSpan.FromHours(1), step: TimeSpan.FromSeconds(2));
        var counts = await node.CountAsync();
        Assert.Equal((0, 0, 0, 200), (counts.Failed, counts.Expired, counts.Held, counts.Queued + counts.Leased));
        // Each relay was asked some thirty times a circuit's break apart, not hammered.
        Assert.InRange(node["a"].Asked.Count, 10, 150);

        node["b"].AnswerAll(ScriptedProvider.Accepted);
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 200, within: TimeSpan.FromMinutes(10),
            step: TimeSpan.FromMilliseconds(500));
        Assert.Equal(200, node["b"].Taken.Distinct().Count());
    }

    [Fact]
    public async Task Three_answers_in_one_message_make_three_states_and_only_the_deferred_is_tried_again()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x", routing: r => r.Retry = "10m,10m");
        var deferring = true;
        node["a"].AnswerEach(address => address switch
        {
            "defer@example.com" when Volatile.Read(ref deferring) => new Outcome(OutcomeKind.Deferred, OutcomeScope.Recipient,
                new Reply(450, "4.2.0", "greylisted", "RCPT")),
            "bounce@example.com" => new Outcome(OutcomeKind.Rejected, OutcomeScope.Recipient,
                new Reply(550, "5.1.1", "no such user", "RCPT")),
            _ => ScriptedProvider.Accepted,
        });
        var id = await node.SubmitAsync(DeliveringNode.Mail with
        {
            To = [new AddressText("defer@example.com")],
            Cc = [new AddressText("bounce@example.com")],
            Bcc = [new AddressText("ann@example.com")],
        });
        await node.UntilAsync(async () => (await node.StatesAsync(id)).SequenceEqual([RecipientState.Queued, RecipientState.Bounced,
            RecipientState.Sent]));
        var waiting = (await node.GetAsync(id)).Recipients[0];
        Assert.Equal((WaitReason.Deferred, 450, "4.2.0"), (waiting.WaitReason, waiting.StatusCode, waiting.EnhancedCode));

        node.Manual.Advance(TimeSpan.FromMinutes(9.9));
        Assert.Single(node["a"].Asked);
        await node.UntilAsync(() => node["a"].Asked.Count == 2, within: TimeSpan.FromSeconds(10), step: TimeSpan.FromMilliseconds(100));
        Volatile.Write(ref deferring, false);
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, within: TimeSpan.FromMinutes(11),
            step: TimeSpan.FromSeconds(1));
        Assert.Equal([3, 1, 1], node["a"].Asked.Select(s => s.Recipients.Count));
        Assert.All(node["a"].Asked.Skip(1), s => Assert.Equal(["defer@example.com"], s.Recipients));
    }

    [Fact]
    public async Task A_flapping_relay_costs_few_mails_a_detour()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x b=script://y");
        var start = node.Clock.GetUtcNow();
        // 2 s up, 2 s down.
        node["a"].Answer = (envelope, _) => new(ScriptedProvider.All(envelope,
            (long)(node.Clock.GetUtcNow() - start).TotalSeconds % 4 < 2 ? ScriptedProvider.Accepted : ScriptedProvider.Refusing));
        for (var i = 0; i < 600; i++)
        {
            await node.SubmitAsync($"r{i}@example.com");
            node.Manual.Advance(TimeSpan.FromMilliseconds(100)); // 10 a second for a minute
        }
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 600);
        Assert.Equal(600, node["a"].Taken.Concat(node["b"].Taken).Distinct().Count());
        var detours = node["a"].Asked.Count(s => s.Outcomes![0].Kind == OutcomeKind.Unreachable);
        Assert.InRange(detours, 1, 150);
    }
}
