namespace Postrider.Storage;

/// <summary>Faults of storage that the kill and power-cut harness asks for, to show that it would find them. None unless
/// <c>POSTRIDER_TESTING=1</c>.</summary>
/// <remarks>Read from the environment and from nowhere else: no file and no command line of an operator can lead here.</remarks>
static class TestSwitches
{
    static readonly bool IsTesting = Environment.GetEnvironmentVariable("POSTRIDER_TESTING") == "1";

    /// <summary>SQLite's number of the pragma: FULL, unless <c>POSTRIDER_TESTING_SYNCHRONOUS=NORMAL</c>.</summary>
    public static string Synchronous =>
        IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_SYNCHRONOUS") == "NORMAL" ? "1" : "2";

    /// <summary><c>POSTRIDER_TESTING_ACK_EARLY=1</c>: waiters are told before the commit, and the commit is held back for a
    /// while.</summary>
    public static readonly bool AcknowledgesEarly = IsTesting && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_ACK_EARLY") == "1";

    public static void HoldCommit()
    {
        using var never = new ManualResetEventSlim();
        never.Wait(TimeSpan.FromMilliseconds(20));
    }
}
