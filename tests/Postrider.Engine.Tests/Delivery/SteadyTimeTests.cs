using Postrider.Messages;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

public sealed class SteadyTimeTests
{
    readonly ManualClock _clock = new();
    readonly SteadyTime _time;

    public SteadyTimeTests() => _time = new SteadyTime(_clock);

    void Tick()
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        _time.Tick();
    }

    [Theory]
    [InlineData(299)]
    [InlineData(-299)]
    public void A_clock_that_is_set_by_less_than_five_minutes_is_right(int seconds)
    {
        _clock.WallOffset = TimeSpan.FromSeconds(seconds);
        Assert.False(_time.IsDoubtful);
        Assert.Equal(_clock.GetUtcNow(), _time.Now);
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(366 * 86400)]
    public void A_jump_is_believed_after_two_ticks_that_agree_with_it(int seconds)
    {
        Tick();
        var before = _time.Now;
        _clock.WallOffset = TimeSpan.FromSeconds(seconds);
        Assert.True(_time.IsDoubtful);
        Assert.Equal(before, _time.Now);

        Tick(); // sees it
        Tick(); // agrees once
        Assert.True(_time.IsDoubtful);
        Assert.Equal(before.AddSeconds(2), _time.Now);

        Tick(); // agrees twice
        Assert.False(_time.IsDoubtful);
        Assert.Equal(_clock.GetUtcNow(), _time.Now);
    }

    [Fact]
    public void A_clock_that_goes_on_jumping_is_not_believed()
    {
        for (var i = 1; i <= 10; i++)
        {
            _clock.WallOffset = TimeSpan.FromHours(i);
            Tick();
            Assert.True(_time.IsDoubtful);
        }
    }

    [Fact]
    public void A_jump_that_is_taken_back_was_never_there()
    {
        _clock.WallOffset = TimeSpan.FromDays(400);
        Tick();
        Tick();
        _clock.WallOffset = TimeSpan.Zero;
        Assert.False(_time.IsDoubtful);
        Assert.Equal(_clock.GetUtcNow(), _time.Now);
    }

    [Fact]
    public void Drift_is_followed()
    {
        for (var i = 0; i < 3_600; i++)
        {
            _clock.WallOffset += TimeSpan.FromMilliseconds(500);
            Tick();
            Assert.False(_time.IsDoubtful);
        }
        Assert.Equal(_clock.GetUtcNow(), _time.Now);
    }
}
