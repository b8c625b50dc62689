using Postrider.Mail.Dns;
using Postrider.Providers;
using Postrider.Senders;
using Postrider.Storage.Tables;

namespace Postrider.Hosting;

/// <summary>Puts sender domains into the process: where they are kept, who is asked about them, and who signs.</summary>
static class SenderRegistration
{
    const string ResolvConf = "/etc/resolv.conf";

    public static void AddSenders(this IServiceCollection services)
    {
        services.AddSingleton<ISenderStore, SenderTables>();
        services.AddSingleton<SenderKeys>();
        services.AddSingleton(sp =>
        {
            var entropy = sp.GetRequiredService<Entropy>();
            return Resolver(sp.GetRequiredService<SenderOptions>(), sp.GetRequiredService<TimeProvider>(), entropy);
        });
        services.AddSingleton(sp => Checker(sp.GetRequiredService<DnsResolver>(), sp.GetRequiredService<PostriderOptions>(),
            sp.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SenderDomains>();
        services.AddSingleton<SignerLookup>(sp => sp.GetRequiredService<SenderDomains>().SignerFor);
    }

    public static DnsResolver Resolver(SenderOptions options, TimeProvider clock, Entropy entropy) =>
        new(Servers(options), clock, bytes => entropy.Fill(bytes.Span));

    public static DomainChecker Checker(DnsResolver resolver, PostriderOptions options, TimeProvider clock) =>
        new(resolver, clock, options.BounceDomain is { Length: > 0 } bounces ? bounces : null);

    /// <summary>Without a readable file of the system none: the checks then say what to set.</summary>
    static IReadOnlyList<System.Net.IPEndPoint> Servers(SenderOptions options)
    {
        if (DnsServers.Parse(options.Dns, out _) is { Count: > 0 } given)
            return given;
        try
        {
            return DnsServers.OfSystem(File.ReadAllText(ResolvConf));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
