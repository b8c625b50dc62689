using Postrider.Messages;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Traces are kept as text, and cost nothing where nobody listens.</summary>
public sealed class MailTraceTests
{
    const string Kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    [Fact]
    public void What_is_kept_is_read_again()
    {
        var trace = MailTrace.Parse(Kept);
        Assert.Equal(Kept, MailTrace.Format(trace));
        Assert.True(trace.IsRemote);
        Assert.Equal(default, MailTrace.Parse("00-garbage"));
    }

    [Fact]
    public void Nobody_listens_and_nothing_is_made()
    {
        var trace = MailTrace.Parse(Kept);
        var any = false;
        void Walk()
        {
            for (var i = 0; i < 1_000; i++)
            {
                using var accept = MailTrace.Start("postrider.accept");
                using var attempt = MailTrace.Continue("postrider.attempt", trace, isOfMany: false);
                any |= accept is not null || attempt is not null || MailTrace.Current != default;
            }
        }
        Walk();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Walk();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.False(any);
    }
}
