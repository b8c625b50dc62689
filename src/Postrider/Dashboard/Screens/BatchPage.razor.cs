using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>How a batch is doing, followed live.</summary>
sealed partial class BatchPage
{
    const int ErrorsAtOnce = 20;

    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The batch is not there any more.");

    BatchStatusAnswer? _batch;
    List<DestinationErrorAnswer> _errors = [];
    bool _moreErrors;
    bool _withBounced;
    bool _isCounted;    // opens and clicks too, which takes longer

    [Parameter]
    public string Id { get; set; } = "";

    /// <summary>Only messages with a recipient in it; null: all.</summary>
    [SupplyParameterFromQuery]
    public string? State { get; set; }

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    IBatchStore Batches { get; set; } = null!;

    [Inject]
    LargeBatches Large { get; set; } = null!;

    [Inject]
    MessageChanges Changes { get; set; } = null!;

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    EmailShapes Shapes { get; set; } = null!;

    // What has ended seldom changes.
    protected override TimeSpan Every => TimeSpan.FromSeconds(_batch is { Status: "incomplete", Paused: false } ? 1 : 5);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (!MessageId.TryParse(Id, out var id) || await Messages.GetBatchAsync(Viewer.Tenant, id, ct) is not { } view)
        {
            _batch = null;
            return;
        }
        var large = await Batches.FindAsync(Viewer.Tenant, id, ct);
        var isExpanding = large is { State: BatchState.Expanding, IsPaused: false };
        var waitingFor = isExpanding ? await Submitter.WhyNoRoomAsync(Viewer.Tenant, large!.Terms, ct) : null;
        _batch = Shapes.Batch(view, large, null, waitingFor, _isCounted ? await Batches.TrackingAsync(id, ct) : null);
        if (_errors.Count < ErrorsAtOnce)
        {
            _errors.Clear();
            await ReadErrorsAsync(id, ct);
        }
    }

    async Task ReadErrorsAsync(MessageId id, CancellationToken ct)
    {
        var found = await Batches.FaultsAsync(id, _errors.Count == 0 ? 0 : _errors[^1].Line, ErrorsAtOnce + 1, ct);
        _errors = [.. _errors, .. found.Take(ErrorsAtOnce).Select(DestinationUpload.Error)];
        _moreErrors = found.Count > ErrorsAtOnce;
    }

    Task MoreErrorsAsync() => LookAsync(ct => MessageId.TryParse(Id, out var id) ? ReadErrorsAsync(id, ct) : Task.CompletedTask);

    async Task<ListPage<EmailAnswer>> LoadAsync(string? from, CancellationToken ct)
    {
        if (!MessageId.TryParse(Id, out var batch))
            return new ListPage<EmailAnswer>([], null);
        RecipientState? state = Enum.TryParse<RecipientState>(State, ignoreCase: true, out var word) ? word : null;
        var page = await Messages.ListAsync(Viewer.Tenant,
            new MessageFilter { Batch = batch, State = state, Before = ListPage.Id(from), Limit = ListPage.Size }, ct);
        return new ListPage<EmailAnswer>([.. page.Messages.Select(Shapes.Short)], page.ContinueBefore?.ToString());
    }

    Task CountAsync()
    {
        _isCounted = true;
        return LookAsync();
    }

    Task<bool> StartAsync() => ChangeAsync(Scopes.Send, "start", async (tenant, id) =>
        await Large.StartAsync(tenant, id, CancellationToken.None) is { } problem ? (null, problem) : ("Started.", null));

    Task<bool> PauseAsync() => ChangeAsync(Scopes.Manage, "pause", async (tenant, id) =>
        await Large.PauseAsync(tenant, id, CancellationToken.None) is { } problem
            ? (null, problem) : ("Paused. Nothing of it leaves until it is resumed; attempts under way end by themselves.", null));

    Task<bool> ResumeAsync() => ChangeAsync(Scopes.Manage, "resume", async (tenant, id) =>
        await Large.ResumeAsync(tenant, id, CancellationToken.None) is { } problem ? (null, problem) : ("It goes on.", null));

    Task<bool> CancelAsync() => ChangeAsync(Scopes.Manage, "cancel", async (tenant, id) =>
        (await Large.CancelAsync(tenant, id, CancellationToken.None)
            ?? (await Changes.CancelBatchAsync(tenant, id, CancellationToken.None))?.Recipients) switch
        {
            null => (null, Gone),
            0 => ("Nothing could be cancelled at once: each recipient has ended, or is under way and ends with its attempt.", null),
            { } count => ($"{Numbers.Count(count, "recipient")} cancelled; attempts under way end by themselves.", null),
        });

    Task<bool> RetryAsync() => ChangeAsync(Scopes.Manage, "retry-failed", async (tenant, id) =>
        await Changes.RetryBatchAsync(tenant, id, _withBounced, CancellationToken.None) switch
        {
            null => (null, Gone),
            { Recipients: 0 } => ("Nothing is sent again: no recipient failed, expired or is held. What bounced goes again only if you say so.", null),
            { Recipients: var count } => ($"{Numbers.Count(count, "recipient")} queued again; the others stay as they are.", null),
        });

    /// <param name="change">What to tell, or why nothing was changed.</param>
    Task<bool> ChangeAsync(Scopes needs, string verb, Func<TenantId, MessageId, Task<(string? Told, Problem? Problem)>> change) =>
        DoAsync(needs, $"POST /batches/{{id}}/{verb}", $"/batches/{Id}/{verb}", async by =>
        {
            if (!MessageId.TryParse(Id, out var id))
                return Gone;
            (Told, var problem) = await change(by.Tenant, id);
            return problem;
        });

    static long Ended(CountsAnswer c) => c.Sent + c.Delivered + c.Bounced + c.Failed + c.Expired + c.Suppressed + c.Cancelled;

    /// <summary>Those that have any, in the order in which they come.</summary>
    static IEnumerable<(string Word, long Count)> States(BatchStatusAnswer batch)
    {
        var c = batch.Counts;
        (string Word, long Count)[] all =
        [
            ("scheduled", c.Scheduled), ("queued", c.Queued), ("leased", c.Leased), ("unknown", c.Unknown), ("held", c.Held),
            ("sent", c.Sent), ("delivered", c.Delivered), ("bounced", c.Bounced), ("failed", c.Failed), ("expired", c.Expired),
            ("suppressed", c.Suppressed), ("cancelled", c.Cancelled),
        ];
        return all.Where(state => state.Count > 0);
    }
}
