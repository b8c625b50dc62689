using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Vendors;

namespace Postrider.EndToEnd.Vendors;

/// <summary>All simulated vendors in this process, on a port of their own.</summary>
public sealed class VendorHost : IAsyncDisposable
{
    readonly WebApplication _app;

    VendorHost(WebApplication app)
    {
        _app = app;
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        Client = new HttpClient { BaseAddress = Address };
    }

    public Uri Address { get; }
    public HttpClient Client { get; }
    public IServiceProvider Services => _app.Services;

    public static async Task<VendorHost> StartAsync(params string[] keys)
    {
        var app = VendorServer.Build(new VendorServerOptions(IPAddress.Loopback, 0, keys), TimeProvider.System, Entropy.System);
        await app.StartAsync();
        return new VendorHost(app);
    }

    /// <summary>A transport of a vendor here.</summary>
    public string Dsn(string vendor, params string[] options) => vendor switch
    {
        "ses" => "ses://ID:SECRET@us-east-1",
        "mailgun" => "mailgun://KEY@mg.example.com",
        _ => $"{vendor}://KEY@",
    } + "?" + string.Join('&', [$"endpoint={Uri.EscapeDataString($"{Address}{vendor}")}", .. options]);

    /// <param name="faults">As in the control call: <c>refuse=sandbox&amp;to=a@b.example</c>.</param>
    public async Task SetAsync(string vendor, string faults)
    {
        using var cleared = await Client.DeleteAsync($"/vendors/{vendor}/faults");
        using var set = await Client.PostAsync($"/vendors/{vendor}/faults?{faults}", null);
        if (!set.IsSuccessStatusCode)
            throw new InvalidOperationException(await set.Content.ReadAsStringAsync());
    }

    public async Task<JsonArray> MailsAsync(string vendor) =>
        JsonNode.Parse(await Client.GetStringAsync($"/vendors/{vendor}/mails"))!.AsArray();

    public async Task<int> CallsAsync(string vendor) =>
        (int)JsonNode.Parse(await Client.GetStringAsync("/vendors"))!.AsArray().Single(one => (string)one!["name"]! == vendor)!["calls"]!;

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
