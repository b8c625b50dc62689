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

    /// <summary><c>POSTRIDER_TESTING_ACK_EARLY=1</c>: waiters are told before the commit, and the commit is held back for a
    /// while.</summary>
    public static readonly bool AcknowledgesEarly = IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_ACK_EARLY") == "1";

    /// <summary><c>POSTRIDER_TESTING_LIMITS_APART=1</c>: each node keeps the limits of transports for itself alone.</summary>
    public static readonly bool KeepsLimitsApart = IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_LIMITS_APART") == "1";

    public static void HoldCommit()
    {
        using var never = new ManualResetEventSlim();
        never.Wait(TimeSpan.FromMilliseconds(20));
    }
}
