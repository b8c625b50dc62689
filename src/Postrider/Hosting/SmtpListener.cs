using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Postrider.Delivery;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>An address cannot be listened on; the message says which, and what to do.</summary>
sealed class ListenException(string message, Exception inner) : Exception(message, inner);

/// <summary>Submission by SMTP in this process: opens the addresses of <c>POSTRIDER_SMTP</c> and, when the process stops, lets messages in
/// hand be finished.</summary>
sealed partial class SmtpListener(
    PostriderOptions options, SmtpListenerOptions limits, ConnectionLimits connections, SubmissionOptions submission,
    DeliveryOptions delivery, Submitter submitter, Authenticator authenticator, TimeProvider clock, ILogger<SmtpListener> logger,
    SubmissionMetrics metrics, RefusedCalls refused, SmtpReports? reports = null)
    : IHostedService, IAsyncDisposable
{
    readonly List<string> _addresses = [];
    SmtpServer? _server;

    /// <summary>Where clients on this machine find it, with the ports that were taken; empty until it is started.</summary>
    public IReadOnlyList<string> Addresses => _addresses;

    /// <summary>True when the setting names addresses.</summary>
    public static bool IsOn(PostriderOptions options) => !options.Smtp.Equals("off", StringComparison.OrdinalIgnoreCase);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var addresses = new List<ListenAddress>();
        foreach (var text in ListenAddress.Split(options.Smtp))
        {
            if (ListenAddress.TryParseSmtp(text, out var address))
                addresses.Add(address);
        }
        var rules = new SmtpSubmissionRules
        {
            TrustedNetworks = SmtpListenerOptions.Networks(limits.TrustedNetworks, out _),
            Deduplicate = limits.Deduplicate,
            Refused = LogRefused,
            RefusedMail = (caller, problem) => refused.Add(caller, "SMTP", "", problem),
            Metrics = metrics,
            Reports = reports,
        };
        _server = new SmtpServer(
            Options(addresses), clock, peer =>
            {
                metrics.SessionBegan();
                return new SmtpSubmission(submitter, authenticator, rules, peer);
            })
        {
            Faulted = (peer, fault) => LogFault(fault, peer.Address),
        };
        foreach (var address in addresses)
            Listen(_server, address);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is null)
            return;
        using var patience = new CancellationTokenSource(delivery.DrainTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        await _server.StopAsync(either.Token);
    }

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;

    SmtpServerOptions Options(List<ListenAddress> addresses)
    {
        var certificate = new Lazy<X509Certificate2>(() => ServerCertificate.Load(options, clock));
        // A self-signed certificate is made when it is first needed. A bad one must show at the start.
        if (options.Certificate is not null || addresses.Exists(address => address.IsTls || !address.IsLoopback))
            _ = certificate.Value;
        return new SmtpServerOptions
        {
            HostName = HostName(),
            Tls = new SslServerAuthenticationOptions { ServerCertificateSelectionCallback = (_, _) => certificate.Value },
            // Clients on this machine that see STARTTLS take it, and then do not trust a self-signed certificate.
            OfferTlsOnLoopback = options.Certificate is not null,
            AllowPlaintextAuth = limits.AllowPlaintextAuth,
            AddressRules = submission.AddressRules,
            MaxMessageBytes = submission.MaxMessageBytes,
            MaxRecipients = submission.MaxRecipients,
            MaxConnections = connections.Smtp,
            MaxConnectionsPerAddress = limits.MaxConnectionsPerAddress,
            MaxContentMemoryBytes = limits.MaxContentMemoryBytes,
            IdleTimeout = limits.IdleTimeout,
            TransactionTimeout = limits.TransactionTimeout,
        };
    }

    string HostName()
    {
        if (limits.HostName.Length > 0)
            return limits.HostName;
        if (Uri.TryCreate(options.PublicUrl, UriKind.Absolute, out var uri) && uri.HostNameType == UriHostNameType.Dns)
            return uri.IdnHost;
        var name = Dns.GetHostName();
        return SmtpEndpoint.IsClientName(name) ? name : "localhost";
    }

    void Listen(SmtpServer server, ListenAddress address)
    {
        foreach (var ip in AddressesOf(address))
        {
            try
            {
                var at = server.Listen(new IPEndPoint(ip, address.Port), address.IsTls);
                _addresses.Add(ForClients(at, address.IsTls));
            }
            catch (SocketException fault)
            {
                throw new ListenException(
                    $"{ip}:{address.Port} cannot be listened on for SMTP: {fault.Message}. Give another address in POSTRIDER_SMTP, or off.",
                    fault);
            }
        }
    }

    static IEnumerable<IPAddress> AddressesOf(ListenAddress address) => address.Host switch
    {
        "*" => [Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any],
        // Names lead to both; with a port chosen by the system the two would differ.
        "localhost" when Socket.OSSupportsIPv6 && address.Port != 0 => [IPAddress.Loopback, IPAddress.IPv6Loopback],
        "localhost" => [IPAddress.Loopback],
        var ip => [IPAddress.Parse(ip)],
    };

    static string ForClients(IPEndPoint at, bool isTls)
    {
        var host = at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any) ? IPAddress.Loopback : at.Address;
        return $"{(isTls ? "smtps" : "smtp")}://{new IPEndPoint(host, at.Port)}";
    }

    [LoggerMessage(LogLevel.Error, "A session with {Address} failed; nothing of it was taken that was not confirmed")]
    partial void LogFault(Exception fault, IPAddress address);

    [LoggerMessage(LogLevel.Warning, "{Address} presented no valid API key over SMTP")]
    partial void LogRefused(IPAddress address);
}
