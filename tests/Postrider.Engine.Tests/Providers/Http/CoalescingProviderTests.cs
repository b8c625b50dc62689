using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Http;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Http;

public sealed class CoalescingProviderTests
{
    [Fact]
    public async Task A_lone_message_leaves_at_once()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000));

        var outcomes = await vendor.SendAsync(Envelopes.To("a@to.test", "b@to.test"), CancellationToken.None);

        Assert.Equal([Accepted, Accepted], outcomes.Select(o => o.Kind));
        Assert.Single(vendor.Calls);
    }

    [Fact]
    public async Task What_arrives_while_all_calls_are_under_way_goes_together_in_the_next()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 2 }) { Gate = new SemaphoreSlim(0) };
        var sends = Enumerable.Range(0, 12).Select(i => vendor.SendAsync(Envelopes.To($"a{i}@to.test"), CancellationToken.None).AsTask())
            .ToList();

        vendor.Gate.Release(3);
        await Task.WhenAll(sends);

        Assert.Equal([1, 1, 10], vendor.Calls.Select(c => c.Count));
    }

    [Theory]
    [InlineData(3, 100, 1_000_000, 1, 3)]   // entries
    [InlineData(100, 5, 1_000_000, 2, 2)]   // recipients
    [InlineData(100, 100, 250, 1, 2)]       // bytes, 100 an entry
    [InlineData(100, 1, 1_000_000, 2, 1)]   // an entry larger than the limit goes alone
    public async Task A_call_keeps_to_the_limits(int entries, int recipients, long bytes, int each, int most)
    {
        await using var vendor = new Vendor(new CallLimits(entries, recipients, bytes) { Calls = 1 }) { Gate = new SemaphoreSlim(0) };
        var addresses = Enumerable.Range(0, each).Select(i => $"a{i}@to.test").ToArray();
        var sends = Enumerable.Range(0, 9).Select(_ => vendor.SendAsync(Envelopes.To(addresses), CancellationToken.None).AsTask()).ToList();

        vendor.Gate.Release(100);
        await Task.WhenAll(sends);

        Assert.Equal(9, vendor.Calls.Sum(c => c.Count));
        Assert.Equal(most, vendor.Calls.Max(c => c.Count));
    }

    [Fact]
    public async Task Messages_that_cannot_share_a_call_do_not_wait_for_each_other()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 })
        {
            Gate = new SemaphoreSlim(0),
            KeyOf = e => e.Message
        };
        var sends = Enumerable.Range(0, 10).Select(_ => vendor.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None).AsTask())
            .ToList();

        Assert.Equal(10, vendor.Calls.Count);
        vendor.Gate.Release(10);
        await Task.WhenAll(sends);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_the_vendor_refuses_all_for_the_sake_of_some_the_innocent_go_out(bool named)
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 })
        {
            Gate = new SemaphoreSlim(0),
            NamesTheGuilty = named
        };
        var sends = Enumerable.Range(0, 21)
            .Select(i => vendor.SendAsync(Envelopes.To(i is 3 or 17 ? $"bad{i}@to.test" : $"a{i}@to.test"),
                CancellationToken.None).AsTask()).ToList();

        vendor.Gate.Release(1000);
        var outcomes = await Task.WhenAll(sends);

        Assert.Equal(Enumerable.Range(0, 21).Select(i => i is 3 or 17 ? Rejected : Accepted), outcomes.Select(o => o[0].Kind));
        var accepted = vendor.Accepted.ToList();
        Assert.Equal(19, accepted.Count);
        Assert.Equal(19, accepted.Distinct().Count());
        Assert.True(vendor.Calls.Count <= (named ? 3 : 1 + 2 * 2 * 5), $"{vendor.Calls.Count} calls");
    }

    [Fact]
    public async Task Under_hold_a_message_is_alone_and_its_own_commit_point_is_asked()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 }) { Gate = new SemaphoreSlim(0) };
        var asked = 0;
        var sends = Enumerable.Range(0, 5).Select(_ => vendor.SendAsync(Envelopes.To("a@to.test") with
        {
            CommitPoint = _ => ValueTask.FromResult(Interlocked.Increment(ref asked) > 0),
        }, CancellationToken.None).AsTask()).ToList();

        vendor.Gate.Release(5);
        await Task.WhenAll(sends);

        Assert.Equal([1, 1, 1, 1, 1], vendor.Calls.Select(c => c.Count));
        Assert.Equal(5, asked);
    }

    [Fact]
    public async Task Who_waits_too_long_for_hanging_calls_goes_elsewhere_unsent()
    {
        var clock = new ManualClock();
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 }, clock) { Gate = new SemaphoreSlim(0) };
        var first = vendor.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None).AsTask();
        var second = vendor.SendAsync(Envelopes.To("b@to.test"), CancellationToken.None).AsTask();

        clock.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(Unreachable, (await second)[0].Kind);
        Assert.False(first.IsCompleted);
        vendor.Gate.Release(10);
        Assert.Equal(Accepted, (await first)[0].Kind);
        Assert.Equal(["a@to.test"], vendor.Accepted);
    }

    [Fact]
    public async Task Giving_up_while_waiting_is_unsent_and_a_call_is_cut_only_when_all_in_it_gave_up()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 }) { Gate = new SemaphoreSlim(0) };
        using var one = new CancellationTokenSource();
        using var two = new CancellationTokenSource();
        using var three = new CancellationTokenSource();
        var running = vendor.SendAsync(Envelopes.To("running@to.test"), CancellationToken.None).AsTask();
        var a = vendor.SendAsync(Envelopes.To("a@to.test"), one.Token).AsTask();
        var b = vendor.SendAsync(Envelopes.To("b@to.test"), two.Token).AsTask();
        var waiting = vendor.SendAsync(Envelopes.To("c@to.test"), three.Token).AsTask();

        await three.CancelAsync();
        Assert.Equal(Unreachable, (await waiting)[0].Kind);

        vendor.Gate.Release(1);
        Assert.Equal(Accepted, (await running)[0].Kind);
        while (vendor.Calls.Count < 2)
            await Task.Yield();
        await one.CancelAsync();
        Assert.False(a.IsCompleted);
        await two.CancelAsync();
        Assert.Equal((Unknown, Unknown), ((await a)[0].Kind, (await b)[0].Kind));
    }

    // One whose node may have been given up when it was asked, and one that was asked a moment later, after a good beat.
    [Fact]
    public async Task Who_may_be_sent_is_not_refused_for_another_in_the_same_call_that_may_not()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 }) { Gate = new SemaphoreSlim(0) };
        var running = vendor.SendAsync(Envelopes.To("running@to.test"), CancellationToken.None).AsTask();
        var refused = vendor.SendAsync(Envelopes.To("a@to.test") with { MaySend = () => false }, CancellationToken.None).AsTask();
        var allowed = vendor.SendAsync(Envelopes.To("b@to.test") with { MaySend = () => true }, CancellationToken.None).AsTask();

        vendor.Gate.Release(3);

        Assert.Equal((Accepted, Unfit, Accepted), ((await running)[0].Kind, (await refused)[0].Kind, (await allowed)[0].Kind));
        Assert.Equal(["running@to.test", "b@to.test"], vendor.Accepted);
    }

    [Fact]
    public async Task What_the_vendor_cannot_carry_is_not_offered_to_it_and_the_reason_is_named()
    {
        await using var vendor = new Vendor(new CallLimits(1, 1, 1));
        var content = Envelopes.Content with { ReplyTo = [Envelopes.Content.From, Envelopes.Content.From] };

        var outcome = Assert.Single(await vendor.SendAsync(Envelopes.With(content, "a@to.test"), CancellationToken.None));

        Assert.Equal((Unfit, OutcomeScope.Message), (outcome.Kind, outcome.Scope));
        Assert.Contains("2 Reply-To addresses", outcome.Reply.Text, StringComparison.Ordinal);
        Assert.Empty(vendor.Calls);
    }

    [Fact]
    public async Task A_fault_inside_reaches_the_attempts_and_the_next_call_still_works()
    {
        await using var vendor = new Vendor(new CallLimits(100, 100, 1_000_000) { Calls = 1 }) { ThrowOnce = true };

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await vendor.SendAsync(Envelopes.To("a@to.test"),
            CancellationToken.None));
        Assert.Equal(Accepted, (await vendor.SendAsync(Envelopes.To("b@to.test"), CancellationToken.None))[0].Kind);
    }

    sealed class Entry(OutgoingEnvelope envelope, object key) : CallEntry(envelope)
    {
        public override object Key => key;
        public override long Bytes => 100;
    }

    /// <summary>Takes what it is given, except calls with an address that starts with "bad": those it refuses whole.</summary>
    sealed class Vendor(CallLimits limits, TimeProvider? clock = null) : CoalescingProvider<Entry>(limits, clock ?? TimeProvider.System)
    {
        readonly Lock _lock = new();

        public List<IReadOnlyList<Entry>> Calls { get; } = [];
        public List<string> Accepted { get; } = [];
        public SemaphoreSlim? Gate { get; init; }
        public bool NamesTheGuilty { get; init; }
        public bool ThrowOnce { get; set; }
        public Func<OutgoingEnvelope, object> KeyOf { get; init; } = _ => "one for all";

        public override ProviderCapabilities Capabilities { get; } = new() { MaxReplyTo = 1 };

        protected override Entry Prepare(OutgoingEnvelope envelope) => new(envelope, KeyOf(envelope));

        protected override async ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
            IReadOnlyList<Entry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
        {
            lock (_lock)
                Calls.Add(entries);
            if (ThrowOnce)
            {
                ThrowOnce = false;
                throw new InvalidOperationException("a bug");
            }
            if (commitPoint is not null && !await commitPoint(ct))
                return [.. entries.Select(e => All(e, Unfit))];
            try
            {
                await (Gate?.WaitAsync(ct) ?? Task.CompletedTask);
            }
            catch (OperationCanceledException)
            {
                return [.. entries.Select(e => All(e, Unknown))];
            }
            var bad = entries.Select(e => e.Envelope.Recipients[0].Mailbox.Address.LocalPart.StartsWith("bad", StringComparison.Ordinal))
                .ToList();
            if (bad.Contains(true))
                return [.. entries.Select((e, i) => bad[i] && (NamesTheGuilty || entries.Count == 1) ? All(e, Rejected) : null)];
            lock (_lock)
                Accepted.AddRange(entries.Select(e => e.Envelope.Recipients[0].Mailbox.Address.ToString()));
            return [.. entries.Select(e => All(e, OutcomeKind.Accepted))];
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

        static Outcome[] All(Entry entry, OutcomeKind kind) =>
            Outcomes.ForAll(entry.Envelope, new Outcome(kind, OutcomeScope.Recipient, new Reply(200, null, "")));
    }
}
