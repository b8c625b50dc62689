using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Sends one content to many, as <c>POST /batches</c> with destinations does.</summary>
sealed partial class ComposeBatch
{
    const int ShownErrors = 10;
    static readonly NeedsAttribute Send = new(Scopes.Send), Manage = new(Scopes.Manage);

    readonly MailDraft _draft = new() { Stream = "bulk" };
    RecipientSource _recipients = null!;
    MailFields _fields = null!;
    PreviewedMail? _preview;
    string? _first;             // whom the preview is for
    Problem? _problem;
    bool _isStoring;
    long? _stored;              // recipients on disk while they are read
    MessageId? _batch;          // being filled
    UploadResult? _upload;      // waits for a word about the lines left out

    [Inject]
    LargeBatches Large { get; set; } = null!;

    [Inject]
    IBatchStore Batches { get; set; } = null!;

    [Inject]
    TimeProvider Clock { get; set; } = null!;

    [Inject]
    MailPreview Previews { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    async Task<SubmissionRequest?> ReadAsync()
    {
        await _fields.ReadAsync();
        (_preview, _problem) = (null, null);
        return await _recipients.IsReadyAsync() ? _draft.ToRequest(Viewer.Zone, out _problem) : null;
    }

    async Task PreviewAsync()
    {
        if (await ReadAsync() is not { } request)
            return;
        try
        {
            (var first, _problem) = await _recipients.FirstAsync(Viewer.Ended);
            if (first is null)
                return;
            _first = first.Name is null ? first.Email : $"{first.Name} <{first.Email}>";
            (_preview, _problem) = await Previews.MakeAsync(Viewer.Tenant, request, first);
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            _problem = explained;
        }
    }

    async Task SendAsync()
    {
        if (await ReadAsync() is not { } request)
            return;
        _isStoring = true;
        try
        {
            _problem = await Actions.DoAsync(Send, "POST /batches", "/batches", by => StoreAsync(by, request));
        }
        finally
        {
            (_isStoring, _stored) = (false, null);
        }
        if (_problem is not null)
            return;
        if (_upload is { Part.Refused: 0 })
            await StartAsync();
        else if (_upload is null)
            Pages.NavigateTo($"batches/{_batch}");
    }

    async Task<Problem?> StoreAsync(Principal by, SubmissionRequest request)
    {
        var (added, problem) = await Large.AddAsync(request, new SubmissionContext(by.Tenant, null, default), _recipients.List);
        if (added is not { } there)
            return problem;
        _batch = there.Batch.Id;
        if (_recipients.List is not null)
            return null;
        var sink = new WatchedSink(new BatchEndpoints.BatchSink(Batches, Clock, by.Tenant, there.Batch.Id), Told);
        (_upload, problem) = await _recipients.UploadAsync(Services.GetRequiredService<DestinationUpload>(), sink, Viewer.Ended);
        if (problem is not null)
            await Large.CancelAsync(by.Tenant, there.Batch.Id, CancellationToken.None);
        return problem;
    }

    void Told(AppendedPart part)
    {
        _stored = part.Accepted;
        StateHasChanged();
    }

    async Task StartAsync()
    {
        _problem = await Actions.DoAsync(Send, "POST /batches/{id}/start", $"/batches/{_batch}/start", by =>
            Large.StartAsync(by.Tenant, _batch!.Value, CancellationToken.None));
        if (_problem is null)
            Pages.NavigateTo($"batches/{_batch}");
        else
            await DiscardAsync(_problem);
    }

    Task DiscardAsync() => DiscardAsync(null);

    /// <param name="why">Shown afterwards; null: it was asked for.</param>
    async Task DiscardAsync(Problem? why)
    {
        var refused = await Actions.DoAsync(Manage, "POST /batches/{id}/cancel", $"/batches/{_batch}/cancel", async by =>
        {
            await Large.CancelAsync(by.Tenant, _batch!.Value, CancellationToken.None);
            return null;
        });
        (_problem, _upload, _batch) = (why ?? refused, null, null);
    }
}
