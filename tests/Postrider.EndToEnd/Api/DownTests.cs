using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Alerts;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Whoever is asked about a transport that is down says so: the API, metrics, the doctor and the alerts.</summary>
public sealed class DownTests
{
    [Fact]
    public async Task A_transport_that_is_down_is_down_for_all_who_are_asked()
    {
        var nobody = string.Create(CultureInfo.InvariantCulture, $"dead=smtp://127.0.0.1:{Ports.Free()}?tls=none&circuit=3,1h,1h live=capture://");
        await using var server = await TestServer.StartAsync(("TRANSPORTS", nobody));
        for (var i = 0; i < 4; i++)
        {
            using var sent = await server.Client.PostAsync("/emails",
                TestServer.Json("""{"from":"a@b.example","to":"c@d.example","subject":"s","text":"x"}"""), TestContext.Current.CancellationToken);
            Assert.True(sent.IsSuccessStatusCode);
            // One after the other, so that each asks the first.
            await server.GetAsync("/stats", stats => (int)stats["sent"]! == i + 1);
        }

        await server.GetAsync("/transports/dead", transport => (string?)transport["state"] == "open");
        var metrics = await server.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains("postrider_transport_available{transport=\"dead\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("postrider_transport_available{transport=\"live\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("postrider_transport_standby{transport=\"dead\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("postrider_transport_standby{transport=\"live\"} 1\n", metrics, StringComparison.Ordinal);
        var findings = (await server.Client.GetFromJsonAsync<JsonNode>("/doctor", TestContext.Current.CancellationToken))!["findings"]!.AsArray();
        Assert.Contains(findings, finding => (string?)finding!["check"] == "transports.state"
            && ((string)finding["found"]!).StartsWith("dead failed too often, last with Unreachable", StringComparison.Ordinal));
        var alerts = server.Services.GetRequiredService<IAlertStore>();
        var found = await Eventually.GetAsync(() => alerts.ListAsync(TestContext.Current.CancellationToken), list =>
            list.Any(alert => alert.Kind == AlertKind.TransportDown) && list.Any(alert => alert.Kind == AlertKind.StandbyCarriesTraffic));
        Assert.Equal("dead", found.Single(alert => alert.Kind == AlertKind.TransportDown).Subject);
        Assert.Equal("live", found.Single(alert => alert.Kind == AlertKind.StandbyCarriesTraffic).Subject);
    }
}
