using System.Globalization;
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
    static readonly NeedsAttribute Manage = new(Scopes.Manage);
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The webhook is not there any more.");

    static readonly (string? Word, string Title)[] States =
        [(null, "All"), ("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")];

    WebhookAnswer? _webhook;
    WebhookDraft? _draft;
    WebhookFields? _fields;
    OutboundAnswer? _test;
    string? _secret;
    string? _done;
    Problem? _problem;
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

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        var found = await Book.FindAsync(Viewer.Tenant, Id, ct);
        if (found is not null && (_draft is null || _webhook?.Id != found.Id))
            _draft = new WebhookDraft(found);
        _webhook = found is null ? null : WebhookEndpoints.Answer(found, Book);
    }

    async Task<ListPage<WebhookDelivery>> LoadAsync(string? from, CancellationToken ct)
    {
        const int Size = LiveList<WebhookDelivery>.PageSize;
        (DateTimeOffset, string)? before = from is not null && DeliveryPlace.TryParse(from, out var place) ? place : null;
        DeliveryState? state = Enum.TryParse<DeliveryState>(State, ignoreCase: true, out var word) ? word : null;
        var found = await Store.DeliveriesAsync(Viewer.Tenant, Id, state, before, Size + 1, ct);
        var rows = found.Take(Size).ToList();
        return new ListPage<WebhookDelivery>(rows, found.Count > Size ? DeliveryPlace.Of(rows[^1]) : null);
    }

    Task TestAsync() => DoAsync("POST", "/test", async tenant =>
    {
        _test = await Book.TestAsync(tenant, Id, CancellationToken.None);
        return _test is null ? Gone : null;
    });

    Task SwitchAsync(bool isOn) => DoAsync("PATCH", "", async tenant =>
    {
        var result = await Book.ChangeAsync(
            tenant, Id, new WebhookRequest { Enabled = isOn, SkipMissed = isOn && _skipMissed }, CancellationToken.None);
        _done = isOn ? "Enabled: it goes on." : "Disabled: nothing is sent, and it goes on where it stopped when it is enabled again.";
        return result is null ? Gone : result.Problem;
    });

    Task RotateAsync() => DoAsync("POST", "/rotate", async tenant =>
    {
        var result = await Book.RotateAsync(tenant, Id, null, CancellationToken.None);
        _secret = result?.Secret;
        return result is null ? Gone : result.Problem;
    });

    async Task RemoveAsync()
    {
        await DoAsync("DELETE", "", async tenant => await Book.RemoveAsync(tenant, Id) ? null : Gone);
        if (_problem is null)
            Pages.NavigateTo("webhooks");
    }

    async Task SaveAsync()
    {
        await _fields!.ReadAsync();
        if (_draft!.ToRequest(out _problem) is not { } request)
            return;
        await DoAsync("PATCH", "", async tenant =>
        {
            var result = await Book.ChangeAsync(tenant, Id, request, CancellationToken.None);
            if (result?.Webhook is { } changed)
                (_draft, _done) = (new WebhookDraft(changed), "Saved.");
            return result is null ? Gone : result.Problem;
        });
    }

    async Task AgainAsync()
    {
        if (_from is not { } from)
        {
            _problem = TenantProblems.InvalidField("/from", "Say from when.");
            return;
        }
        DeliveryState? state = Enum.TryParse<DeliveryState>(_which, ignoreCase: true, out var word) ? word : null;
        await DoAsync("POST", "/redeliver", async tenant =>
        {
            DateTimeOffset? until = _until is { } local ? Instant(local) : null;
            var result = await Book.AgainAsync(tenant, Id, Instant(from), until, state, CancellationToken.None);
            _done = result switch
            {
                { Count: RedeliveryResult.Most } =>
                    string.Create(CultureInfo.InvariantCulture, $"The oldest {RedeliveryResult.Most:N0} go again; send the rest again after them."),
                { Count: > 0 and var count } => string.Create(CultureInfo.InvariantCulture, $"{count:N0} go again."),
                _ => "Nothing of that time and kind is there to be sent again.",
            };
            return result is null ? Gone : result.Value.Problem;
        });
        _version++;
    }

    DateTimeOffset Instant(DateTime local) => new(local, Viewer.Zone.GetUtcOffset(local));

    async Task DoAsync(string method, string verb, Func<TenantId, Task<Problem?>> change)
    {
        (_done, _secret, _test) = (null, null, null);
        _problem = await Actions.DoAsync(Manage, $"{method} /webhooks/{{id}}{verb}", $"/webhooks/{Id}{verb}", by => change(by.Tenant));
        if (_problem is not null)
            _done = null;
        await LookAsync();
    }
}
