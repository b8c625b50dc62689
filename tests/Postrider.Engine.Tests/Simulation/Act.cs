using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What may happen next in a simulation.</summary>
enum ActKind
{
    Accept, AcceptAgain, Lease, Start, Send, Record, Release, Pass, PassLong,
    Crash, Restart, Freeze, Thaw, JumpClock, LoseDatabase, FindDatabase, LoseReply,
    Cancel, Retry, Reschedule, Report, Outage,
}

/// <summary>One step of a history: what happens, and the chance with which it is decided to whom and how. What it throws is its own, so
/// that the others stay what they are when it is left out.</summary>
readonly record struct Act(ActKind Kind, ulong Chance)
{
    static readonly (ActKind Kind, int Weight)[] Weights =
    [
        (ActKind.Accept, 12), (ActKind.AcceptAgain, 1), (ActKind.Lease, 14), (ActKind.Start, 15), (ActKind.Send, 15), (ActKind.Record, 17),
        (ActKind.Release, 1), (ActKind.Pass, 12), (ActKind.PassLong, 1), (ActKind.Crash, 1), (ActKind.Restart, 3), (ActKind.Freeze, 1),
        (ActKind.Thaw, 2), (ActKind.JumpClock, 1), (ActKind.LoseDatabase, 1), (ActKind.FindDatabase, 3), (ActKind.LoseReply, 2),
        (ActKind.Cancel, 2), (ActKind.Retry, 2), (ActKind.Reschedule, 1), (ActKind.Report, 3), (ActKind.Outage, 1),
    ];

    static readonly ActKind[] Drawn = [.. Weights.SelectMany(w => Enumerable.Repeat(w.Kind, w.Weight))];

    /// <summary>The history of a seed.</summary>
    public static List<Act> Draw(ulong seed, int count)
    {
        var dice = new Dice(seed ^ 0xA0761D6478BD642F);
        var acts = new List<Act>(count);
        for (var i = 0; i < count; i++)
            acts.Add(new Act(Drawn[dice.Next(Drawn.Length)], BitConverter.ToUInt64(dice.Bytes(8))));
        return acts;
    }
}
