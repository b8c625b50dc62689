using Postrider.Nodes;
using Postrider.Routing;
using Postrider.Senders;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Hosting;

/// <summary>Has every room that keeps something of the store in memory look again when any node changed it.</summary>
sealed class ChangeHost(
    Notices notices, Router router, Drills drills, SenderDomains senders, TransportBook transports, ApiKeys keys) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        notices.Subscribe(Topic.Pauses, router.Pauses.LoadAsync);
        notices.Subscribe(Topic.Drills, drills.LoadAsync);
        notices.Subscribe(Topic.Routes, transports.RefreshAsync);
        notices.Subscribe(Topic.SenderDomains, senders.RefreshAsync);
        notices.Subscribe(Topic.Keys, _ =>
        {
            keys.Refresh();
            return Task.CompletedTask;
        });
        return notices.RunAsync(stoppingToken);
    }
}
