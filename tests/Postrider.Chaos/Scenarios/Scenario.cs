namespace Postrider.Chaos.Scenarios;

enum Engine : byte
{
    Sqlite,
    Postgres,
}

/// <summary>A row of the matrix of faults: what is done, what must hold, and what must be seen to break when the guarantee is taken
/// away.</summary>
abstract class Scenario
{
    protected static readonly IReadOnlyList<Engine> Both = [Engine.Sqlite, Engine.Postgres];

    /// <summary>Its number in the matrix; <c>all</c> for the demonstration.</summary>
    public abstract string Row { get; }
    public abstract string Name { get; }
    public abstract string Invariant { get; }
    public virtual IReadOnlyList<Engine> Engines => Both;

    /// <summary>What the negative control takes away, in words; null: it has none, and why is said in <see cref="Invariant"/>.</summary>
    public abstract string? Control { get; }

    /// <summary>Where the control is run; everywhere as a rule, on one engine where what it takes away is not in the store.</summary>
    public virtual IReadOnlyList<Engine> ControlEngines => Engines;

    /// <summary>What of the system it needs and does not have; null: nothing.</summary>
    public virtual string? Missing => null;

    /// <summary>What it may take beside five others on a small machine, when it is not run in full.</summary>
    public virtual TimeSpan Limit => TimeSpan.FromMinutes(4);

    /// <summary>Does it all on an open stage, until everything has ended that will.</summary>
    public abstract Task PlayAsync(Stage stage);

    protected static string? NeedsRoot => Environment.IsPrivilegedProcess ? null : "root";
}
