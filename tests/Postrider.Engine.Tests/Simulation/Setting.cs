using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What a seed's cluster is made of: the part of chance that is thrown before the first act.</summary>
/// <param name="Nodes">1 to 3.</param>
/// <param name="IsShared">Nodes are members and watch each other; else one process holds its database alone.</param>
/// <param name="Transports">In the order of the route.</param>
/// <param name="Hold">How many of eight messages are at-most-once.</param>
/// <param name="Ordered">How many of eight have an ordering key.</param>
/// <param name="Trouble">How many of sixteen answers are not a plain acceptance.</param>
sealed record Setting(
    int Nodes, bool IsShared, IReadOnlyList<SettingTransport> Transports, TimeSpan? SpillAfter, int Hold, int Ordered, int Trouble)
{
    public static Setting Of(ulong seed)
    {
        var dice = new Dice(seed);
        var nodes = 1 + dice.Next(3);
        return new Setting(
            nodes, nodes > 1 || dice.OneIn(2),
            [.. Enumerable.Range(0, 1 + dice.Next(3)).Select(i => new SettingTransport($"t{i}", Idempotent: dice.OneIn(3)))],
            dice.OneIn(2) ? TimeSpan.FromSeconds(30) : null,
            Hold: dice.Pick(0, 2, 4, 8), Ordered: dice.Pick(0, 0, 2, 6), Trouble: dice.Pick(2, 6, 12));
    }

    public RoutePatience Patience(MailStream stream) => new(
        [.. Transports.Select(t => t.Name)],
        DeferralSchedule.Fixed([TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1)]),
        SpillAfter,
        stream == MailStream.Transactional ? TimeSpan.FromSeconds(60) : TimeSpan.FromMinutes(11));

    public override string ToString() =>
        $"{Nodes} nodes{(IsShared ? "" : " (alone with its database)")}, route {string.Join(" > ", Transports)}, {Hold}/8 hold, "
        + $"{Ordered}/8 ordered, {Trouble}/16 trouble";
}

/// <summary>A transport of the simulated route.</summary>
/// <param name="Idempotent">Its provider recognises a repetition by recipient and generation.</param>
sealed record SettingTransport(string Name, bool Idempotent)
{
    public override string ToString() => Idempotent ? $"{Name} (idempotent)" : Name;
}
