using System.Net;
using Postrider.Alerts;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dns;
using Postrider.Mail.Smtp;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Submission;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Hosting;

/// <summary>What one attribute cannot say: forms of texts, and settings that must fit each other.</summary>
static class ConfigurationRules
{
    static readonly char[] Separators = [' ', '\t', '\r', '\n', ','];

    public static void Judge(LoadedConfiguration configuration)
    {
        var options = configuration.Get<PostriderOptions>();
        JudgeUrls(configuration, nameof(options.Urls), options.Urls);
        if (options.AdminUrls.Length > 0)
            JudgeUrls(configuration, nameof(options.AdminUrls), options.AdminUrls);
        JudgeSmtp(configuration, options.Smtp);
        JudgePublicUrl(configuration, options.PublicUrl);
        JudgeProxies(configuration, options.TrustedProxies);
        if (options.BounceDomain.Length > 0 && !EmailAddress.TryParse($"postmaster@{options.BounceDomain}", out _, out _))
            configuration.Fault(nameof(options.BounceDomain), "is a domain, such as bounce.example.com");
        foreach (var role in Split(options.Roles).Where(r => !Roles.TryParse(r, out _)))
            configuration.Fault(nameof(options.Roles), $"names \"{role}\"; the roles are {string.Join(", ", Roles.Names)}");
        JudgeStore(configuration, options);
        var server = configuration.Get<ServerOptions>();
        if (server.MaxBodyMemoryBytes < server.MaxSendBytes)
            configuration.Fault(
                "Server:MaxBodyMemoryBytes", "must not be less than Server:MaxSendBytes, or the largest body could never be read");
        foreach (var fault in TransportSetup.Check(configuration.Routing, Rooms.ProvidersForChecking, TimeProvider.System))
            configuration.Fault(fault.Setting, fault.Words);
        AllowedRecipients.Parse(configuration.Submission.AllowRecipients, out var patterns);
        foreach (var fault in patterns)
            configuration.Fault(nameof(options.AllowRecipients), fault);
        if (configuration.Submission.Rate is { Length: > 0 } rate && !Routing.Rate.TryParse(rate, out _))
            configuration.Fault("Submission:Rate", "is recipients per time, such as 50/s or 10000/d, with so many at once 50/s,500");
        DnsServers.Parse(configuration.Get<SenderOptions>().Dns, out var addresses);
        foreach (var fault in addresses)
            configuration.Fault(nameof(SenderOptions.Dns), fault);
        WebhookTargets.Parse(configuration.Get<WebhookOptions>().Allow, out var targets);
        foreach (var fault in targets)
            configuration.Fault("Webhooks:Allow", fault);
        JudgeAlerts(configuration, configuration.Get<AlertOptions>());
        JudgeSecrets(configuration, options);
        if (!configuration.IsDevelopment && string.IsNullOrWhiteSpace(configuration.Routing.Transports))
            configuration.Warn("Transports", "there are none, so mail is refused: name one in POSTRIDER_TRANSPORTS");
    }

    static void JudgeAlerts(LoadedConfiguration configuration, AlertOptions alerts)
    {
        foreach (var address in Split(alerts.MailTo))
            if (!EmailAddress.TryParse(address, out _, out _))
                configuration.Fault("Alerts:MailTo", $"has \"{address}\", which is no address");
        if (alerts.MailTo.Length > 0 && !EmailAddress.TryParse(alerts.MailFrom, out _, out _))
            configuration.Fault("Alerts:MailFrom", "must be an address that the transports may send from, where Alerts:MailTo is set");
        var targets = new WebhookTargets(WebhookTargets.Parse(configuration.Get<WebhookOptions>().Allow, out _), Dns.GetHostAddressesAsync);
        if (alerts.Webhook.Length > 0 && targets.Read(alerts.Webhook, TenantId.First, out var fault) is null)
            configuration.Fault("Alerts:Webhook", $"leads where webhooks do not go. {fault}");
        if (alerts.Command.Length > 0 && !File.Exists(alerts.Command))
            configuration.Fault("Alerts:Command", "is a file that is not there: give its full path, without arguments");
    }

    public static string[] Split(string list) => list.Split(Separators, StringSplitOptions.RemoveEmptyEntries);

    static void JudgeUrls(LoadedConfiguration configuration, string key, string urls)
    {
        var parts = ListenAddress.Split(urls).ToList();
        if (parts.Count == 0)
            configuration.Fault(key, "names no address to listen on");
        foreach (var part in parts)
            if (!ListenAddress.TryParse(part, out var address))
                configuration.Fault(key, IsPort(part)
                    ? $"has \"{part}\": write http://127.0.0.1:{part}"
                    : $"has \"{part}\": write http://host:port or https://host:port, where host is an IP address, localhost or *");
            else if (!address.IsLoopback && !address.IsTls && key == nameof(PostriderOptions.Urls))
                configuration.Warn(key,
                    $"{part} takes keys and mail over the network in the clear: use https, or a proxy with TLS before 127.0.0.1");
    }

    static void JudgeSmtp(LoadedConfiguration configuration, string smtp)
    {
        const string key = nameof(PostriderOptions.Smtp);
        if (smtp.Equals("off", StringComparison.OrdinalIgnoreCase))
            return;
        var parts = ListenAddress.Split(smtp).ToList();
        if (parts.Count == 0)
            configuration.Fault(key, "names no address to listen on: write host:port, or off");
        var limits = configuration.Get<SmtpListenerOptions>();
        foreach (var part in parts)
            if (!ListenAddress.TryParseSmtp(part, out var address))
                configuration.Fault(key, IsPort(part)
                    ? $"has \"{part}\": write 127.0.0.1:{part}"
                    : $"has \"{part}\": write host:port, smtp://host:port or smtps://host:port, where host is an IP address, localhost or *");
            else if (!address.IsLoopback && !address.IsTls && limits.AllowPlaintextAuth)
                configuration.Warn("SmtpServer:AllowPlaintextAuth", $"{part} takes keys over the network in the clear");
        JudgeTrusted(configuration, limits.TrustedNetworks);
        if (limits.HostName.Length > 0 && !SmtpEndpoint.IsClientName(limits.HostName))
            configuration.Fault("SmtpServer:HostName", "must be a host name, such as mail.example.com");
    }

    /// <summary>Whoever is trusted sends anything to anybody: too much of the world makes an open relay.</summary>
    static void JudgeTrusted(LoadedConfiguration configuration, string trusted)
    {
        const string key = "SmtpServer:TrustedNetworks";
        var networks = SmtpListenerOptions.Networks(trusted, out var faults);
        foreach (var fault in faults)
            configuration.Fault(key, fault);
        foreach (var network in networks)
            if (NetworkAddresses.IsMostOfTheWorld(network))
                configuration.Fault(key, $"has \"{network}\", which is everybody: an open relay, by which whoever connects sends to anybody "
                    + "without a password");
            else if (NetworkAddresses.HasGlobal(network))
                configuration.Warn(key, $"{network} has addresses of the world: whoever connects from there sends to anybody without a password; "
                    + "name your own machines alone, or give them an API key");
    }

    static bool IsPort(string text) => text.All(char.IsAsciiDigit);

    static void JudgeProxies(LoadedConfiguration configuration, string proxies)
    {
        const string key = nameof(PostriderOptions.TrustedProxies);
        var networks = SmtpListenerOptions.Networks(proxies, out var faults);
        foreach (var network in networks.Where(NetworkAddresses.IsMostOfTheWorld))
            configuration.Fault(key, $"has \"{network}\", which is everybody: whoever calls could write any address into X-Forwarded-For");
        foreach (var fault in faults)
            configuration.Fault(key, fault);
    }

    static void JudgePublicUrl(LoadedConfiguration configuration, string url)
    {
        if (url.Length > 0 && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            configuration.Fault(nameof(PostriderOptions.PublicUrl), "must be an http or https address, such as https://mail.example.com");
    }

    /// <summary>What the process would refuse to start with, it refuses here: the master key and the certificate that were given.</summary>
    static void JudgeSecrets(LoadedConfiguration configuration, PostriderOptions options)
    {
        if (!string.IsNullOrEmpty(options.MasterKey) && !string.IsNullOrEmpty(options.MasterKeyFile))
            configuration.Fault(nameof(options.MasterKeyFile), "and MasterKey are both given: keep one of them");
        else if (MasterKey.FaultOf(options.MasterKey, options.MasterKeyFile) is { } fault)
            configuration.Fault(
                string.IsNullOrEmpty(options.MasterKey) ? nameof(options.MasterKeyFile) : nameof(options.MasterKey), fault);
        if (options.CertificateKey is not null && options.Certificate is null)
            configuration.Fault(nameof(options.CertificateKey), "is given without Certificate");
        else if (ServerCertificate.FaultOf(options, TimeProvider.System) is { } unusable)
            configuration.Fault(nameof(options.Certificate), unusable);
    }

    static void JudgeStore(LoadedConfiguration configuration, PostriderOptions options)
    {
        if (Stores.Fault(options.Store) is { } fault)
            configuration.Fault(nameof(options.Store), fault);
        else if (Stores.FolderOf(options) is { } folder && FolderFault(folder) is { } unusable)
            configuration.Fault(options.Store.Length == 0 ? nameof(options.Data) : nameof(options.Store), unusable);
    }

    /// <summary>Why nothing can be kept in a folder, which need not be there yet; null: something can, as far as asking makes no
    /// file.</summary>
    static string? FolderFault(string folder)
    {
        var nearest = folder;
        while (!Path.Exists(nearest) && Path.GetDirectoryName(nearest) is { } above)
            nearest = above;
        if (File.Exists(nearest))
            return $"{nearest} is a file; a folder is needed";
        if (OperatingSystem.IsLinux() && (nearest == "/proc" || nearest.StartsWith("/proc/", StringComparison.Ordinal)
            || nearest == "/sys" || nearest.StartsWith("/sys/", StringComparison.Ordinal)))
            return $"{folder} is in a file system of the kernel, where nothing can be kept";
        return null;
    }
}

/// <summary>What a process does; any set of them.</summary>
[Flags]
public enum Role
{
    None = 0,
    Api = 1,
    Smtp = 2,
    Worker = 4,
    Scheduler = 8,
    Dashboard = 16,
    All = Api | Smtp | Worker | Scheduler | Dashboard,
}

/// <summary>The names of roles as they are written.</summary>
static class Roles
{
    public static readonly string[] Names = ["api", "smtp", "worker", "scheduler", "dashboard"];

    public static bool TryParse(string name, out Role role)
    {
        var index = Array.IndexOf(Names, name.ToLowerInvariant());
        role = index < 0 ? Role.None : (Role)(1 << index);
        return index >= 0;
    }

    /// <summary>Nothing named means all.</summary>
    public static Role Of(string list)
    {
        var roles = Role.None;
        foreach (var name in ConfigurationRules.Split(list))
            roles |= TryParse(name, out var role) ? role : Role.None;
        return roles == Role.None ? Role.All : roles;
    }
}
