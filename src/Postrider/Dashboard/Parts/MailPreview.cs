using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Templates;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail as it would be sent.</summary>
public sealed record PreviewedMail(string Subject, ShownMail Mail);

/// <summary>What a mail will look like: checked and filled in as it is when it is sent, and nothing stored.</summary>
sealed class MailPreview(Submitter submitter, TimeProvider clock)
{
    /// <summary>Exactly one of the two is null.</summary>
    /// <param name="request">With recipients it is checked as it is when it is sent; without, they may still be to come.</param>
    /// <param name="destination">Of a batch; null: with what all share.</param>
    public async Task<(PreviewedMail? Mail, Problem? Problem)> MakeAsync(
        TenantId tenant, SubmissionRequest request, StoredDestination? destination)
    {
        var context = new SubmissionContext(tenant, null, default);
        if (request.To.Count + request.Cc.Count + request.Bcc.Count > 0
            && (await submitter.CheckAsync([new SubmissionEntry(request)], context))[0] is { } fault)
            return (null, fault);
        var (shared, problem) = await submitter.CheckSharedAsync(request with { To = [], Cc = [], Bcc = [] }, context);
        if (shared is null)
            return (null, problem);
        var content = shared.Content;
        if (destination is not null)
        {
            var message = submitter.ForDestinations(tenant, content, shared.Terms)
                .Make(default, destination.Email, destination.Name, destination.Data, clock.GetUtcNow(), out var unmade);
            if (message is null)
                return (null, unmade!.Problem);
            content = content with { MergeData = message.MergeData ?? content.MergeData };
        }
        return MergedContent.Of(content, out var why) is { } filled
            ? (new PreviewedMail(filled.Subject, ShownMail.Of(filled)), null)
            : (null, new Problem("template-data", StatusCodes.Status422UnprocessableEntity, "Template data is missing", why));
    }
}
