using Postrider.Events;
using Postrider.Feedback;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>A store that a test has to itself.</summary>
public interface IStoreUnderTest : IAsyncDisposable
{
    IQueueStore Store { get; }
    IMessageReader Reader { get; }
    IFeedbackStore Feedback { get; }

    /// <summary>Ends the store in order and opens it again on the same data.</summary>
    Task ReopenAsync();

    /// <summary>Makes an incarnation of a node a member, where nodes must be.</summary>
    Task JoinAsync(Incarnation node);

    /// <summary>Makes the nodes what they are to be, by number: start and whether they are members, where nodes must be.</summary>
    Task PlaceAsync(IReadOnlyDictionary<int, (long Incarnation, bool Alive)> nodes);

    /// <summary>Rows without their parent: recipients, queue rows and events of messages that are not there, queue rows without open
    /// recipients.</summary>
    Task<IReadOnlyList<string>> OrphansAsync();

    /// <summary>Waits until the feed tells all that is committed: transactions of other tests on the same server hold it up.</summary>
    Task SettleAsync();

    /// <summary>Runs a statement beside the store.</summary>
    Task ExecuteAsync(string sql);

    /// <summary>One byte, as the engine's SQL writes it.</summary>
    string Byte(string hex);
}

/// <summary>What must not be found in any store.</summary>
static class StoreOrphans
{
    public const string Sql = """
        SELECT 'recipient ' || message || '-' || n FROM recipients WHERE message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'queue ' || message || '-' || n FROM queue WHERE message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'event ' || id FROM events WHERE message <> 0 AND message NOT IN (SELECT id FROM messages)
        UNION ALL SELECT 'count of queue ' || q.message || '-' || q.n FROM queue q
            WHERE q.recipients <> (SELECT count(*) FROM recipients r WHERE r.message = q.message AND r.envelope = q.n AND r.state = 1)
        UNION ALL SELECT 'open recipient without queue row ' || r.message || '-' || r.n FROM recipients r
            WHERE r.state = 1 AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.message = r.message AND q.n = r.envelope)
        UNION ALL SELECT 'dead letter that is not listed ' || r.message || '-' || r.n FROM recipients r
            WHERE r.state IN (4, 13, 14) AND NOT EXISTS (
                SELECT 1 FROM dead_letters d WHERE d.message = r.message AND d.n = r.n AND d.state = r.state)
                AND NOT EXISTS (SELECT 1 FROM events e WHERE e.message = r.message AND e.type = 28)
        UNION ALL SELECT 'listed, and no dead letter ' || d.message || '-' || d.n FROM dead_letters d
            WHERE d.state <> 0 AND NOT EXISTS (
                SELECT 1 FROM recipients r WHERE r.message = d.message AND r.n = d.n AND r.state = d.state)
        UNION ALL SELECT 'gauge of tenant ' || t.tenant || ' state ' || t.state FROM
            (SELECT tenant, state, sum(recipients) AS rows FROM queue GROUP BY tenant, state) t
            WHERE t.rows <> (SELECT coalesce(sum(c.delta), 0) FROM counters c WHERE c.scope = t.tenant AND c.state = t.state)
        """;
}

/// <summary>What every store must do, whatever it is made of: a rule about data that is not here is not a rule.</summary>
public abstract partial class QueueStoreContract : IAsyncLifetime
{
    static readonly TenantId Tenant = TenantId.First;
    static readonly TenantId OtherTenant = new(2);
    static readonly Incarnation Node = new(1, 1000);
    static readonly QueueKey Main = new("main", MailStream.Transactional, Tenant);
    static readonly TimeSpan Day = TimeSpan.FromHours(24);

    readonly ManualClock _clock = new();
    IStoreUnderTest _under = null!;
    MessageIds _ids = null!;

    IQueueStore Store => _under.Store;
    IMessageReader Reader => _under.Reader;
    IEventFeed Feed => (IEventFeed)_under.Store;
    DateTimeOffset Now => _clock.GetUtcNow();

    protected abstract Task<IStoreUnderTest> OpenAsync(ManualClock clock);

    public async ValueTask InitializeAsync()
    {
        _ids = new MessageIds(_clock);
        _under = await OpenAsync(_clock);
        await _under.JoinAsync(Node);
    }

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(await _under.OrphansAsync());
        await _under.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    NewMessage Message(params string[] to) => new()
    {
        Id = _ids.Next(),
        Stream = MailStream.Transactional,
        Route = "main",
        Recipients = [.. to.Select((address, n) =>
            new MessageRecipient(n, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(address))))],
        Content = Content("Hello"),
        ExpiresAt = Now + Day,
    };

    static MessageContent Content(string subject) => new()
    {
        From = new Mailbox("The Shop", EmailAddress.Parse("shop@example.com")),
        Subject = subject,
        Text = "Your parcel is on its way.",
    };

    static Acceptance Accept(params NewMessage[] messages) => new() { Tenant = Tenant, Messages = messages };

    async Task<MessageId> AcceptAsync(NewMessage message)
    {
        Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(Accept(message), default));
        return message.Id;
    }

    Task<MessageId> AcceptAsync(params string[] to) => AcceptAsync(Message(to));

    async Task<IReadOnlyList<Lease>> LeaseAsync(int permits = 100, QueueKey? key = null, bool alone = false, Incarnation? owner = null)
    {
        await _under.JoinAsync(owner ?? Node);
        return await Store.LeaseAsync(key ?? Main, permits, owner ?? Node, Now, alone, default);
    }

    async Task<Lease> LeaseOneAsync() => Assert.Single(await LeaseAsync());

    static readonly Reply Ok = new(250, "2.0.0", "OK queued as 4XyZ", "DATA");

    static Outcome Accepted => new(OutcomeKind.Accepted, OutcomeScope.Recipient, Ok, ProviderId: "4XyZ");
    static Outcome Deferred =>
        new(OutcomeKind.Deferred, OutcomeScope.Recipient, new Reply(450, "4.2.0", "Greylisted", "RCPT"), TimeSpan.FromMinutes(5));
    static Outcome Rejected => new(OutcomeKind.Rejected, OutcomeScope.Recipient, new Reply(550, "5.1.1", "No such user", "RCPT"));
    static Outcome UnknownOutcome => new(OutcomeKind.Unknown, OutcomeScope.Recipient, new Reply(0, null, "No reply to the final dot", "."));

    Attempt Attempt(params (int N, Outcome Outcome)[] outcomes) => new()
    {
        Transport = "relay",
        StartedAt = Now,
        Duration = TimeSpan.FromMilliseconds(12),
        Outcomes = [.. outcomes.Select(o => new RecipientOutcome(o.N, o.Outcome))],
    };

    AttemptRecord Sent(Lease lease) => new()
    {
        Lease = lease,
        Attempt = Attempt([.. lease.Recipients.Select(r => (r.N, Accepted))]),
        Ends = [.. lease.Recipients.Select(r => new RecipientEnd(r.N, RecipientState.Sent, Accepted, "sent"))],
        Continues = [],
    };

    AttemptRecord GoesOn(Lease lease, params Continuation[] continues) => new()
    {
        Lease = lease,
        Attempt = Attempt([.. lease.Recipients.Select(r => (r.N, Deferred))]),
        Ends = [],
        Continues = continues,
    };

    Continuation Later(Lease lease, TimeSpan delay, params int[] recipients) => new()
    {
        Recipients = recipients,
        State = RecipientState.Queued,
        DueAt = Now + delay,
        Reason = WaitReason.Deferred,
        Deferrals = lease.Envelope.Deferrals + 1,
        Rounds = 0,
        History = new TransportHistory { Last = "relay" },
        LastOutcome = Deferred,
    };

    Continuation InDoubt(Lease lease, TimeSpan settle) => Later(lease, settle, [.. lease.Recipients.Select(r => r.N)]) with
    {
        State = RecipientState.Unknown,
        Reason = WaitReason.Settling,
        Deferrals = 0,
    };

    AttemptRecord Doubtful(Lease lease, TimeSpan settle) => GoesOn(lease, InDoubt(lease, settle)) with
    {
        Attempt = Attempt([.. lease.Recipients.Select(r => (r.N, UnknownOutcome))]),
    };

    async Task<MessageView> ViewAsync(MessageId id) => Assert.IsType<MessageView>(await Reader.GetAsync(Tenant, id, default));

    async Task<RecipientView> RecipientAsync(MessageId id, int n = 0) => (await ViewAsync(id)).Recipients[n];

    async Task<RecipientState> StateAsync(MessageId id, int n = 0) => (await RecipientAsync(id, n)).State;
}
