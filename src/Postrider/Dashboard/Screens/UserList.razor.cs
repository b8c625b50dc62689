using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Who may sign in: invited, given a role, disabled, given a link for a new password.</summary>
sealed partial class UserList
{
    static readonly NeedsAttribute Admin = new(Scopes.Admin);

    IReadOnlyList<User> _users = [];
    string _name = "";
    UserRole _role = UserRole.Operator;
    string _linkTitle = "";
    string? _link;
    string? _done;
    Problem? _problem;

    [Inject]
    Users Users { get; set; } = null!;

    [Inject]
    PostriderOptions Options { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct) => _users = await Users.ListAsync(Viewer.Tenant, ct);

    static string StateOf(User user) => user.DisabledAt is not null ? "disabled" : user.HasPassword ? "active" : "invited";

    Task InviteAsync() => DoAsync("POST /users", "/users", async by =>
    {
        var made = await Users.AddAsync(by, _name, _role);
        Show(made, "The link to send.");
        if (made.User is not null)
            _name = "";
        return made.Problem;
    });

    Task RoleAsync(User user, ChangeEventArgs change) => Enum.TryParse<UserRole>(change.Value as string, out var role)
        ? DoAsync("PATCH /users/{id}", Target(user), async by =>
        {
            var changed = await Users.ChangeAsync(by, user.Id, role, null);
            _done = $"{user.Name} is {ApiJson.Word(role)} now; open pages follow within 20 seconds.";
            return changed.Problem;
        })
        : Task.CompletedTask;

    Task SwitchAsync(User user) => DoAsync("PATCH /users/{id}", Target(user), async by =>
    {
        var changed = await Users.ChangeAsync(by, user.Id, null, user.DisabledAt is null);
        _done = user.DisabledAt is null ? $"{user.Name} is disabled: open pages end within 20 seconds." : $"{user.Name} may sign in again.";
        return changed.Problem;
    });

    Task ResetAsync(User user) => DoAsync("POST /users/{id}/reset", $"{Target(user)}/reset", async by =>
    {
        var reset = await Users.ResetAsync(by, user.Id);
        Show(reset, $"The link for a new password of {user.Name}.");
        return reset.Problem;
    });

    Task RemoveAsync(User user) => DoAsync("DELETE /users/{id}", Target(user), async by =>
    {
        _done = $"{user.Name} is removed: open pages end within 20 seconds.";
        return await Users.RemoveAsync(by, user.Id) ? null : UserProblems.Absent;
    });

    static string Target(User user) => string.Create(CultureInfo.InvariantCulture, $"/users/{user.Id}");

    void Show(UserResult result, string title)
    {
        if (result.Link is { } link)
            (_link, _linkTitle) =
                ($"{(Options.PublicUrl.Length > 0 ? Options.PublicUrl.TrimEnd('/') : Viewer.Origin)}{DashboardPipeline.Root}/welcome?link={link}", title);
    }

    async Task DoAsync(string action, string target, Func<Principal, Task<Problem?>> change)
    {
        (_link, _done) = (null, null);
        _problem = await Actions.DoAsync(Admin, action, target, change);
        if (_problem is not null)
            _done = null;
        await LookAsync();
    }
}
