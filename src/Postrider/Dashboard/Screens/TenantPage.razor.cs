using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>A tenant: its limits, and the switch that stops all of it.</summary>
sealed partial class TenantPage
{
    Tenant? _tenant;
    TenantDraft _draft = new();
    string? _secret;

    [Parameter]
    public int Id { get; set; }

    [Inject]
    TenantDirectory Tenants { get; set; } = null!;

    [Inject]
    ApiKeys Keys { get; set; } = null!;

    protected override Task ReadAsync(CancellationToken ct)
    {
        var found = Tenants.Find(new TenantId(Id));
        if (found is not null && _tenant?.Id != found.Id)
            _draft = TenantDraft.Of(found);
        _tenant = found;
        return Task.CompletedTask;
    }

    Task<bool> SaveAsync() => ChangeAsync("PATCH", "", "Saved: within a second it holds on every node.", id =>
        Tenants.ChangeAsync(
            id, now => now with { Name = _draft.Name.Trim(), Settings = _draft.Settings(now.Settings) }, CancellationToken.None));

    Task<bool> StopAsync() => ChangeAsync("POST", "/archive", "Stopped: its keys are refused, its mail waits.", id => Tenants.ArchiveAsync(id, CancellationToken.None));

    Task<bool> RestoreAsync() => ChangeAsync("POST", "/restore", "It goes on, with its keys and the mail that waited.", id =>
        Tenants.RestoreAsync(id, CancellationToken.None));

    Task<bool> AddKeyAsync() => DoAsync("POST", "/keys", null, async () =>
    {
        if (Tenants.Find(new TenantId(Id)) is not { } tenant)
            return TenantProblems.Absent;
        _secret = (await Keys.MakeFirstAsync(tenant, CancellationToken.None)).Secret;
        return null;
    });

    Task<bool> ChangeAsync(string method, string verb, string told, Func<TenantId, Task<TenantResult>> change) =>
        DoAsync(method, verb, told, async () => (await change(new TenantId(Id))).Problem);

    Task<bool> DoAsync(string method, string verb, string? told, Func<Task<Problem?>> change)
    {
        _secret = null;
        return DoAsync(TenantList.Installation, $"{method} /tenants/{{tenant}}{verb}",
            string.Create(CultureInfo.InvariantCulture, $"/tenants/{Id}{verb}"), _ => change(), told);
    }
}
