using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Asks a transport's provider whether it has what an attempt left in doubt.</summary>
public sealed partial class TransportSearch
{
    /// <summary>The next look comes soon; a provider that hangs must not hold up the others.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    readonly Router _router;
    readonly Lanes _lanes;
    readonly TimeProvider _clock;
    readonly ILogger _logger;

    internal TransportSearch(Router router, Lanes lanes, TimeProvider clock, ILogger<TransportSearch> logger) =>
        (_router, _lanes, _clock, _logger) = (router, lanes, clock, logger);

    /// <summary>What it knows, and the scheme of the transport. Null: there is no such transport, or it cannot be asked.</summary>
    public async ValueTask<FoundAtTransport?> FindAsync(
        TenantId tenant, string name, DoubtfulMessage message, CancellationToken ct)
    {
        if (_router.Of(tenant).FindTransport(name) is not { } transport)
            return null;
        using var timeout = new CancellationTokenSource(Patience, _clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        try
        {
            return await _lanes.ProviderOf(transport).FindAsync(message, cut.Token) is { } events
                ? new FoundAtTransport(transport.Options.Scheme, transport.Key, events) : null;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // A provider's bug ends no doubt, and nothing else either.
            LogFailed(e, name, message.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Transport} could not be asked for {Message}")]
    partial void LogFailed(Exception e, string transport, MessageId message);
}
