using System.Reflection;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Screens;

namespace Postrider.Dashboard.Layout;

/// <summary>An entry of the menu.</summary>
/// <param name="Address">Below the dashboard.</param>
readonly record struct NavigationItem(string Title, string Address, Type Screen);

/// <summary>The menu, in the order of how often a screen is wanted.</summary>
static class Navigation
{
    static readonly IReadOnlyList<NavigationItem> All =
    [
        new("Overview", "", typeof(Overview)),
        new("Compose", "compose", typeof(Compose)),
        new("Messages", "messages", typeof(MessageList)),
        new("Batches", "batches", typeof(BatchList)),
        new("Inbox", "inbox", typeof(Inbox)),
        new("Queue", "queue", typeof(QueuePage)),
        new("Dead letters", "dead-letters", typeof(DeadLetterList)),
        new("Schedules", "schedules", typeof(ScheduleList)),
        new("Templates", "templates", typeof(TemplateList)),
        new("Suppressions", "suppressions", typeof(SuppressionList)),
        new("Transports", "transports", typeof(TransportList)),
        new("Routes", "routes", typeof(RouteList)),
        new("Sender domains", "domains", typeof(DomainList)),
        new("Webhooks", "webhooks", typeof(WebhookList)),
        new("Refused calls", "requests", typeof(RequestList)),
        new("Keys", "keys", typeof(KeyList)),
        new("Users", "users", typeof(UserList)),
        new("Tenants", "tenants", typeof(TenantList)),
        new("Nodes", "nodes", typeof(NodeList)),
        new("Settings", "settings", typeof(SettingsPage)),
        new("Audit log", "audit", typeof(AuditList)),
    ];

    /// <summary>What this viewer may open.</summary>
    public static IEnumerable<NavigationItem> For(Viewer viewer) =>
        All.Where(item => item.Screen.GetCustomAttribute<NeedsAttribute>() is { } needs && viewer.May(needs));
}
