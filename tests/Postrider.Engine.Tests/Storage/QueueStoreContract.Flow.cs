using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task What_goes_out_by_the_minute_is_added_up_for_each_tenant_and_forgotten_after_a_while()
    {
        var flow = new FlowTable((ITableStore)_under.Store);
        var minute = FlowCount.MinuteOf(Now);
        await flow.AddAsync([new(Tenant, minute, "a", 0, 3), new(Tenant, minute, "a", 2, 1), new(OtherTenant, minute, "a", 0, 7)]);
        await flow.AddAsync([new(Tenant, minute, "a", 0, 4), new(Tenant, minute - 5, "b", 0, 1)]);
        Assert.Equal([new(Tenant, minute - 5, "b", 0, 1), new(Tenant, minute, "a", 0, 7), new(Tenant, minute, "a", 2, 1)],
            (await flow.ReadAsync(Tenant, Now.AddMinutes(-5), default)).OrderBy(count => count.Minute).ThenBy(count => count.Kind));
        await flow.ForgetAsync(Now);
        Assert.Equal([minute, minute], (await flow.ReadAsync(Tenant, Now.AddHours(-1), default)).Select(count => count.Minute));
        Assert.Equal(7, Assert.Single(await flow.ReadAsync(OtherTenant, Now.AddHours(-1), default)).Count);
    }

    [Fact]
    public async Task What_is_due_is_told_by_stream_with_the_oldest_of_it()
    {
        var flow = new FlowTable((ITableStore)_under.Store);
        await AcceptAsync("a@example.org");
        var first = Now;
        _clock.Advance(TimeSpan.FromMinutes(2));
        await AcceptAsync(Message("b@example.org") with { SendAt = Now.AddDays(1) });
        await AcceptAsync("c@example.org");
        var due = await flow.ReadDueAsync(Tenant, [Main.Route], Now, default);
        Assert.Equal((2, first), (due.Sum(one => one.Recipients), due.Min(one => one.OldestDueAt)!.Value));
        Assert.Equal(0, (await flow.ReadDueAsync(OtherTenant, [Main.Route], Now, default)).Sum(one => one.Recipients));
    }

    [Fact]
    public async Task What_came_and_ended_is_told_by_the_hour()
    {
        var flow = new FlowTable((ITableStore)_under.Store);
        await AcceptManyAsync(3);
        var hours = await flow.ReadHoursAsync(Tenant, Now.AddHours(-1), default);
        var hour = Assert.Single(hours);
        Assert.Equal(((RecipientState?)null, 3L), (hour.State, hour.Count));
        Assert.InRange(Now - hour.Hour, TimeSpan.Zero, TimeSpan.FromHours(1));
        Assert.Empty(await flow.ReadHoursAsync(Tenant, Now.AddHours(1), default));
    }
}
