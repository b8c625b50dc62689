using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Postrider.Hosting;
using Postrider.Vendors;

namespace Postrider.Cli;

/// <summary><c>vendors</c>: the APIs of all vendors at once, simulated, until it is interrupted.</summary>
static class VendorsCommand
{
    public static Command Make(Screen screen)
    {
        var port = new Option<int>("--port")
        {
            Description = "Where to listen, on the loopback address. Default: 9000; 0 takes a free one.",
            DefaultValueFactory = _ => 9000,
        }.Within(0, IPEndPoint.MaxPort);
        var keys = new Option<string[]>("--api-key")
        {
            Description = "A key that is taken, or ID:SECRET for signed calls; several times. Default: any key.",
        };
        var faults = new Option<string[]>("--fault")
        {
            Description = "What is wrong with a vendor: mailgun:latency=20ms&fail=0.05 (all: for every one); several times.",
        };
        var command = new Command("vendors", "Serves the APIs of SES, SendGrid, Mailgun, Postmark and Resend, simulated, with faults.")
        {
            port, keys, faults,
        };
        command.SetAction(async (parsed, ct) =>
        {
            var options = new VendorServerOptions(IPAddress.Loopback, parsed.GetValue(port), parsed.GetValue(keys) ?? []);
            await using var app = VendorServer.Build(options, TimeProvider.System, Entropy.System);
            var town = app.Services.GetRequiredService<VendorTown>();
            foreach (var fault in parsed.GetValue(faults) ?? [])
                Apply(fault, town);
            try
            {
                await app.StartAsync(ct);
            }
            catch (IOException e)
            {
                throw new CommandFailure(ExitCodes.Unavailable, e.Message);
            }
            var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
            screen.Line($"Simulated vendors listen on {address}");
            foreach (var vendor in town.All)
                screen.Line($"  {Example(vendor.Name)}?endpoint={address}/{vendor.Name}");
            screen.Line($"Control: curl -X POST '{address}/vendors/mailgun/faults?refuse=sandbox'   curl {address}/vendors/mailgun/mails");
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            }
            catch (OperationCanceledException)
            {
                // Interrupted: that is how it ends.
            }
            await app.StopAsync(CancellationToken.None);
            return ExitCodes.Ok;
        });
        return command;
    }

    static void Apply(string text, VendorTown town)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? "" : text[..colon];
        var vendors = name == "all" ? town.All : town.Find(name) is { } one ? [one] : [];
        if (vendors.Count == 0)
            throw CommandFailure.Usage(
                $"--fault \"{Screen.Printable(text)}\" begins with none of all:, {string.Join(", ", town.All.Select(v => v.Name + ":"))}");
        var faults = new List<string>();
        var options = text[(colon + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('=', 2))
            .Select(pair => KeyValuePair.Create(pair[0], pair.Length > 1 ? Uri.UnescapeDataString(pair[1]) : "")).ToList();
        foreach (var vendor in vendors)
            vendor.Faults = vendor.Faults.With(options, TimeProvider.System.GetUtcNow(), faults);
        if (faults.Count > 0)
            throw CommandFailure.Usage($"--fault {name}: {faults[0]}");
    }

    static string Example(string vendor) => vendor switch
    {
        "ses" => "ses://ID:SECRET@us-east-1",
        "mailgun" => "mailgun://KEY@mg.example.com",
        _ => $"{vendor}://KEY@",
    };
}
