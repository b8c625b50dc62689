using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

/// <summary>The one word for a batch: whoever waits for its end must see the end.</summary>
public sealed class BatchStatusTests
{
    public static TheoryData<string, StateCounts> Ends { get; } = new()
    {
        { "complete", new StateCounts { Sent = 20_000 } },
        { "complete", new StateCounts { Sent = 19_998, Suppressed = 2 } },
        { "complete", new StateCounts { Delivered = 1, Bounced = 3, Failed = 4, Expired = 5, Cancelled = 6 } },
        { "complete", new StateCounts() },
        { "failed", new StateCounts { Suppressed = 2 } },
        { "failed", new StateCounts { Bounced = 1, Failed = 1 } },
        { "incomplete", new StateCounts { Sent = 3, Queued = 1 } },
        { "incomplete", new StateCounts { Sent = 3, Held = 1 } },
        { "incomplete", new StateCounts { Failed = 3, Unknown = 1 } },
    };

    [Theory, MemberData(nameof(Ends))]
    public void A_batch_is_complete_when_all_ended_and_failed_only_where_none_was_sent(string expected, StateCounts counts) =>
        Assert.Equal(expected, MessageStatus.Of(counts));
}
