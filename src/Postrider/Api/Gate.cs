using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>Stands before every endpoint: finds out who calls and whether they may. Denies what says nothing about itself.</summary>
sealed partial class Gate(
    RequestDelegate next, Authenticator authenticator, TenantCalls calls, IAuditStore audit, TimeProvider clock,
    IHostApplicationLifetime lifetime, ILogger<Gate> log)
{
    /// <summary>Characters kept of a path.</summary>
    const int MaxTarget = 500;

    // Routing's own endpoint where a call has the address but takes another type of body: whose body it is comes first.
    const string WrongMediaType = "415 HTTP Unsupported Media Type";

    public Task InvokeAsync(HttpContext context)
    {
        // Null: no such address. Not a route: routing's own answer for a wrong method or media type. Both end as problems without a secret
        // in them.
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
            return context.GetEndpoint()?.DisplayName == WrongMediaType ? Ask(context, Access.Known) : next(context);
        var access = endpoint.Metadata.GetMetadata<Access>();
        if (access is { IsOpen: true } || (access is { IsOpenToAdmins: true } && AdminConnection.Is(context)))
            return next(context);
        if (access is null)
            return ProblemWriter.WriteAsync(context, TenantProblems.InsufficientScope(Scopes.Admin));
        if (lifetime.ApplicationStopping.IsCancellationRequested && endpoint.Metadata.GetMetadata<TakesMail>() is not null)
            return RefuseDraining(context);
        return Ask(context, access);
    }

    Task Ask(HttpContext context, Access access)
    {
        var asked = authenticator.AuthenticateAsync(context.BearerText);
        return asked.IsCompletedSuccessfully ? Decide(context, access, asked.Result) : DecideLaterAsync(context, access, asked);
    }

    async Task DecideLaterAsync(HttpContext context, Access access, ValueTask<Authentication> asked) =>
        await Decide(context, access, await asked);

    Task Decide(HttpContext context, Access access, Authentication authentication)
    {
        if (authentication.Principal is not { } principal)
            return ProblemWriter.WriteAsync(context, authentication.Problem!);
        // Also of a call that is refused: whose it was.
        context.Features.Set(principal);
        if (calls.Refuse(principal.Tenant) is { } tooMany)
            return ProblemWriter.WriteAsync(context, tooMany);
        var denied = principal.Missing(access.Scopes)
            ?? (access.IsForInstallation && principal.Tenant != TenantId.First ? TenantProblems.InstallationOnly : null);
        if (access.IsManagement && (denied is not null || !HttpMethods.IsGet(context.Request.Method)))
            return RecordAsync(context, principal, denied);
        return denied is null ? next(context) : ProblemWriter.WriteAsync(context, denied);
    }

    /// <summary>Every management call that changes something, or was denied, has its row in the audit: made when its answer is known, on
    /// disk before the connection takes the next call.</summary>
    async Task RecordAsync(HttpContext context, Principal principal, Problem? denied)
    {
        var status = StatusCodes.Status500InternalServerError;
        try
        {
            await (denied is null ? next(context) : ProblemWriter.WriteAsync(context, denied));
            status = context.Response.StatusCode;
        }
        finally
        {
            var entry = new AuditEntry(0, clock.GetUtcNow(), principal.Tenant, principal.KeyId,
                $"{context.Request.Method} {(context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText}",
                context.Request.Path.ToString() is var path && path.Length > MaxTarget ? path[..MaxTarget] : path,
                status, context.Connection.RemoteIpAddress?.ToString());
            try
            {
                await audit.AddAsync(entry);
            }
            catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException)
            {
                LogNotRecorded(fault.Message, entry);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "A management call could not be recorded ({Reason}): {Entry}")]
    partial void LogNotRecorded(string reason, AuditEntry entry);

    static Task RefuseDraining(HttpContext context)
    {
        context.Response.Headers.Connection = "close";
        return ProblemWriter.WriteAsync(context, SubmissionProblems.Draining);
    }
}
