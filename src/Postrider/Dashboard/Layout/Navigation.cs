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
        new("Schedules", "schedules", typeof(ScheduleList)),
        new("Templates", "templates", typeof(TemplateList)),
        new("Webhooks", "webhooks", typeof(WebhookList)),
        new("Keys", "keys", typeof(KeyList)),
        new("Users", "users", typeof(UserList)),
        new("Tenants", "tenants", typeof(TenantList)),
    ];

    /// <summary>What this viewer may open.</summary>
    public static IEnumerable<NavigationItem> For(Viewer viewer) =>
        All.Where(item => item.Screen.GetCustomAttribute<NeedsAttribute>() is { } needs && viewer.May(needs));
}
