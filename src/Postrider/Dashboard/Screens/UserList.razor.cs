using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Who may sign in: invited, given a role, disabled, given a link for a new password.</summary>
sealed partial class UserList
{
    IReadOnlyList<User> _users = [];
    string _name = "";
    UserRole _role = UserRole.Operator;
    string _linkTitle = "";
    string? _link;

    [Inject]
    Users Users { get; set; } = null!;

    [Inject]
    PostriderOptions Options { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct) => _users = await Users.ListAsync(Viewer.Tenant, ct);

    static string StateOf(User user) => user.DisabledAt is not null ? "disabled" : user.HasPassword ? "active" : "invited";

    Task<bool> InviteAsync() => ChangeAsync("POST /users", "/users", async by =>
    {
        var made = await Users.AddAsync(by, _name, _role);
        Show(made, "The link to send.");
        if (made.User is not null)
            _name = "";
        return made.Problem;
    });

    Task RoleAsync(User user, ChangeEventArgs change) => Enum.TryParse<UserRole>(change.Value as string, out var role)
        ? ChangeAsync("PATCH /users/{id}", Target(user), async by =>
        {
            var changed = await Users.ChangeAsync(by, user.Id, role, null);
            Told = $"{user.Name} is {ApiJson.Word(role)} now; open pages follow within 20 seconds.";
            return changed.Problem;
        })
        : Task.CompletedTask;

    Task<bool> SwitchAsync(User user) => ChangeAsync("PATCH /users/{id}", Target(user), async by =>
    {
        var changed = await Users.ChangeAsync(by, user.Id, null, user.DisabledAt is null);
        Told = user.DisabledAt is null ? $"{user.Name} is disabled: open pages end within 20 seconds." : $"{user.Name} may sign in again.";
        return changed.Problem;
    });

    Task<bool> ResetAsync(User user) => ChangeAsync("POST /users/{id}/reset", $"{Target(user)}/reset", async by =>
    {
        var reset = await Users.ResetAsync(by, user.Id);
        Show(reset, $"The link for a new password of {user.Name}.");
        return reset.Problem;
    });

    Task<bool> RemoveAsync(User user) => ChangeAsync("DELETE /users/{id}", Target(user), async by =>
    {
        Told = $"{user.Name} is removed: open pages end within 20 seconds.";
        return await Users.RemoveAsync(by, user.Id) ? null : UserProblems.Absent;
    });

    static string Target(User user) => string.Create(CultureInfo.InvariantCulture, $"/users/{user.Id}");

    void Show(UserResult result, string title)
    {
        if (result.Link is { } link)
            (_link, _linkTitle) =
                ($"{(Options.PublicUrl.Length > 0 ? Options.PublicUrl.TrimEnd('/') : Viewer.Origin)}{DashboardPipeline.Root}/welcome?link={link}", title);
    }

    Task<bool> ChangeAsync(string action, string target, Func<Principal, Task<Problem?>> change)
    {
        _link = null;
        return DoAsync(Scopes.Admin, action, target, change);
    }
}
