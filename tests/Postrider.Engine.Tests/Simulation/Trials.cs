using Postrider.Messages;
using Postrider.Providers.Simulated;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Simulation;
using Postrider.Storage.Memory;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>Scenarios for tests, and the providers that they name.</summary>
static class Trials
{
    /// <param name="vendors">DSNs of <c>sim://</c>.</param>
    public static Scenario Of(string vendors, string strategy = "priority") => new()
    {
        Routing = new RoutingOptions
        {
            Transports = vendors,
            Routes = { [RouteSettings.DefaultName] = new RouteOptions { Strategy = strategy } },
        },
    };

    public static Task<SimulationResult> RunAsync(Scenario scenario, OpenStores? open = null) =>
        new SimulationRun(scenario, [new SimulatedProviderFactory(TimeProvider.System, Entropy.System)], open ?? MemoryStorage.Open)
            .RunAsync(CancellationToken.None);

    /// <summary>All that a result says, for comparing.</summary>
    public static string Words(SimulationResult result) => string.Join('\n', [
        $"{result.Delivered} {result.Failed} {result.Expired} {result.Tries} {result.PossibleDuplicates} {result.Took} {result.Seed}",
        string.Join(' ', result.Delays), string.Join(' ', result.Depth), string.Join('\n', result.Circuit),
        .. result.Vendors.Select(v => $"{v.Name} {v.Tries} {v.Delivered} {v.Share} {string.Join(' ', v.Outcomes)}"),
    ]);
}

/// <summary>A negative control: a store that forgets where a mail has failed, so that nothing fails over.</summary>
static class WithoutFailover
{
    public static SimulationStores Open(TimeProvider clock, StoreWatch watch) =>
        new(new Store(new Tables(watch), clock, watch), MemoryStorage.Open(clock, watch).Quotas);

    sealed class Tables(StoreWatch watch) : MemoryTables
    {
        public override void Ended(RecipientId recipient, RecipientState state) => watch.Ended(recipient, state);
    }

    sealed class Store(MemoryTables tables, TimeProvider clock, StoreWatch watch) : MemoryStore(tables, clock)
    {
        readonly TimeProvider _clock = clock;

        public override Task<RecordResult> RecordAsync(AttemptRecord record)
        {
            watch.Recorded(record);
            return base.RecordAsync(record with { Continues = [.. record.Continues.Select(Forget)] });
        }

        Continuation Forget(Continuation goesOn) => goesOn with
        {
            History = goesOn.History with { FailedThisRound = [] },
            DueAt = goesOn.DueAt < _clock.GetUtcNow().AddSeconds(1) ? _clock.GetUtcNow().AddSeconds(1) : goesOn.DueAt,
        };
    }
}
