using Postrider.Schedules;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class ScheduleTimeTests
{
    readonly ManualClock _clock = new();

    [Fact]
    public async Task A_jump_of_the_databases_clock_is_believed_after_two_steady_looks()
    {
        var ahead = TimeSpan.Zero;
        var time = new ScheduleTime(_ => Task.FromResult(_clock.GetUtcNow() + ahead), _clock);
        async Task<bool> IsSureAsync()
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return await time.ReadAsync(default) is not null;
        }
        Assert.True(await IsSureAsync());
        ahead = TimeSpan.FromMinutes(4);
        Assert.True(await IsSureAsync());
        ahead = TimeSpan.FromHours(1);
        Assert.False(await IsSureAsync());
        Assert.False(await IsSureAsync());
        ahead = TimeSpan.FromHours(2);
        Assert.False(await IsSureAsync());
        Assert.False(await IsSureAsync());
        Assert.False(await IsSureAsync());
        Assert.True(await IsSureAsync());
        Assert.Equal(_clock.GetUtcNow() + ahead, await time.ReadAsync(default));
    }
}
