using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>Stands before every endpoint: finds out who calls and whether they may. Denies what says nothing about itself.</summary>
sealed class Gate(RequestDelegate next, Authenticator authenticator, TenantCalls calls, IHostApplicationLifetime lifetime)
{
    // Routing's own endpoint where a call has the address but takes another type of body: whose body it is comes first.
    const string WrongMediaType = "415 HTTP Unsupported Media Type";

    public Task InvokeAsync(HttpContext context)
    {
        // Null: no such address. Not a route: routing's own answer for a wrong method or media type. Both end as problems without a secret
        // in them.
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
            return context.GetEndpoint()?.DisplayName == WrongMediaType ? Ask(context, Access.Known) : next(context);
        var access = endpoint.Metadata.GetMetadata<Access>();
        if (access is { IsOpen: true })
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
        if ((calls.Refuse(principal.Tenant) ?? principal.Missing(access.Scopes)) is { } problem)
            return ProblemWriter.WriteAsync(context, problem);
        if (access.IsForInstallation && principal.Tenant != TenantId.First)
            return ProblemWriter.WriteAsync(context, TenantProblems.InstallationOnly);
        context.Features.Set(principal);
        return next(context);
    }

    static Task RefuseDraining(HttpContext context)
    {
        context.Response.Headers.Connection = "close";
        return ProblemWriter.WriteAsync(context, SubmissionProblems.Draining);
    }
}
