using Postrider.Dashboard.Access;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>The form that ends a session; the gate has seen that it came from a page of ours.</summary>
static class SignOut
{
    public static void MapSignOut(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/sign-out", async (HttpContext context, Viewer viewer, Sessions sessions, LiveSessions live) =>
        {
            await sessions.EndAsync(viewer.Session.Id);
            SessionCookie.Clear(context);
            context.Response.StatusCode = StatusCodes.Status303SeeOther;
            context.Response.Headers.Location = $"{context.Request.PathBase}/";
            live.End(viewer.Session.Id);
        });
}
