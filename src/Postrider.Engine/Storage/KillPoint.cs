using System.Diagnostics;

namespace Postrider.Storage;

/// <summary>A moment in the life of a transaction at which the process of a fault test ends itself, as by SIGKILL:
/// <c>POSTRIDER_TESTING_KILL_AT=RecordAsync.inside:2</c> is the second time that a record has been executed and not committed.</summary>
/// <remarks>Works are named as the store's calls are. <c>before</c>: nothing of the transaction was begun; <c>inside</c>: all of it was
/// executed; <c>after</c>: it is committed, and nobody was told. Never set unless <c>POSTRIDER_TESTING=1</c>.</remarks>
static class KillPoint
{
    static readonly string? Place = TestSwitches.KillAt?.Split(':')[0];
    static int _left = TestSwitches.KillAt?.Split(':') is [_, var times] ? int.Parse(times, null) : 1;

    public static void Pass(IReadOnlyList<PendingWork> works, string moment)
    {
        if (Place is null)
            return;
        foreach (var work in works)
        {
            if ($"{work.Call}.{moment}" == Place && Interlocked.Decrement(ref _left) == 0)
                Die();
        }
    }

    static void Die()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
        using var never = new ManualResetEventSlim();
        never.Wait();
    }
}
