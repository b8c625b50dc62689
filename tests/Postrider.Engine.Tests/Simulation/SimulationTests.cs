using System.Globalization;
using Xunit;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>Thousands of histories with every fault that the model knows. More by environment variable: SEEDS=1000000, or another
/// beginning by FIRST_SEED.</summary>
public sealed class SimulationTests
{
    /// <summary>Seeds that are shown before the run ends: what they have in common is told by a few.</summary>
    const int MostTold = 4;

    internal static ulong Variable(string name, ulong otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? ulong.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    [Fact]
    public void No_history_breaks_a_promise()
    {
        var first = Variable("FIRST_SEED", 1);
        var seeds = Variable("SEEDS", 2000);
        var started = TimeProvider.System.GetTimestamp();
        var broken = new List<string>();
        for (var seed = first; seed < first + seeds && broken.Count < MostTold; seed++)
        {
            if (Simulation.Run(seed) is { } history)
                broken.Add(history);
        }
        if (broken.Count > 0)
            Assert.Fail(string.Join("\n", broken));
        var took = TimeProvider.System.GetElapsedTime(started);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{seeds} seeds of {Simulation.Acts} acts in {took.TotalSeconds:0.0} s: {seeds / took.TotalMinutes:0} a minute"));
    }

    [Fact]
    public void The_same_seed_gives_the_same_history_byte_for_byte() => Assert.Equal(Simulation.Trace(7), Simulation.Trace(7));

    /// <summary>Seeds that once broke a promise, or that came close to it.</summary>
    [Theory]
    [InlineData(35UL, "accepted while the wall clock is an hour off: its time is up before it is attempted")]
    [InlineData(66UL, "ordered mail taken in while the wall clock is a day off")]
    [InlineData(88UL, "the recipients of an ordered message part, and some of them are in doubt")]
    [InlineData(103UL, "swept while the wall clock is a day off: its doubt is settled all the same")]
    [InlineData(3248UL, "cancelled, then reported as delivered and as bounced at once")]
    [InlineData(8258UL, "an ordered message has parted and is cancelled: its key must not be left without one in front")]
    [InlineData(9325UL, "expired, then reported as delivered and as bounced at once")]
    [InlineData(12688UL, "a node that was frozen for 46 s must not begin what it leased before")]
    [InlineData(18781UL, "a repetition at the provider that tells repetitions was under way at a crash: it goes elsewhere as a possible duplicate")]
    public void A_kept_seed_breaks_no_promise(ulong seed, string what) =>
        Assert.True(Simulation.Run(seed) is null, what);

    public static TheoryData<Mutation> Mutations => [.. Enum.GetValues<Mutation>().Except([Mutation.None])];

    /// <summary>The negative controls: with any one guarantee taken away, a few hundred seeds are enough to tell.</summary>
    [Theory]
    [MemberData(nameof(Mutations))]
    public void A_guarantee_that_is_taken_away_is_missed(Mutation mutation)
    {
        var found = Simulation.FindBroken(mutation, seeds: 500);
        Assert.NotNull(found);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{mutation}: seed {found.Value.Seed} breaks {found.Value.Rule}"));
    }
}
