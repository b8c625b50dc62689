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

    readonly MailDraft _draft = new() { Stream = "bulk" };
    RecipientSource _recipients = null!;
    PreviewedMail? _preview;
    string? _first;             // whom the preview is for
    bool _isStoring;
    long? _stored;              // recipients on disk while they are read
    MessageId? _batch;          // being filled
    UploadResult? _upload;      // waits for a word about the lines left out

    [Inject]
    LargeBatches Large { get; set; } = null!;

    [Inject]
    IBatchStore Batches { get; set; } = null!;

    [Inject]
    DestinationUpload Upload { get; set; } = null!;

    [Inject]
    MailPreview Previews { get; set; } = null!;

    SubmissionRequest? Request()
    {
        (_preview, Refused) = (null, null);
        if (!_recipients.IsReady())
            return null;
        var request = _draft.ToRequest(Viewer.Zone, Clock.GetUtcNow(), out var problem);
        Refused = problem;
        return request;
    }

    async Task PreviewAsync()
    {
        if (Request() is { } request)
            await LookAsync(async ct =>
            {
                (var first, Refused) = await _recipients.FirstAsync(ct);
                if (first is null)
                    return;
                _first = first.Name is null ? first.Email : $"{first.Name} <{first.Email}>";
                (_preview, Refused) = await Previews.MakeAsync(Viewer.Tenant, request, first);
            });
    }

    async Task SendAsync()
    {
        if (Request() is not { } request)
            return;
        _isStoring = true;
        try
        {
            if (!await DoAsync(Scopes.Send, "POST /batches", "/batches", by => StoreAsync(by, request)))
                return;
        }
        finally
        {
            (_isStoring, _stored) = (false, null);
        }
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
        var sink = new WatchedSink(new BatchEndpoints.BatchSink(Batches, Clock, by.Tenant, there.Batch.Id), Tell);
        (_upload, problem) = await _recipients.UploadAsync(Upload, sink, Viewer.Ended);
        if (problem is not null)
            await Large.CancelAsync(by.Tenant, there.Batch.Id, CancellationToken.None);
        return problem;
    }

    void Tell(AppendedPart part)
    {
        _stored = part.Accepted;
        StateHasChanged();
    }

    async Task StartAsync()
    {
        if (await DoAsync(Scopes.Send, "POST /batches/{id}/start", $"/batches/{_batch}/start",
            by => Large.StartAsync(by.Tenant, _batch!.Value, CancellationToken.None)))
            Pages.NavigateTo($"batches/{_batch}");
        else
            await DiscardAsync(Refused);
    }

    Task DiscardAsync() => DiscardAsync(null);

    /// <param name="why">Shown afterwards; null: it was asked for.</param>
    async Task DiscardAsync(Problem? why)
    {
        await DoAsync(Scopes.Manage, "POST /batches/{id}/cancel", $"/batches/{_batch}/cancel", async by =>
        {
            await Large.CancelAsync(by.Tenant, _batch!.Value, CancellationToken.None);
            return null;
        });
        (Refused, _upload, _batch) = (why ?? Refused, null, null);
    }
}
