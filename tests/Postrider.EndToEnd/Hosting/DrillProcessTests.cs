using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>A fire drill over a server that is stopped and started again meanwhile.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class DrillProcessTests : BuiltServerTests
{
    const string Key = "key-of-the-drill-over-a-restart";

    readonly int _port = Ports.Free();

    Uri Address => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"));

    [Fact]
    public async Task A_drill_goes_on_over_a_restart_and_nothing_of_its_mail_is_lost()
    {
        var server = await StartAsync();
        using var client = new HttpClient { BaseAddress = Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        using var stop = new CancellationTokenSource();
        var load = LoadAsync(client, stop.Token);
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var variables = new Hashtable { ["POSTRIDER_URL"] = Address.ToString(), ["POSTRIDER_API_KEY"] = Key };
        var drill = CommandLine.RunAsync(["drill", "--transport", "main", "--for", "20s", "--before", "1s", "--json"],
            new CommandInput(variables, null), output, error);
        await Eventually.HoldsAsync(() => IsBrokenAsync(client), TimeSpan.FromSeconds(60));

        Assert.Equal(0, await StopAsync(server));
        server = await StartAsync();
        Assert.True(await IsBrokenAsync(client), "the drill ended with the process");
        Assert.True(await drill == 0, error.ToString() + output);
        await stop.CancelAsync();
        var accepted = await load;
        var report = JsonNode.Parse(output.ToString())!;
        Assert.Equal((0, 0), ((int)report["lost"]!, (int)report["open"]!));
        Assert.InRange((int)report["hit"]!, 1, accepted);
        Assert.False(await IsBrokenAsync(client));
        Assert.Equal(0, await StopAsync(server));
    }

    async Task<System.Diagnostics.Process> StartAsync()
    {
        var server = Start(("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"), ("POSTRIDER_URLS", Address.ToString().TrimEnd('/')),
            ("POSTRIDER_TRANSPORTS", "main=sim://main?latency=5ms backup=sim://backup?latency=5ms"));
        await BannerAsync(server);
        return server;
    }

    static async Task<bool> IsBrokenAsync(HttpClient client)
    {
        using var answer = await client.GetAsync("/transports/main/drill");
        return answer.StatusCode == HttpStatusCode.OK;
    }

    /// <summary>Mail until it is told to stop, also while nobody answers; how many were accepted.</summary>
    static async Task<int> LoadAsync(HttpClient client, CancellationToken ct)
    {
        var accepted = 0;
        while (!ct.IsCancellationRequested)
        {
            try
            {
                using var answer = await client.PostAsync("/emails",
                    TestServer.Json("""{"from":"a@example.com","to":"b@example.com","subject":"Drill","text":"x"}"""), CancellationToken.None);
                accepted += answer.StatusCode == HttpStatusCode.Accepted ? 1 : 0;
            }
            catch (HttpRequestException)
            {
                // It is being started again.
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return accepted;
    }
}
