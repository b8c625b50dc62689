using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Simulation;

/// <summary>What a simulation keeps its mail and its quotas in, with a clock of its own.</summary>
public sealed record SimulationStores(IQueueStore Queue, IQuotaStore Quotas);

/// <summary>What happens in a store, told while it happens.</summary>
/// <param name="Recorded">An attempt is going to be recorded.</param>
/// <param name="Ended">A recipient ended, or is held.</param>
public sealed record StoreWatch(Action<AttemptRecord> Recorded, Action<RecipientId, RecipientState> Ended);

/// <summary>Opens empty stores.</summary>
public delegate SimulationStores OpenStores(TimeProvider clock, StoreWatch watch);
