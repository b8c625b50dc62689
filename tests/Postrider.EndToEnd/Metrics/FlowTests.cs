using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Metrics;

/// <summary>What the Overview of the dashboard draws, of a server as it runs.</summary>
public sealed class FlowTests
{
    [Fact]
    public async Task What_goes_out_is_counted_by_minute_transport_and_delay()
    {
        await using var server = await TestServer.StartAsync();
        var began = TimeProvider.System.GetUtcNow().AddMinutes(-1);
        for (var n = 0; n < 3; n++)
            (await server.Client.PostAsync("/emails", TestServer.Json(
                """{"from":"a@example.com","to":"b@example.org","subject":"S","text":"T"}"""))).EnsureSuccessStatusCode();
        var flow = server.Services.GetRequiredService<IFlowStore>();

        var counts = await Eventually.GetAsync(() => flow.ReadAsync(TenantId.First, began, TestContext.Current.CancellationToken),
            all => all.Where(one => one.Outcome == OutcomeKind.Accepted).Sum(one => one.Count) == 3);
        Assert.All(counts, one => Assert.Equal("capture", one.Transport));
        Assert.Equal(3, counts.Where(one => one.Delay is not null).Sum(one => one.Count));
    }
}
