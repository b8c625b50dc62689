using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>The only way in which a screen changes something: asks whether the viewer may, now and not when the page was drawn, does it,
/// and has it recorded in the audit, denied, done or broken off.</summary>
sealed partial class ScreenActions(Viewer viewer, IAuditStore audit, TimeProvider clock, ILogger<ScreenActions> log)
{
    const int MaxTarget = 500;

    /// <param name="action">As the API would be called for it: <c>POST /emails/{id}/retry</c>.</param>
    /// <param name="target">The path of that call: <c>/emails/0198…/retry</c>; never a secret.</param>
    /// <param name="change">Gets the viewer as the one who calls; returns what was refused, or null.</param>
    /// <returns>Why nothing was done; null: it is done, and on disk.</returns>
    public async Task<Problem?> DoAsync(NeedsAttribute needs, string action, string target, Func<Principal, Task<Problem?>> change)
    {
        if (viewer.Ended.IsCancellationRequested)
            return Ended;
        var principal = viewer.Principal;
        // What was stopped halfway, or failed in no known way, has changed something perhaps.
        var status = StatusCodes.Status500InternalServerError;
        try
        {
            var problem = Refuse(needs) ?? await change(principal);
            status = problem?.Status ?? StatusCodes.Status200OK;
            return problem;
        }
        catch (OperationCanceledException)
        {
            status = StatusCodes.Status499ClientClosedRequest;
            throw;
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            status = explained.Status;
            return explained;
        }
        finally
        {
            await RecordAsync(principal, action, target, status);
        }
    }

    Problem? Refuse(NeedsAttribute needs) => viewer.Principal.Missing(needs.Scopes) is not null
        ? new Problem("not-allowed", StatusCodes.Status403Forbidden, "Not allowed",
            $"Your role ({viewer.User.Role}) may not do this. Nothing was changed; an administrator can change your role.")
        : viewer.May(needs) ? null : TenantProblems.InstallationOnly;

    async Task RecordAsync(Principal principal, string action, string target, int status)
    {
        var entry = new AuditEntry(0, clock.GetUtcNow(), principal.Tenant, principal.KeyId, action,
            target.Length > MaxTarget ? target[..MaxTarget] : target, status, viewer.Address);
        try
        {
            await audit.AddAsync(entry);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException)
        {
            LogNotRecorded(fault.Message, entry);
        }
    }

    static readonly Problem Ended = new(
        "session-ended", StatusCodes.Status401Unauthorized, "Signed out", "Your session has ended. Load the page again and sign in.");

    [LoggerMessage(LogLevel.Error, "A change from the dashboard could not be recorded ({Reason}): {Entry}")]
    partial void LogNotRecorded(string reason, AuditEntry entry);
}
