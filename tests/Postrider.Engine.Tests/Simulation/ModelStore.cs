using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Memory;
using Postrider.Storage.Postgres;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>One node's way to the store in memory, with its own clock and its own luck: what <c>postrider simulate</c> runs on, with the
/// faults of a database far away.</summary>
sealed class ModelStore(ModelTables tables, TimeProvider clock, Mutation mutation) : MemoryStore(tables, clock), ISimulatedStore
{
    readonly TimeProvider _clock = clock;
    readonly AstrayLeases _astray = new();
    bool _isLastInDoubt;

    public bool IsAway { get; set; }
    public int RepliesToLose { get; set; }

    public ModelTables Tables => tables;

    public override Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        ThrowIfAway();
        return acceptance.Messages.Any(m => m.BornLeasedBy is { } owner && !tables.IsMember(owner))
            ? throw new StoreUnavailableException("This node was declared dead.")
            : base.AcceptAsync(acceptance, ct);
    }

    public override Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        using var prepared = PreparedRecord.Of(record);
        return Commit(session =>
        {
            if (mutation == Mutation.UnguardedRecord)
                ((ModelSession)session).Pretend(record.Lease);
            return Recording.Run(session, prepared);
        });
    }

    public Task<FeedbackResult> ReportAsync(FeedbackReport report, DateTimeOffset now) =>
        Commit(session => Reporting.Apply(session, report, now.Ms));

    public async Task LookAtWaitingReportsAsync(DateTimeOffset now)
    {
        foreach (var waiting in tables.Waiting.Where(w => w.RetryAt <= now.Ms).ToList())
            await ReportAsync(waiting.Report with { WaitingId = waiting.Id }, now);
    }

    // From here on: what PostgresMember and Membership do in SQL.

    public Incarnation Join(int node) => Read(() =>
    {
        var number = tables.Members.TryGetValue(node, out var earlier) ? earlier.Incarnation + 1 : 1;
        tables.Members[node] = new ModelMember(number, 0, Alive: true);
        return new Incarnation(node, number);
    });

    public bool Beat(Incarnation node) => Read(() =>
    {
        if (!tables.IsAlive(node))
            return false;
        tables.Members[node.Node] = tables.Members[node.Node] with { Beat = tables.Members[node.Node].Beat + 1 };
        return true;
    });

    public IReadOnlyList<SeenNode> Others(Incarnation than) => Read(() => tables.Members
        .Where(m => m.Value.Alive && m.Key != than.Node).Select(m => new SeenNode(m.Key, m.Value.Incarnation, m.Value.Beat)).ToList());

    public void DeclareDead(SeenNode node) => Read(() =>
    {
        if (tables.Members.TryGetValue(node.Id, out var member) && member == new ModelMember(node.Incarnation, node.Beat, Alive: true))
            tables.Members[node.Id] = new ModelMember(node.Incarnation + 1, node.Beat, Alive: false);
        return true;
    });

    protected override MemorySession Begin() =>
        new ModelSession(tables, _clock, mutation, new ModelQueue(tables, mutation, _astray));

    protected override T Read<T>(Func<T> read)
    {
        ThrowIfAway();
        return base.Read(read);
    }

    protected override Task<T> Commit<T>(Func<MemorySession, T> work)
    {
        ThrowIfAway();
        _astray.Begin(_isLastInDoubt);
        var result = base.Commit(work);
        _isLastInDoubt = RepliesToLose > 0;
        if (_isLastInDoubt)
        {
            RepliesToLose--;
            throw new StoreUnavailableException("The reply to a commit was lost.", mayHaveCommitted: true);
        }
        _astray.Committed();
        return result;
    }

    protected override void GiveBackAstray(MemorySession session)
    {
        if (mutation != Mutation.ForgetLostLease)
            _astray.GiveBack(session);
    }

    void ThrowIfAway()
    {
        if (IsAway)
            throw new StoreUnavailableException("The database is away.");
    }
}
