using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Providers.Postmark;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;

namespace Postrider.Api.Dialects;

/// <summary>Which vendors' APIs are served, and where in the pipeline.</summary>
static class DialectRoutes
{
    public static void AddDialects(this IServiceCollection services)
    {
        services.AddSingleton<IDialect, SendGridDialect>();
        services.AddSingleton<IDialect, MailgunDialect>();
        services.AddSingleton<IDialect, SesDialect>();
        services.AddSingleton<IDialect, PostmarkDialect>();
        services.AddSingleton<DialectEndpoint>();
    }

    /// <summary>Before routing: paths may have to be put right first.</summary>
    public static void UseDialects(this WebApplication app)
    {
        app.UseMiddleware<DialectPaths>();
        app.MapWhen(context => context.Features.Get<DialectCall>() is not null, branch =>
        {
            branch.UseRequestDecompression();
            branch.Run(app.Services.GetRequiredService<DialectEndpoint>().ServeAsync);
        });
    }
}
