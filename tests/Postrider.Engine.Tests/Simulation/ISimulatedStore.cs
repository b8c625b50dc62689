using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What a simulated node needs beside the queue: its place among the nodes, and reports. The model has it; so has a pair of the
/// model and an engine, which must agree.</summary>
interface ISimulatedStore : IQueueStore
{
    /// <summary>The database cannot be reached: nothing is stored.</summary>
    bool IsAway { get; set; }

    /// <summary>How many of the next commits are not answered.</summary>
    int RepliesToLose { get; set; }

    Incarnation Join(int node);

    /// <summary>False: it was declared dead.</summary>
    bool Beat(Incarnation node);
    IReadOnlyList<SeenNode> Others(Incarnation than);
    void DeclareDead(SeenNode node);
    Task<bool> ExistsAsync(MessageId id);
    Task<FeedbackResult> ReportAsync(FeedbackReport report, DateTimeOffset now);
    Task LookAtWaitingReportsAsync(DateTimeOffset now);
}
