using Postrider.Simulation;
using Postrider.Storage.Memory;

namespace Postrider.Hosting;

/// <summary>Simulations of delivery, with every kind of provider that a transport can be and stores in memory.</summary>
static class Simulating
{
    public static SimulationRun Prepare(Scenario scenario) => new(scenario, Rooms.ProvidersForChecking, MemoryStorage.Open);
}
