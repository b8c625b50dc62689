namespace Postrider.Storage;

/// <summary>Faults that tests of built processes ask for, to show that they would find them. None unless
/// <c>POSTRIDER_TESTING=1</c>.</summary>
/// <remarks>Read from the environment and from nowhere else: no file and no command line of an operator can lead here.</remarks>
public static class TestSwitches
{
    static readonly bool IsTesting = Environment.GetEnvironmentVariable("POSTRIDER_TESTING") == "1";

    /// <summary>SQLite's number of the pragma: FULL, unless <c>POSTRIDER_TESTING_SYNCHRONOUS=NORMAL</c>.</summary>
    public static string Synchronous =>
        IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_SYNCHRONOUS") == "NORMAL" ? "1" : "2";

    public static bool SyncsRarely => Synchronous != "2";

    /// <summary><c>POSTRIDER_TESTING_ACK_EARLY=1</c>: waiters are told before the commit, and the commit is held back for a
    /// while.</summary>
    public static readonly bool AcknowledgesEarly = Is("POSTRIDER_TESTING_ACK_EARLY");

    /// <summary><c>POSTRIDER_TESTING_NO_COMMIT_POINT=1</c>: under <c>hold</c> the last byte leaves without the test whether the lease still
    /// stands and nothing was cancelled or suppressed.</summary>
    public static readonly bool PassesEveryCommitPoint = Is("POSTRIDER_TESTING_NO_COMMIT_POINT");

    /// <summary><c>POSTRIDER_TESTING_KEEP_LOST_LEASES=1</c>: leases whose commit was not answered stay leased, for nobody.</summary>
    public static readonly bool KeepsLostLeases = Is("POSTRIDER_TESTING_KEEP_LOST_LEASES");

    /// <summary><c>POSTRIDER_TESTING_EVERY_CONNECTION=1</c>: as many connections are taken as the settings allow, whatever the limit of
    /// open files is.</summary>
    public static readonly bool TakesEveryConnection = Is("POSTRIDER_TESTING_EVERY_CONNECTION");

    /// <summary><c>POSTRIDER_TESTING_KILL_AT</c>, see <see cref="KillPoint"/>; null: nowhere.</summary>
    public static readonly string? KillAt = IsTesting ? Environment.GetEnvironmentVariable("POSTRIDER_TESTING_KILL_AT") : null;

    static bool Is(string name) => IsTesting && Environment.GetEnvironmentVariable(name) == "1";

    /// <summary><c>POSTRIDER_TESTING_LIMITS_APART=1</c>: each node keeps the limits of transports for itself alone.</summary>
    public static readonly bool KeepsLimitsApart = IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_LIMITS_APART") == "1";

    public static void HoldCommit()
    {
        using var never = new ManualResetEventSlim();
        never.Wait(TimeSpan.FromMilliseconds(100));
    }
}
