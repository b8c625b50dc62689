using Microsoft.Extensions.DependencyInjection;
using Postrider.Alerts;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What is wrong is on every page, though nobody set anything for it.</summary>
public sealed class AlertBannerTests
{
    static readonly TimeSpan Minutes = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Every_page_shows_the_first_tenants_users_what_is_raised_until_it_is_over()
    {
        await using var server = await TestServer.StartAsync();
        var store = server.Services.GetRequiredService<IAlertStore>();
        var now = TimeProvider.System.GetUtcNow();
        // Raised, and pending.
        await store.ReportAsync([new(AlertKind.DiskLow, "away", "12 <b>MB</b> of disk are free on away")], now, TimeSpan.Zero, Minutes);
        await store.ReportAsync([new(AlertKind.TransportDown, "relay", "Transport relay failed")], now, Minutes, Minutes);
        using var viewer = await Visitor.EnterAsync(server, "ann@banner.example", UserRole.Viewer);
        using var other = await Visitor.EnterAsync(server, "bob@banner.example", UserRole.Admin, new TenantId(7));
        foreach (var path in new[] { "/ui/", "/ui/messages", "/ui/inbox", "/ui/account" })
        {
            var page = await viewer.Http.GetStringAsync(path, TestContext.Current.CancellationToken);
            Assert.Contains("12 &lt;b&gt;MB&lt;/b&gt; of disk are free on away", page, StringComparison.Ordinal);
            Assert.Contains("Free space", page, StringComparison.Ordinal); // what to do about it
            Assert.DoesNotContain("Transport relay failed", page, StringComparison.Ordinal);
            Assert.False(await other.HasAsync(path, "of disk are free"));
        }

        await store.ReportAsync([], now + 2 * Minutes, TimeSpan.Zero, Minutes);
        Assert.False(await viewer.HasAsync("/ui/", "of disk are free"));
    }
}
