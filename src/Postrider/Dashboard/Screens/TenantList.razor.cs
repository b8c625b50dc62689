using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Those whose mail this installation sends.</summary>
sealed partial class TenantList
{
    const string Example = """{"name":"shop","settings":{"max_queued":100000}}""";

    internal static readonly NeedsAttribute Installation = new(Scopes.Admin) { Installation = true };

    TenantDraft _draft = new();
    Tenant? _made;
    string? _secret;

    [Inject]
    TenantDirectory Tenants { get; set; } = null!;

    [Inject]
    ApiKeys Keys { get; set; } = null!;

    Task<ListPage<Tenant>> LoadAsync(string? from, CancellationToken ct)
    {
        var after = from is null ? 0 : int.Parse(from, CultureInfo.InvariantCulture);
        var found = Tenants.All.Where(tenant => tenant.Id.Value > after).Take(ListPage.Wanted).ToList();
        return Task.FromResult(ListPage.Of(found, tenant => tenant.Id.ToString()));
    }

    async Task MakeAsync()
    {
        (_made, _secret) = (null, null);
        await DoAsync(Installation, "POST /tenants", "/tenants", async _ =>
        {
            var result = await Tenants.AddAsync(_draft.Name.Trim(), _draft.Settings(TenantSettings.Default), CancellationToken.None);
            if (result.Tenant is not { } tenant)
                return result.Problem;
            (_made, _secret) = (tenant, (await Keys.MakeFirstAsync(tenant, CancellationToken.None)).Secret);
            return null;
        });
        if (_made is not null)
            _draft = new TenantDraft();
        Version++;
    }
}
