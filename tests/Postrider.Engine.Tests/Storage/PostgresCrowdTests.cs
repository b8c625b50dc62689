using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>Several nodes doing everything at once on one database.</summary>
public sealed class PostgresCrowdTests : IAsyncLifetime
{
    const int Nodes = 3;
    const int HandsPerNode = 5;
    const int Steps = 40;

    static readonly QueueKey Key = new("main", MailStream.Transactional, TenantId.First);

    readonly ManualClock _clock = new();
    readonly List<PostgresStore> _stores = [];
    readonly Lock _lock = new();
    readonly List<MessageId> _accepted = [];           // guarded by _lock
    readonly HashSet<RecipientId> _underWay = [];      // guarded by _lock
    readonly Dictionary<string, EnvelopeId> _keys = [];   // guarded by _lock: ordering keys that are under way
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync()
    {
        _under = await PostgresUnderTest.OpenAsync(_clock);
        for (var i = 0; i < Nodes; i++)
            _stores.Add(await _under.OpenStoreAsync($"node {i}"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
            await store.DisposeAsync();
        await _under.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Nothing_is_leased_twice_and_all_rows_agree_when_nodes_do_everything_at_once(int seed)
    {
        await Task.WhenAll(Enumerable.Range(0, Nodes * HandsPerNode).Select(hand => Task.Run(() => WorkAsync(hand, seed * 1000 + hand))));
        Assert.Empty(await _under.OrphansAsync());
        Assert.Equal(0, _under.Deadlocks());

        var store = _stores[0];
        for (var round = 0; (await store.DueKeysAsync(default)).Count > 0; round++)
        {
            Assert.True(round < 200);
            _clock.Advance(TimeSpan.FromSeconds(30));
            foreach (var lease in await LeaseAsync(store, 100))
                await EndAsync(store, lease);
        }
        foreach (var id in _accepted)
            Assert.All((await store.GetAsync(TenantId.First, id, default))!.Recipients, r => Assert.False(r.State.IsOpen, $"{id} {r.State}"));
        Assert.Empty(await _under.OrphansAsync());
    }

    async Task WorkAsync(int hand, int seed)
    {
        var store = _stores[hand % Nodes];
        var ids = new MessageIds(_clock, (byte)(100 + hand));
        var dice = new Dice((ulong)seed);
        for (var step = 0; step < Steps; step++)
        {
            switch (dice.Next(10))
            {
                case 0 or 1 or 2:
                    var message = Message(ids.Next(), dice);
                    await PatientlyAsync(
                        () => store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [message] }, default));
                    lock (_lock)
                        _accepted.Add(message.Id);
                    break;
                case 3 or 4 or 5:
                    foreach (var lease in await LeaseAsync(store, 1 + dice.Next(4)))
                        await FinishAsync(store, lease, dice);
                    break;
                case 6:
                    // What waits in the middle of everything else: by keys that others hold.
                    await PatientlyAsync(() => store.ExpireAsync(Now.AddDays(2), 2, default));
                    break;
                case 7:
                    await PatientlyAsync(() => store.SweepAsync(store.Member.Incarnation, Now, Now, default));
                    break;
                default:
                    if (Any(dice) is { } id)
                        await PatientlyAsync(() => dice.Next(2) == 0
                            ? store.CancelAsync(TenantId.First, id, Now, default)
                            : store.RetryAsync(TenantId.First, id, bounced: true, discarded: false, Now, Now.AddDays(1), default));
                    break;
            }
        }
    }

    Task FinishAsync(PostgresStore store, Lease lease, Dice dice)
    {
        switch (dice.Next(4))
        {
            case 0:
                Gone(lease);
                return PatientlyAsync(async () =>
                {
                    await store.ReleaseAsync([lease], Now, WaitReason.Released, default);
                    return true;
                });
            case 1:
                Gone(lease);
                return PatientlyAsync(() => store.RecordAsync(Record(lease, [], [.. lease.Recipients.Select(r => Later(lease, r.N))])));
            default:
                return EndAsync(store, lease);
        }
    }

    Task<RecordResult> EndAsync(PostgresStore store, Lease lease)
    {
        Gone(lease);
        var ends = lease.Recipients.Select(r => new RecipientEnd(r.N, r.N == 0 ? RecipientState.Sent : RecipientState.Failed, Ok, "done"));
        return PatientlyAsync(() => store.RecordAsync(Record(lease, [.. ends], [])));
    }

    async Task<IReadOnlyList<Lease>> LeaseAsync(PostgresStore store, int permits)
    {
        var leases = await PatientlyAsync(() => store.LeaseAsync(Key, permits, store.Member.Incarnation, Now, alone: false, default));
        lock (_lock)
        {
            foreach (var lease in leases)
            {
                foreach (var recipient in lease.Recipients)
                    Assert.True(_underWay.Add(new RecipientId(lease.Message.Id, recipient.N)), $"{lease.Envelope.Id} is leased twice");
                if (lease.Envelope.OrderingKey is { } key)
                    Assert.True(_keys.TryAdd(key, lease.Envelope.Id), $"two of {key} are under way");
            }
        }
        return leases;
    }

    /// <summary>Before it is told: afterwards another one may have it already.</summary>
    void Gone(Lease lease)
    {
        lock (_lock)
        {
            foreach (var recipient in lease.Recipients)
                _underWay.Remove(new RecipientId(lease.Message.Id, recipient.N));
            if (lease.Envelope.OrderingKey is { } key)
                _keys.Remove(key);
        }
    }

    /// <summary>As callers do: what collided is tried again.</summary>
    static async Task<T> PatientlyAsync<T>(Func<Task<T>> work)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await work();
            }
            catch (StoreUnavailableException e) when (attempt < 20 && !e.MayHaveCommitted)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            }
        }
    }

    MessageId? Any(Dice dice)
    {
        lock (_lock)
            return _accepted.Count == 0 ? null : _accepted[dice.Next(_accepted.Count)];
    }

    DateTimeOffset Now => _clock.GetUtcNow();

    static readonly Outcome Ok = new(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, "2.0.0", "OK"));

    AttemptRecord Record(Lease lease, IReadOnlyList<RecipientEnd> ends, IReadOnlyList<Continuation> continues) => new()
    {
        Lease = lease,
        Attempt = new Attempt
        {
            Transport = "relay",
            StartedAt = Now,
            Outcomes = [.. lease.Recipients.Select(r => new RecipientOutcome(r.N, Ok))],
        },
        Ends = ends,
        Continues = continues,
    };

    Continuation Later(Lease lease, int n) => new()
    {
        Recipients = [n],
        State = RecipientState.Queued,
        DueAt = Now,
        Reason = WaitReason.Deferred,
        Deferrals = lease.Envelope.Deferrals + 1,
        Rounds = 0,
        History = TransportHistory.Empty,
    };

    NewMessage Message(MessageId id, Dice dice) => new()
    {
        Id = id,
        Stream = MailStream.Transactional,
        Route = "main",
        Recipients = [.. Enumerable.Range(0, 1 + dice.Next(3)).Select(n =>
            new MessageRecipient(n, RecipientKind.To, new Mailbox(null, EmailAddress.Parse($"r{n}@example.org"))))],
        Content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("shop@example.com")), Text = "Hello" },
        ExpiresAt = Now + TimeSpan.FromDays(1),
        OrderingKey = dice.Next(3) == 0 ? $"k{dice.Next(3)}" : null,
    };
}
