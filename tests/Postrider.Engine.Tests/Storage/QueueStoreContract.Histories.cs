using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    /// <summary>Random calls in random order. After each the rows must agree with each other (which is looked at when the test ends) and
    /// with what was promised:
    /// no recipient is in two leases, none that ended is attempted, at most one envelope of an ordering key is under way, every one ends in
    /// the end.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Any_history_of_calls_keeps_the_promises(int seed)
    {
        var dice = new Dice(seed);
        var held = new List<Lease>();
        var messages = new List<MessageId>();
        var sent = new HashSet<RecipientId>();
        var starts = 0;
        for (var step = 0; step < 300; step++)
        {
            switch (dice.Next(12))
            {
                case 0 or 1:
                    messages.Add(await AcceptAsync(RandomMessage(dice, step)));
                    break;
                case 2 or 3 or 4:
                    var leases = await LeaseAsync(1 + dice.Next(5), owner: Incarnation(starts));
                    AssertLeasable(leases, held, sent);
                    held.AddRange(leases);
                    break;
                case 5 or 6 or 7 when held.Count > 0:
                    var lease = Take(held, dice);
                    var record = RandomRecord(lease, dice);
                    Assert.Equal(RecordResult.Applied, await Store.RecordAsync(record));
                    sent.UnionWith(record.Ends.Where(e => e.State == RecipientState.Sent)
                        .Select(e => new RecipientId(lease.Message.Id, e.N)));
                    break;
                case 8 when held.Count > 0:
                    await Store.ReleaseAsync([Take(held, dice)], Now + TimeSpan.FromSeconds(dice.Next(5)), WaitReason.Released, default);
                    break;
                case 9 when messages.Count > 0:
                    var id = messages[dice.Next(messages.Count)];
                    if (dice.Next(3) == 0)
                        await Store.CancelAsync(Tenant, id, Now, default);
                    else
                        await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default);
                    break;
                case 10 when dice.Next(5) == 0:
                    await SweepAsync(++starts);
                    held.Clear();
                    break;
                default:
                    _clock.Advance(TimeSpan.FromSeconds(dice.Next(20)));
                    await Store.SettleAsync(Now, 100, default);
                    await Store.ExpireAsync(Now, 100, default);
                    break;
            }
            if (step % 25 == 0)
                Assert.Empty(await _under.OrphansAsync());
        }
        await FinishAsync(held, starts);
        Assert.All(await Task.WhenAll(messages.Select(ViewAsync)), m =>
            Assert.All(m.Recipients, r => Assert.True(r.State >= RecipientState.Held, $"{m.Id} {r.N} {r.State}")));
    }

    NewMessage RandomMessage(Dice dice, int step)
    {
        var message = Message([.. Enumerable.Range(0, 1 + dice.Next(4)).Select(i => $"r{step}-{i}@example.org")]) with
        {
            OnAmbiguous = dice.Next(3) == 0 ? AmbiguityPolicy.Hold : AmbiguityPolicy.Retry,
            OrderingKey = dice.Next(3) == 0 ? $"k{dice.Next(3)}" : null,
            SendAt = dice.Next(4) == 0 ? Now + TimeSpan.FromSeconds(dice.Next(30)) : null,
            ExpiresAt = Now + TimeSpan.FromSeconds(5 + dice.Next(300)),
        };
        return dice.Next(5) == 0 ? message with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] } : message;
    }

    static void AssertLeasable(IReadOnlyList<Lease> leases, List<Lease> held, HashSet<RecipientId> sent)
    {
        var all = leases.Concat(held).ToList();
        var recipients = all.SelectMany(l => l.Recipients.Select(r => new RecipientId(l.Message.Id, r.N))).ToList();
        Assert.Equal(recipients.Count, recipients.Distinct().Count());
        Assert.Empty(recipients.Intersect(sent));
        Assert.All(leases, l => Assert.NotEmpty(l.Recipients));
        Assert.All(all.Where(l => l.Envelope.OrderingKey is not null).GroupBy(l => l.Envelope.OrderingKey), g => Assert.Single(g));
    }

    static readonly RecipientState[] Finals = [RecipientState.Sent, RecipientState.Bounced, RecipientState.Failed];

    AttemptRecord RandomRecord(Lease lease, Dice dice)
    {
        var ends = new List<RecipientEnd>();
        var parts = new SortedDictionary<int, List<int>>();
        foreach (var recipient in lease.Recipients)
        {
            var fate = dice.Next(7);
            if (fate >= 4)
                ends.Add(new RecipientEnd(recipient.N, Finals[fate - 4], Rejected, "ended"));
            else if (parts.TryGetValue(fate, out var part))
                part.Add(recipient.N);
            else
                parts[fate] = [recipient.N];
        }
        return new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt([.. lease.Recipients.Select(r => (r.N, Deferred))]),
            Ends = ends,
            Continues = [.. parts.Select(p => Later(lease, TimeSpan.FromSeconds(p.Key * 3), [.. p.Value]) with
            {
                State = p.Key == 3 ? RecipientState.Unknown : RecipientState.Queued,
            })],
        };
    }

    /// <summary>Lets everything that is open end.</summary>
    async Task FinishAsync(List<Lease> held, int starts)
    {
        foreach (var lease in held)
            await Store.RecordAsync(Sent(lease));
        for (var round = 0; (await Store.DueKeysAsync(default)).Count > 0; round++)
        {
            Assert.True(round < 100);
            _clock.Advance(TimeSpan.FromSeconds(30));
            await Store.SettleAsync(Now, 1000, default);
            foreach (var lease in await LeaseAsync(1000, owner: Incarnation(starts)))
                await Store.RecordAsync(Sent(lease));
            foreach (var lease in await LeaseAsync(1, alone: true, owner: Incarnation(starts)))
                await Store.RecordAsync(Sent(lease));
        }
        _clock.Advance(TimeSpan.FromMinutes(10));
        await Store.SettleAsync(Now, 1000, default);
        await Store.ExpireAsync(Now, 1000, default);
    }

    static Lease Take(List<Lease> held, Dice dice)
    {
        var i = dice.Next(held.Count);
        var lease = held[i];
        held.RemoveAt(i);
        return lease;
    }

    /// <summary>SplitMix64: the same throws for the same seed, on every machine.</summary>
    sealed class Dice(int seed)
    {
        ulong _state = (ulong)seed * 0x9E3779B97F4A7C15;

        public int Next(int sides)
        {
            _state += 0x9E3779B97F4A7C15;
            var z = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return (int)((z ^ (z >> 31)) % (ulong)sides);
        }
    }
}
