using Postrider.Messages;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task What_waits_is_counted_by_what_it_waits_for()
    {
        await AcceptAsync("put-off@example.org");
        var putOff = await LeaseOneAsync();
        await Store.RecordAsync(GoesOn(putOff, Later(putOff, TimeSpan.FromHours(1), 0)));
        await AcceptAsync("under-way@example.org", "too@example.org");
        await LeaseOneAsync();
        var began = Now;
        await AcceptAsync("first@example.org");
        _clock.Advance(TimeSpan.FromMinutes(5));
        await AcceptAsync("second@example.org");
        await AcceptAsync(Message("later@example.org") with { SendAt = Now + Day, ExpiresAt = Now + 2 * Day });
        await Store.AcceptAsync(Accept(Message("other@example.org")) with { Tenant = OtherTenant }, default);
        var groups = await new QueueGroupTable((ITableStore)_under.Store).ReadAsync(Tenant, Now, default);

        Assert.All(groups, group => Assert.Equal((MailStream.Transactional, "main"), (group.Stream, group.Route)));
        Assert.Equal(
            [
                (RecipientState.Scheduled, WaitReason.Scheduled, false, 1), (RecipientState.Queued, WaitReason.None, true, 2),
                (RecipientState.Queued, WaitReason.Deferred, false, 1), (RecipientState.Leased, WaitReason.None, true, 2),
            ],
            groups.Select(group => (group.State, group.Reason, group.IsDue, group.Recipients))
                .OrderBy(group => group.State).ThenBy(group => group.Reason));
        Assert.Equal(began, groups.Single(group => group is { State: RecipientState.Queued, IsDue: true }).FirstDueAt);
        Assert.Equal(began.AddHours(1), groups.Single(group => group.Reason == WaitReason.Deferred).FirstDueAt);
    }
}
