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
        new("Inbox", "inbox", typeof(Inbox)),
    ];

    /// <summary>What this viewer may open.</summary>
    public static IEnumerable<NavigationItem> For(Viewer viewer) =>
        All.Where(item => item.Screen.GetCustomAttribute<NeedsAttribute>() is { } needs && viewer.May(needs));
}
