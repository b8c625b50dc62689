using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>Nodes, a database, providers and senders in virtual time. An act at a time; after each, everything that was promised
/// holds.</summary>
sealed partial class Cluster
{
    /// <summary>Between two ticks of a node.</summary>
    static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(3);

    static readonly MessageContent Content = new()
    {
        From = new Mailbox("The Shop", EmailAddress.Parse("shop@example.com")),
        Subject = "Hello",
        Text = "Your parcel is on its way.",
    };

    readonly Setting _setting;
    readonly Mutation _mutation;
    readonly SimulatedSink _sink;
    readonly Oracle _oracle;
    readonly List<SimulatedNode> _nodes;
    readonly Func<NodeClock, ISimulatedStore> _open;

    /// <param name="open">A node's way to the database; null: the model.</param>
    public Cluster(Setting setting, Mutation mutation, ModelTables? tables = null, ManualClock? clock = null,
        Func<NodeClock, ISimulatedStore>? open = null)
    {
        (_setting, _mutation) = (setting, mutation);
        Clock = clock ?? new ManualClock();
        Tables = tables ?? new ModelTables { IsShared = setting.IsShared };
        _open = open ?? (own => new ModelStore(Tables, own, mutation));
        _sink = new SimulatedSink(setting);
        _oracle = new Oracle(Tables, _sink, setting);
        _nodes = [.. Enumerable.Range(1, setting.Nodes).Select(i =>
            new SimulatedNode(i, new NodeClock(Clock), setting, _sink, _oracle, mutation))];
    }

    public ManualClock Clock { get; }
    public ModelTables Tables { get; }
    public Oracle Oracle => _oracle;
    public SimulatedSink Sink => _sink;

    /// <summary>Of two.</summary>
    public int FirstTenant { get; init; } = 1;

    /// <summary>The wall clocks of all nodes jump together: they have one store, and it has one.</summary>
    public bool HasOneClock { get; init; }

    /// <summary>Looks at what an act came to, by its number.</summary>
    public Func<int, Task> AfterAct { get; init; } = _ => Task.CompletedTask;

    /// <summary>What happened, for people; null: not written.</summary>
    public StringBuilder? Log { get; init; }

    /// <summary>Starts the nodes, lets the acts happen, then heals everything and waits until all is at rest.</summary>
    /// <exception cref="BrokenPromiseException">A promise was broken.</exception>
    public async Task RunAsync(IReadOnlyList<Act> acts)
    {
        foreach (var node in _nodes)
            await node.TryStartAsync(_open(node.Clock));
        for (var i = 0; i < acts.Count; i++)
        {
            (_oracle.Act.Number, _oracle.Act.Sweeps, _oracle.Act.Settles) = (i, false, false);
            await DoAsync(acts[i].Kind, new Dice(acts[i].Chance));
            _oracle.Check();
            if (i % 8 == 0)
                _oracle.CheckCounters();
            await AfterAct(i);
        }
        await FinishAsync(acts.Count);
        _oracle.CheckEnd();
    }

    async Task DoAsync(ActKind kind, Dice dice)
    {
        var up = _nodes.FindAll(n => n.CanAct);
        if (up.Count == 0 && kind is not (ActKind.Pass or ActKind.PassLong or ActKind.Restart or ActKind.Thaw or ActKind.Outage))
            return;
        var node = up.Count == 0 ? _nodes[0] : up[dice.Next(up.Count)];
        Note(node, kind, "");
        switch (kind)
        {
            case ActKind.Accept:
                await AcceptAsync(node, dice);
                break;
            case ActKind.AcceptAgain:
                await AcceptAgainAsync(node, dice);
                break;
            case ActKind.Lease:
                await node.LeaseAsync(dice);
                break;
            case ActKind.Start:
                await node.StartAsync(dice);
                break;
            case ActKind.Send:
                node.Send(dice);
                break;
            case ActKind.Record:
                await node.RecordAsync(dice);
                break;
            case ActKind.Release:
                node.GiveOneBack(dice);
                break;
            case ActKind.Pass:
                await PassAsync(TimeSpan.FromSeconds(1 + dice.Next(dice.OneIn(4) ? 60 : 6)));
                break;
            case ActKind.PassLong:
                await PassAsync(TimeSpan.FromMinutes(1 + dice.Next(20)));
                break;
            case ActKind.Cancel or ActKind.Retry or ActKind.Reschedule:
                await OrderAsync(node, kind, dice);
                break;
            case ActKind.Report:
                await ReportAsync(node, dice);
                break;
            default:
                await DisturbAsync(node, kind, dice);
                break;
        }
        Note(node, kind, "done");
    }

    async Task DisturbAsync(SimulatedNode node, ActKind kind, Dice dice)
    {
        switch (kind)
        {
            case ActKind.Crash:
                node.Crash();
                break;
            case ActKind.Restart when Pick(_nodes.FindAll(n => !n.IsUp), dice) is { } dead:
                await dead.TryStartAsync(_open(dead.Clock));
                break;
            case ActKind.Freeze:
                node.IsFrozen = true;
                break;
            case ActKind.Thaw when Pick(_nodes.FindAll(n => n.IsFrozen), dice) is { } frozen:
                frozen.IsFrozen = false;
                break;
            case ActKind.JumpClock:
                var jump = dice.Pick(0, 2, -2, 60, -60, 3600, -3600, 86400) * TimeSpan.FromSeconds(1);
                if (HasOneClock)
                    Clock.WallOffset = jump;
                else
                    node.Clock.Offset = jump;
                break;
            case ActKind.LoseDatabase:
                node.Store.IsAway = true;
                break;
            case ActKind.FindDatabase:
                node.Store.IsAway = false;
                break;
            case ActKind.LoseReply when _setting.IsShared:
                node.Store.RepliesToLose = 1;
                break;
            case ActKind.Outage:
                var transport = _setting.Transports[dice.Next(_setting.Transports.Count)].Name;
                if (!_sink.Out.Remove(transport))
                    _sink.Out.Add(transport);
                break;
        }
    }

    /// <summary>Time goes on, and with it what nodes do by time alone.</summary>
    async Task PassAsync(TimeSpan span)
    {
        // Whoever sleeps longer than ten seconds between two looks is no witness of a death: long spans are for the clock, not for beats.
        var step = span <= TimeSpan.FromMinutes(1) ? TickEvery : span / 8;
        for (var left = span; left > TimeSpan.Zero; left -= step)
        {
            Clock.Advance(left < step ? left : step);
            foreach (var node in _nodes)
                await node.TickAsync();
        }
    }

    /// <summary>All that was broken is mended, and nothing new comes: everything must end.</summary>
    async Task FinishAsync(int number)
    {
        _sink.IsCalm = true;
        Clock.WallOffset = TimeSpan.Zero;
        _sink.Out.Clear();
        foreach (var node in _nodes)
        {
            (node.Clock.Offset, node.IsFrozen) = (TimeSpan.Zero, false);
            if (!node.IsUp)
                await node.TryStartAsync(_open(node.Clock));
            (node.Store.IsAway, node.Store.RepliesToLose) = (false, 0);
        }
        _oracle.Check();
        for (var round = 0; round < 400 && (Tables.Queue.Count > 0 || _nodes.Exists(n => n.Hand.Count > 0)); round++)
        {
            (_oracle.Act.Number, _oracle.Act.Sweeps, _oracle.Act.Settles) = (number + round, false, false);
            await PassAsync(round < 12 ? TickEvery : UntilNext());
            _oracle.Check();
            foreach (var node in _nodes)
                await WorkAsync(node, new Dice((ulong)round));
        }
    }

    /// <summary>A node does all that it can now.</summary>
    async Task WorkAsync(SimulatedNode node, Dice dice)
    {
        (_oracle.Act.Number, _oracle.Act.Sweeps, _oracle.Act.Settles) = (_oracle.Act.Number + 1, false, false);
        await node.LeaseAsync(dice);
        _oracle.Check();
        for (var left = 4 * node.Hand.Count; left > 0 && node.Hand.Count > 0; left--)
        {
            await node.StartAsync(dice);
            node.Send(dice);
            _oracle.Act.Number++;
            await node.RecordAsync(dice);
            _oracle.Check();
        }
    }

    /// <summary>To the next thing that time alone brings, three seconds at least.</summary>
    TimeSpan UntilNext()
    {
        var now = Clock.GetUtcNow().ToUnixTimeMilliseconds();
        var next = long.MaxValue;
        foreach (var row in Tables.Queue.Values)
        {
            next = row.State != RecipientState.Leased && row.Gate != Gate.Ordering ? Math.Min(next, row.Due) : next;
            next = row.State == RecipientState.Queued ? Math.Min(next, row.Expires) : next;
        }
        return next == long.MaxValue || next - now < 3000 ? TickEvery : TimeSpan.FromMilliseconds(next - now);
    }

    static SimulatedNode? Pick(List<SimulatedNode> nodes, Dice dice) => nodes.Count == 0 ? null : nodes[dice.Next(nodes.Count)];

    void Note(SimulatedNode node, ActKind kind, string what)
    {
        if (Log is null)
            return;
        if (what.Length == 0)
        {
            Log.Append(System.Globalization.CultureInfo.InvariantCulture,
                $"{_oracle.Act.Number,4} {Clock.GetUtcNow():HH:mm:ss} n{node.Number} {kind}");
            return;
        }
        foreach (var id in Tables.Changed)
            Log.Append(' ').Append(Tables.Describe(id));
        Log.AppendLine();
    }
}
