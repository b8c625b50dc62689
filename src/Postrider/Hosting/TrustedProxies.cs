using Microsoft.AspNetCore.HttpOverrides;

namespace Postrider.Hosting;

/// <summary>Believes the proxies that an operator names what they say of who calls and how, and nobody else.</summary>
/// <remarks>What comes from elsewhere with these headers is taken as if it had none: whoever can reach us could write there what they
/// like.</remarks>
static class TrustedProxies
{
    /// <summary>First of all: the address and the scheme are looked at by everything behind.</summary>
    public static void UseTrustedProxies(this IApplicationBuilder app, PostriderOptions options)
    {
        var networks = SmtpListenerOptions.Networks(options.TrustedProxies, out _);
        if (networks.Count == 0)
            return;
        var forwarded = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto,
            // Through as many as are trusted: the first address from the right that is not theirs is who calls.
            ForwardLimit = null,
        };
        forwarded.KnownProxies.Clear(); // else loopback, which nobody named
        forwarded.KnownIPNetworks.Clear();
        foreach (var network in networks)
            forwarded.KnownIPNetworks.Add(network);
        app.UseForwardedHeaders(forwarded);
    }
}
