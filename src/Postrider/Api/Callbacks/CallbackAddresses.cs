using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Api.Callbacks;

/// <summary>Where each transport's provider reports to us: an address with a secret in it, which is made from the master key and the
/// transport's name, so it is the same after each start and on every node.</summary>
sealed class CallbackAddresses
{
    /// <summary>In place of a vendor: reports that come by mail.</summary>
    public const string Dsn = "dsn";

    const int SecretBytes = 16;

    readonly MasterKey _masterKey;
    readonly PostriderOptions _options;
    readonly IServer _server;
    readonly string _dsnHash;
    readonly Dictionary<string, TransportSettings> _transports = new(StringComparer.Ordinal); // by the hash of vendor and secret
    readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);                 // by the transport's name

    public CallbackAddresses(
        LoadedConfiguration configuration, MasterKey masterKey, PostriderOptions options, IEnumerable<IFeedbackReader> readers,
        IServer server)
    {
        (_masterKey, _options, _server) = (masterKey, options, server);
        DsnPath = $"/callbacks/{Dsn}/{SecretOf(":dsn")}"; // no transport can have this name
        _dsnHash = HashOf(Dsn, DsnPath[(DsnPath.LastIndexOf('/') + 1)..]);
        var vendors = readers.Select(reader => reader.Vendor).ToHashSet(StringComparer.Ordinal);
        foreach (var settings in TransportDsn.ParseAll(configuration.Routing.Transports, []))
        {
            if (settings.Scheme == "smtp" && options.BounceDomain.Length > 0)
                _paths[settings.Name] = DsnPath;
            if (!vendors.Contains(settings.Scheme))
                continue;
            var secret = SecretOf(settings.Name);
            _transports[HashOf(settings.Scheme, secret)] = settings;
            _paths[settings.Name] = $"/callbacks/{settings.Scheme}/{secret}";
        }
    }

    /// <summary>Where a mail server hands over what came by mail.</summary>
    public string DsnPath { get; }

    /// <summary>Null: nobody was told this address.</summary>
    public TransportSettings? Find(string vendor, string secret) => _transports.GetValueOrDefault(HashOf(vendor, secret));

    public bool IsDsn(string secret) => HashOf(Dsn, secret) == _dsnHash;

    /// <summary>What an operator pastes at the vendor's; null where the transport's provider does not report over HTTP.</summary>
    public string? UrlOf(string transport) => _paths.TryGetValue(transport, out var path) ? Base + path : null;

    string Base => (_options.PublicUrl.Length > 0 ? _options.PublicUrl
        : _server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "").TrimEnd('/');

    string SecretOf(string name) => Convert.ToHexStringLower(_masterKey.Derive($"postrider/callback/1/{name}", SecretBytes));

    // Found by a hash: how long the search takes says nothing of the secret.
    static string HashOf(string vendor, string secret) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{vendor}/{secret}")));
}
