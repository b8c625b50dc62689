using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

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
    readonly TransportBook _book;
    readonly string _dsnHash;
    readonly HashSet<string> _vendors;
    readonly IReadOnlyList<TransportSettings> _configured;
    volatile Known? _known;

    public CallbackAddresses(
        LoadedConfiguration configuration, MasterKey masterKey, PostriderOptions options, IEnumerable<IFeedbackReader> readers,
        TransportBook book, IServer server)
    {
        (_masterKey, _options, _book, _server) = (masterKey, options, book, server);
        DsnPath = $"/callbacks/{Dsn}/{SecretOf(":dsn")}"; // no transport can have this name
        _dsnHash = HashOf(Dsn, DsnPath[(DsnPath.LastIndexOf('/') + 1)..]);
        _vendors = readers.Select(reader => reader.Vendor).ToHashSet(StringComparer.Ordinal);
        _configured = TransportDsn.ParseAll(configuration.Routing.Transports, []);
    }

    /// <summary>Of the transports there are now.</summary>
    Known Now
    {
        get
        {
            var added = _book.Settings;
            if (_known is { } known && ReferenceEquals(known.Added, added))
                return known;
            return _known = Find(added);
        }
    }

    Known Find(IReadOnlyList<TransportSettings> added)
    {
        var known = new Known(added);
        foreach (var settings in _configured.Concat(added))
        {
            if (settings.Scheme == "smtp" && _options.BounceDomain.Length > 0 && settings.Owner is null)
                known.Paths[settings.Key] = DsnPath;
            if (!_vendors.Contains(settings.Scheme))
                continue;
            var secret = SecretOf(settings.Key);
            known.Transports[HashOf(settings.Scheme, secret)] = settings;
            known.Paths[settings.Key] = $"/callbacks/{settings.Scheme}/{secret}";
        }
        return known;
    }

    /// <summary>Transports by the hash of vendor and secret, paths by the transport's key.</summary>
    sealed record Known(IReadOnlyList<TransportSettings> Added)
    {
        public Dictionary<string, TransportSettings> Transports { get; } = new(StringComparer.Ordinal);
        public Dictionary<string, string> Paths { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>Where a mail server hands over what came by mail.</summary>
    public string DsnPath { get; }

    /// <summary>Null: nobody was told this address.</summary>
    public TransportSettings? Find(string vendor, string secret) => Now.Transports.GetValueOrDefault(HashOf(vendor, secret));

    public bool IsDsn(string secret) => HashOf(Dsn, secret) == _dsnHash;

    /// <summary>What an operator pastes at the vendor's; null where the transport's provider does not report over HTTP.</summary>
    public string? UrlOf(string transport) => Now.Paths.TryGetValue(transport, out var path) ? Base + path : null;

    string Base => (_options.PublicUrl.Length > 0 ? _options.PublicUrl
        : _server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "").TrimEnd('/');

    string SecretOf(string name) => Convert.ToHexStringLower(_masterKey.Derive($"postrider/callback/1/{name}", SecretBytes));

    // Found by a hash: how long the search takes says nothing of the secret.
    static string HashOf(string vendor, string secret) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{vendor}/{secret}")));
}
