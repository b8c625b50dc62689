using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>Sends again or cancels several messages: those that were picked, or all that a search finds, and tells how far it has
/// come.</summary>
sealed partial class BulkActions : IDisposable
{
    static readonly Change Retrying = new(Scopes.Manage, "retry", "queued again",
        (changes, tenant, id, ct) => changes.RetryAsync(tenant, id, ct),
        (changes, tenant, filter, progress, ct) => changes.RetryAllAsync(tenant, filter, progress, ct));

    static readonly Change Cancelling = new(Scopes.Send, "cancel", "cancelled; attempts under way end by themselves",
        async (changes, tenant, id, ct) => (await changes.CancelAsync(tenant, id, ct))?.Count,
        (changes, tenant, filter, progress, ct) => changes.CancelAllAsync(tenant, filter, progress, ct));

    CancellationTokenSource? _running;
    Problem? _problem;
    string? _told;

    /// <summary>What the search asks for.</summary>
    [Parameter, EditorRequired]
    public MessageFilter Filter { get; set; } = new();

    /// <summary>Ids; emptied when something was done with them.</summary>
    [Parameter, EditorRequired]
    public HashSet<string> Picked { get; set; } = [];

    [Parameter]
    public Action? PickedChanged { get; set; }

    [Inject]
    MessageChanges Changes { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    /// <summary>What <see cref="Filter"/> finds, for who is asked whether he means it.</summary>
    string Found
    {
        get
        {
            (string Name, string? Value)[] all =
            [
                ("address", Filter.Address), ("subject", Filter.Subject), ("state", Filter.State is { } state ? ApiJson.Word(state) : null),
                ("transport", Filter.Transport), ("tag", Filter.Tag), ("batch", Filter.Batch?.ToString()),
                ("metadata", Filter.Metadata is { } entry ? $"{entry.Name}:{entry.Value}" : null),
                ("from", Filter.From is { } from ? Times.Iso(from) : null), ("until", Filter.Until is { } until ? Times.Iso(until) : null),
            ];
            var asked = all.Where(one => one.Value is not null).Select(one => $"{one.Name} {one.Value}").ToList();
            return asked.Count == 0 ? "ALL messages" : $"all messages ({string.Join(", ", asked)})";
        }
    }

    string Query => new Uri(Pages.Uri).Query;

    async Task OfPickedAsync(Change change)
    {
        await DoAsync(change, "picked", async (tenant, ct) =>
        {
            var total = default(BatchChange);
            foreach (var id in Picked.Order(StringComparer.Ordinal).ToList())
            {
                if (MessageId.TryParse(id, out var message) && await change.One(Changes, tenant, message, ct) is > 0 and var count)
                    total = total.With(new BatchChange(1, count));
                Tell(total, change, isOver: false);
            }
            return total;
        });
        Picked.Clear();
        PickedChanged?.Invoke();
    }

    Task OfAllAsync(Change change) => DoAsync(change, $"/emails{Query}", (tenant, ct) =>
        change.All(Changes, tenant, Filter, new Progress<BatchChange>(total => Tell(total, change, isOver: false)), ct));

    async Task DoAsync(Change change, string target, Func<TenantId, CancellationToken, Task<BatchChange>> run)
    {
        using var running = CancellationTokenSource.CreateLinkedTokenSource(Viewer.Ended);
        (_running, _told) = (running, null);
        try
        {
            _problem = await Actions.DoAsync(new NeedsAttribute(change.Needs), $"POST /emails/{change.Verb}", target, async by =>
            {
                Tell(await run(by.Tenant, running.Token), change, isOver: true);
                return null;
            });
        }
        catch (OperationCanceledException) when (running.IsCancellationRequested)
        {
            _told = $"Stopped. {_told}";
        }
        finally
        {
            _running = null;
        }
    }

    void Tell(BatchChange total, Change change, bool isOver)
    {
        if (!isOver && _running is null)
            return; // a report that comes when all is over
        _told = $"{Numbers.Count(total.Recipients, "recipient")} of {Numbers.Count(total.Messages, "message")} {change.Done}{(isOver ? "." : " so far …")}";
        StateHasChanged();
    }

    void Stop() => _running?.Cancel();

    public void Dispose() => _running?.Cancel();

    /// <summary>What can be done with many.</summary>
    sealed record Change(Scopes Needs, string Verb, string Done,
        Func<MessageChanges, TenantId, MessageId, CancellationToken, Task<int?>> One,
        Func<MessageChanges, TenantId, MessageFilter, IProgress<BatchChange>, CancellationToken, Task<BatchChange>> All);
}
