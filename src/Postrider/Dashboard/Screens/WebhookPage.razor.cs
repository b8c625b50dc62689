using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Screens;

/// <summary>An endpoint: whether it works, what was sent to it, and what may be done to it.</summary>
sealed partial class WebhookPage
{
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The webhook is not there any more.");

    static readonly (string? Word, string Title)[] States =
        [(null, "All"), ("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")];

    WebhookAnswer? _webhook;
    WebhookDraft? _draft;
    OutboundAnswer? _test;
    string? _secret;
    bool _skipMissed;
    DateTime? _from;
    DateTime? _until;
    string _which = "failed";
    int _version;       // of the list

    [Parameter]
    public string Id { get; set; } = "";

    /// <summary>Of the deliveries shown; null: all.</summary>
    [SupplyParameterFromQuery]
    public string? State { get; set; }

    [Inject]
    WebhookBook Book { get; set; } = null!;

    [Inject]
    IWebhookStore Store { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        var found = await Book.FindAsync(Viewer.Tenant, Id, ct);
        if (found is not null && (_draft is null || _webhook?.Id != found.Id))
            _draft = new WebhookDraft(found);
        _webhook = found is null ? null : WebhookEndpoints.Answer(found, Book);
    }

    async Task<ListPage<WebhookDelivery>> LoadAsync(string? from, CancellationToken ct)
    {
        (DateTimeOffset, string)? before = from is not null && DeliveryPlace.TryParse(from, out var place) ? place : null;
        DeliveryState? state = Enum.TryParse<DeliveryState>(State, ignoreCase: true, out var word) ? word : null;
        return ListPage.Of(await Store.DeliveriesAsync(Viewer.Tenant, Id, state, before, ListPage.Wanted, ct), DeliveryPlace.Of);
    }

    Task<bool> TestAsync() => ChangeAsync("POST", "/test", async tenant =>
    {
        _test = await Book.TestAsync(tenant, Id, CancellationToken.None);
        return _test is null ? Gone : null;
    });

    Task<bool> SwitchAsync(bool isOn) => ChangeAsync("PATCH", "", async tenant =>
    {
        var result = await Book.ChangeAsync(
            tenant, Id, new WebhookRequest { Enabled = isOn, SkipMissed = isOn && _skipMissed }, CancellationToken.None);
        Told = isOn ? "Enabled: it goes on." : "Disabled: nothing is sent, and it goes on where it stopped when it is enabled again.";
        return result is null ? Gone : result.Problem;
    });

    Task<bool> RotateAsync() => ChangeAsync("POST", "/rotate", async tenant =>
    {
        var result = await Book.RotateAsync(tenant, Id, null, CancellationToken.None);
        _secret = result?.Secret;
        return result is null ? Gone : result.Problem;
    });

    async Task RemoveAsync()
    {
        if (await ChangeAsync("DELETE", "", async tenant => await Book.RemoveAsync(tenant, Id) ? null : Gone))
            Pages.NavigateTo("webhooks");
    }

    async Task SaveAsync()
    {
        var request = _draft!.ToRequest(out var problem);
        Refused = problem;
        if (request is null)
            return;
        await ChangeAsync("PATCH", "", async tenant =>
        {
            var result = await Book.ChangeAsync(tenant, Id, request, CancellationToken.None);
            if (result?.Webhook is { } changed)
                (_draft, Told) = (new WebhookDraft(changed), "Saved.");
            return result is null ? Gone : result.Problem;
        });
    }

    async Task AgainAsync()
    {
        if (_from is not { } from)
        {
            Refused = TenantProblems.InvalidField("/from", "Say from when.");
            return;
        }
        DeliveryState? state = Enum.TryParse<DeliveryState>(_which, ignoreCase: true, out var word) ? word : null;
        await ChangeAsync("POST", "/redeliver", async tenant =>
        {
            DateTimeOffset? until = _until is { } local ? Times.At(local, Viewer.Zone) : null;
            var result = await Book.AgainAsync(tenant, Id, Times.At(from, Viewer.Zone), until, state, CancellationToken.None);
            Told = result switch
            {
                { Count: RedeliveryResult.Most } => $"The oldest {Numbers.Count(RedeliveryResult.Most)} go again; send the rest again after them.",
                { Count: > 0 and var count } => $"{Numbers.Count(count)} go again.",
                _ => "Nothing of that time and kind is there to be sent again.",
            };
            return result is null ? Gone : result.Value.Problem;
        });
        _version++;
    }

    Task<bool> ChangeAsync(string method, string verb, Func<TenantId, Task<Problem?>> change)
    {
        (_secret, _test) = (null, null);
        return DoAsync(Scopes.Manage, $"{method} /webhooks/{{id}}{verb}", $"/webhooks/{Id}{verb}", by => change(by.Tenant));
    }
}
