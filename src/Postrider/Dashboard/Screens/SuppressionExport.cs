using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Suppression;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>The suppression list as a file, of the viewer's tenant.</summary>
static class SuppressionExport
{
    public static void MapSuppressionExport(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/export/suppressions.csv", async (HttpContext context, Viewer viewer, ISuppressionStore list, string? cause) =>
        {
            if (!viewer.May(Scopes.Read))
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
            else
                await SuppressionEndpoints.ExportAsync(context, list, viewer.Tenant,
                    ListQuery.TryWord<SuppressionCause>(cause, out var wanted) ? wanted : null);
        });
}
