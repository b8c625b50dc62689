using Postrider.Messages;
using Postrider.Templates;

namespace Postrider.Submission;

/// <summary>Fills in the templates that requests name; what comes of it is checked like any other.</summary>
/// <param name="library">Null: there are none.</param>
sealed class TemplateFiller(TemplateLibrary? library, SubmissionOptions options)
{
    /// <summary>Of all templates of one call together.</summary>
    static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(30);

    /// <summary>The same entry where it names no template.</summary>
    public async ValueTask<SubmissionEntry> FillAsync(SubmissionEntry entry, TenantId tenant)
    {
        if (entry.Request is not { Template: { } use } request)
            return entry;
        var (content, problem) = await PinAsync(request, tenant);
        var template = content is null ? null : ReadyTemplate.Read(content, out problem);
        if (template?.Fill(TemplateData.Of(use.Data), library!.Rules, use.IsStrict, withText: true, out problem) is not { } filled)
            return new SubmissionEntry(problem!);
        return new SubmissionEntry(request with
        {
            Template = null,
            Subject = use.SubjectIsFallback ? filled.Subject ?? request.Subject : request.Subject ?? filled.Subject,
            Text = filled.Text,
            Html = filled.Html,
        });
    }

    /// <summary>All of them; the list itself where none names a template. Null: together they are larger than one call may
    /// be.</summary>
    public async ValueTask<IReadOnlyList<SubmissionEntry>?> FillAllAsync(IReadOnlyList<SubmissionEntry> entries, TenantId tenant)
    {
        var maxLength = options.MaxBytesPerCall;
        if (!entries.Any(entry => entry.Request?.Template is not null))
            return entries;
        var filled = new SubmissionEntry[entries.Count];
        var clock = library?.Rules.Clock;
        var started = clock?.GetTimestamp() ?? 0;
        for (var i = 0; i < filled.Length; i++)
        {
            filled[i] = clock?.GetElapsedTime(started) > MaxTime
                ? new SubmissionEntry(Faults.One("/template", "template-limit", "The templates of this call take too long: split it."))
                : await FillAsync(entries[i], tenant);
            maxLength -= (filled[i].Request?.Text?.Length ?? 0) + (filled[i].Request?.Html?.Length ?? 0);
            if (maxLength < 0)
                return null;
        }
        return filled;
    }

    /// <summary>For one message to each destination; exactly one of the two is null.</summary>
    public async ValueTask<(DestinationMerge? Merge, Problem? Problem)> ForDestinationsAsync(SubmissionRequest shared, TenantId tenant)
    {
        var (content, problem) = await PinAsync(shared, tenant);
        if (content is null)
            return (null, problem);
        var use = shared.Template!;
        // A subject of the call is filled in like the template's.
        content = content with { Subject = shared.Subject ?? content.Subject };
        if (ReadyTemplate.Read(content, out problem) is not { } template)
            return (null, problem);
        var form = new MergeForm(content.IsStrict ?? use.IsStrict, content.AllowsRawHtml);
        var request = shared with { Template = null, Subject = content.Subject, Text = content.Text, Html = content.Html };
        return (new DestinationMerge(request, template, form, use.Data, library!.Rules, options), null);
    }

    /// <summary>What a request is sent with; exactly one of the two is null.</summary>
    async ValueTask<(TemplateContent? Content, Problem? Problem)> PinAsync(SubmissionRequest request, TenantId tenant)
    {
        var use = request.Template!;
        if (request.Text is not null || request.Html is not null)
            return (null, Faults.One(request.Text is not null ? "/text" : "/html", "invalid-field",
                "It comes from the template: leave it out."));
        if (library is null)
            return (null, TemplateProblems.NoSuch(use.Name));
        try
        {
            return await library.PinAsync(tenant, use, CancellationToken.None);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or TimeoutException)
        {
            return (null, SubmissionProblems.StorageUnavailable);
        }
    }
}
