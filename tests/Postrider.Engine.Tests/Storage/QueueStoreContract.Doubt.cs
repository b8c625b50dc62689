using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// What is in doubt, and the search for it at the provider.
public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task What_is_in_doubt_is_listed_with_its_transport_shortly_before_the_doubt_ends()
    {
        await SentAsync("sent@example.org");
        var id = await AcceptAsync("ann@example.org", "bob@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(120)));

        Assert.Empty(await _under.Feedback.DoubtfulAsync(Now + TimeSpan.FromSeconds(60), 10, default));
        var doubtful = Assert.Single(await _under.Feedback.DoubtfulAsync(Now + TimeSpan.FromSeconds(121), 10, default));

        Assert.Equal(("relay", id, Now + TimeSpan.FromSeconds(120)), (doubtful.Transport, doubtful.Message.Message, doubtful.DueAt));
        Assert.Equal([0, 1], doubtful.Message.Recipients);
    }

    [Fact]
    public async Task What_the_provider_has_is_not_sent_again()
    {
        var id = await AcceptAsync("ann@example.org", "bob@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(120)));
        var asked = new List<IReadOnlyList<int>>();
        var has = Array.Empty<FeedbackEvent>();
        using var metrics = new FeedbackMetrics();
        using var search = new DoubtSearch(
            _under.Feedback, new FeedbackReceiver(_under.Feedback, _clock, metrics, NullLogger<FeedbackReceiver>.Instance),
            (_, transport, message, _) =>
            {
                Assert.Equal(("relay", id), (transport, message.Message));
                asked.Add(message.Recipients);
                return ValueTask.FromResult<FoundAtTransport?>(new FoundAtTransport("postmark", "relay", has));
            }, _clock, NullLogger<DoubtSearch>.Instance);

        await search.LookAsync(default);
        Assert.Empty(asked);                         // too early: a callback may come by itself
        _clock.Advance(TimeSpan.FromSeconds(61));
        await search.LookAsync(default);
        await search.LookAsync(default);
        Assert.Equal([0, 1], Assert.Single(asked));  // once in a while
        Assert.Equal(RecipientState.Unknown, await StateAsync(id));
        has =
        [
            new FeedbackEvent { Kind = FeedbackKind.Accepted, Type = "found/Sent", Key = "found/1", CarriedId = $"{id}-1", At = Now },
        ];
        _clock.Advance(TimeSpan.FromSeconds(21));
        await search.LookAsync(default);

        Assert.Equal([RecipientState.Unknown, RecipientState.Sent], (await ViewAsync(id)).Recipients.Select(r => r.State));
        _clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(1, await Store.SettleAsync(Now, 100, default));
        Assert.Equal(0, Assert.Single((await LeaseOneAsync()).Recipients).N);
    }
}
