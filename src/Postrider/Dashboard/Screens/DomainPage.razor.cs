using Microsoft.AspNetCore.Components;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>One sender domain: what to publish for it, and what the DNS said.</summary>
sealed partial class DomainPage
{
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The domain is not there any more.");

    SenderDomain? _domain;

    [Parameter]
    public string Name { get; set; } = "";

    [Inject]
    SenderDomains Domains { get; set; } = null!;

    protected override Task ReadAsync(CancellationToken ct)
    {
        _domain = Domains.Find(Viewer.Tenant, Name);
        return Task.CompletedTask;
    }

    Task<bool> CheckAsync() => ChangeAsync("POST /domains/{name}/check", "/check", async by =>
    {
        var result = await Domains.CheckAsync(by.Tenant, Name, Viewer.Ended);
        Told = result.Domain?.VerifiedAt is null ? "Not seen yet: it may take the DNS an hour to show a new record."
            : "Verified: mail from it is signed.";
        return result.Problem;
    });

    Task<bool> AddKeyAsync() => ChangeAsync("POST /domains/{name}/keys", "/keys",
        async by => (await Domains.AddKeyAsync(by.Tenant, Name, null, Viewer.Ended)).Problem, "Publish its record, then look in the DNS.");

    Task<bool> RemoveKeyAsync(SenderKey key) => ChangeAsync("DELETE /domains/{name}/keys/{selector}", $"/keys/{key.Selector}",
        async by => (await Domains.RemoveKeyAsync(by.Tenant, Name, key.Selector, Viewer.Ended)).Problem,
        "The key is forgotten. Leave its record published for some days: mail it signed may still be on its way.");

    Task<bool> RemoveAsync() => ChangeAsync("DELETE /domains/{name}", "",
        async by => await Domains.RemoveAsync(by.Tenant, Name, Viewer.Ended) ? null : Gone,
        $"{Name} is removed: its mail is no longer signed.");

    Task<bool> ChangeAsync(string action, string below, Func<Principal, Task<Problem?>> change, string? told = null) =>
        DoAsync(Scopes.Manage, action, $"/domains/{Name}{below}", change, told);
}
