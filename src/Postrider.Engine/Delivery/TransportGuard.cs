using System.Net;
using Postrider.Messages;

namespace Postrider.Delivery;

/// <summary>What a transport of a customer must not ask of the machine that it runs on.</summary>
/// <remarks>Names are looked up when a connection is made, and judged then.</remarks>
static class TransportGuard
{
    const string Remedy = "whoever runs the server can allow it with the tenant's setting allow_private_hosts";

    public static IEnumerable<string> Check(TransportSettings settings)
    {
        if (!settings.IsConfined)
            yield break;
        if (settings.Options.ContainsKey("ca"))
            yield return "option 'ca' names a file of the server, which is for whoever runs it";
        if (settings is { Scheme: "ses", User: null })
            yield return "the access key is missing: ses://KEY_ID:SECRET@region; the server's own credentials are for whoever runs it";
        if (LeadsInside(settings.Host))
            yield return $"the host {settings.Host} is in a private network; {Remedy}";
        if (!settings.Options.TryGetValue("endpoint", out var endpoint) || !Uri.TryCreate(endpoint, UriKind.Absolute, out var uri))
            yield break;
        if (LeadsInside(uri.IdnHost))
            yield return $"option 'endpoint' leads into a private network; {Remedy}";
        else if (uri.Port is not (443 or 80))
            yield return $"option 'endpoint' names port {uri.Port}, which is not one of the web (443, 80); {Remedy}";
    }

    static bool LeadsInside(string host) => IPAddress.TryParse(host.Trim('[', ']'), out var address)
        ? !NetworkAddresses.IsGlobal(address)
        : host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
