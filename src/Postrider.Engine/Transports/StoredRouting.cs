using System.Text.Json.Serialization;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Transports;

/// <summary>A transport in the database.</summary>
/// <param name="Owner">The tenant whose own it is; null: the installation's.</param>
/// <param name="Sealed">Its DSN: it holds passwords and keys.</param>
/// <param name="Revision">Counts its changes, from 0.</param>
/// <param name="Place"><see cref="TransportSettings.Place"/>: when it was led there, Unix milliseconds.</param>
public sealed record StoredTransport(
    TenantId? Owner, string Name, ReadOnlyMemory<byte> Sealed, long Revision, DateTimeOffset CreatedAt, long Place);

/// <summary>A route in the database.</summary>
/// <param name="Owner">As of a transport.</param>
public sealed record StoredRoute(TenantId? Owner, string Name, RouteTerms Terms, long Revision, DateTimeOffset CreatedAt);

/// <summary>What a route is made of. Stored as JSON; what is null is as the installation has it.</summary>
public sealed record RouteTerms
{
    /// <summary>Names in the order of preference; empty: all that its owner may use.</summary>
    public IReadOnlyList<string> Transports { get; init; } = [];
    public string? Strategy { get; init; }
    public string? Retry { get; init; }
    public string? Spill { get; init; }
    public string? OnAmbiguous { get; init; }

    /// <summary>Any of them chooses the route for a message that names none.</summary>
    public IReadOnlyList<RouteTermsRule> Rules { get; init; } = [];

    /// <summary>Routes are tried in this order, then by name.</summary>
    public int Position { get; init; }

    internal NamedRoute Named(TenantId? owner, string name) => new(
        owner, name,
        new RouteOptions
        {
            Transports = string.Join(' ', Transports),
            Strategy = Strategy,
            Retry = Retry,
            Spill = Spill,
            OnAmbiguous = OnAmbiguous,
        },
        [
            .. Rules.Select(rule => new RouteRuleOptions
            {
                Route = name,
                Stream = rule.Stream,
                Tag = rule.Tag,
                SenderDomain = rule.SenderDomain,
                RecipientDomain = rule.RecipientDomain,
            }),
        ]);
}

/// <summary>What a message must be like; every part that is given must match.</summary>
public sealed record RouteTermsRule(string? Stream, string? Tag, string? SenderDomain, string? RecipientDomain);

/// <summary>Everything at one moment, in the order in which it counts.</summary>
public sealed record StoredRouting(IReadOnlyList<StoredTransport> Transports, IReadOnlyList<StoredRoute> Routes);

/// <summary>Keeps transports and routes. Each write is on disk, and known to all nodes within a second, when its task completes.</summary>
/// <remarks>Every call throws <see cref="StoreUnavailableException"/> when the storage cannot be reached.</remarks>
public interface ITransportStore
{
    Task<StoredRouting> LoadAsync(CancellationToken ct);

    /// <summary>False: its owner has one of this name, or has <paramref name="most"/> already.</summary>
    Task<bool> AddAsync(StoredTransport transport, int most);

    /// <summary>In place of the one with the same revision. False: it was changed meanwhile.</summary>
    Task<bool> ReplaceAsync(StoredTransport transport);
    Task<bool> RemoveTransportAsync(TenantId? owner, string name);

    /// <inheritdoc cref="AddAsync(StoredTransport, int)"/>
    Task<bool> AddAsync(StoredRoute route, int most);

    /// <inheritdoc cref="ReplaceAsync(StoredTransport)"/>
    Task<bool> ReplaceAsync(StoredRoute route);
    Task<bool> RemoveRouteAsync(TenantId? owner, string name);

    /// <summary>How many envelopes wait on a route, counted up to <paramref name="limit"/>.</summary>
    /// <param name="tenant">Null: of all tenants.</param>
    Task<int> CountWaitingAsync(TenantId? tenant, string route, int limit, CancellationToken ct);
}

/// <summary>Terms as they are stored: what is absent is left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RouteTerms))]
sealed partial class RouteTermsJson : JsonSerializerContext;
