using Postrider.Dashboard.Access;
using Postrider.Dashboard.Assets;
using Postrider.Dashboard.Layout;
using Postrider.Dashboard.Screens;
using Postrider.Hosting;

namespace Postrider.Dashboard;

/// <summary>Mounts the dashboard at <c>/ui</c>, apart from the API: nothing of it answers elsewhere, nothing of the API there.</summary>
static class DashboardPipeline
{
    public const string Root = "/ui";

    /// <summary>Its services and its pipeline are made with the first request for it: they take some 20 MB, which a server that nobody
    /// looks at does not pay.</summary>
    /// <param name="known">What the process has.</param>
    public static void UseDashboard(this WebApplication app, IServiceCollection known)
    {
        var dashboard = new Lazy<Mounted>(() => Mounted.Make(app.Services, known));
        app.Use(next => context => context.Request.Path.StartsWithSegments(Root, out var rest)
            ? dashboard.Value.AnswerAsync(context, rest) : next(context));
    }
}

/// <summary>The dashboard once somebody has opened it: a pipeline with services of its own beside those of the process.</summary>
sealed class Mounted(IServiceProvider services, RequestDelegate pipeline)
{
    // Of the framework's services those that are the process's own; everything else of it is made anew.
    static readonly Type[] OfTheProcess =
    [
        typeof(ILoggerFactory), typeof(IConfiguration), typeof(IHostEnvironment), typeof(IWebHostEnvironment),
        typeof(IHostApplicationLifetime), typeof(TimeProvider), typeof(System.Diagnostics.DiagnosticListener),
        typeof(System.Diagnostics.DiagnosticSource),
    ];

    public static Mounted Make(IServiceProvider process, IServiceCollection known)
    {
        var services = new ServiceCollection();
        foreach (var type in known.Where(IsShared).Select(service => service.ServiceType).Distinct())
            services.AddSingleton(type, _ => process.GetRequiredService(type));
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddOptions();
        services.AddRoutingCore();
        services.AddDashboard();
        // Never disposed: it would dispose what is the process's. It ends with the process, as its connections do.
        var provider = services.BuildServiceProvider();
        Watch(provider);
        var pipeline = Build(provider);
        // Behind the framework's own, which waits for connections to end, and so called before it.
        var lifetime = process.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStopping.Register(provider.GetRequiredService<LiveSessions>().Close);
        return new Mounted(provider, pipeline);
    }

    public async Task AnswerAsync(HttpContext context, PathString path)
    {
        await using var scope = services.CreateAsyncScope();
        var request = context.Request;
        var (outside, root, whole) = (context.RequestServices, request.PathBase, request.Path);
        (context.RequestServices, request.PathBase, request.Path) = (scope.ServiceProvider, root + DashboardPipeline.Root, path);
        try
        {
            await pipeline(context);
        }
        finally
        {
            (context.RequestServices, request.PathBase, request.Path) = (outside, root, whole);
        }
    }

    static bool IsShared(ServiceDescriptor service) => service is { Lifetime: ServiceLifetime.Singleton, IsKeyedService: false }
        && (OfTheProcess.Contains(service.ServiceType)
            || (service.ServiceType.Namespace?.StartsWith("Postrider", StringComparison.Ordinal) == true && !service.ServiceType.IsGenericType));

    /// <summary>Sessions are looked after until the process stops; should that fail, it stops.</summary>
    static void Watch(IServiceProvider services)
    {
        var (watch, lifetime) = (services.GetRequiredService<SessionWatch>(), services.GetRequiredService<IHostApplicationLifetime>());
        _ = watch.StartAsync(lifetime.ApplicationStopping);
        watch.ExecuteTask?.ContinueWith(_ =>
        {
            services.GetRequiredService<StopReason>().Set(ExitCodes.Internal);
            lifetime.StopApplication();
        }, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    static RequestDelegate Build(IServiceProvider services)
    {
        var branch = new ApplicationBuilder(services);
        branch.UseMiddleware<SecurityHeaders>();
        branch.UseMiddleware<LastPage>();
        branch.UseMiddleware<AssetFiles>();
        branch.UseMiddleware<SessionGate>();
        branch.UseRouting();
        branch.UseAntiforgery();
        branch.UseEndpoints(routes =>
        {
            routes.MapRazorComponents<App>().AddInteractiveServerRenderMode(pages =>
            {
                // SecurityHeaders says who may frame us; what is compressed beside what a stranger sends can be guessed.
                pages.ContentSecurityFrameAncestorsPolicy = null;
                pages.DisableWebSocketCompression = true;
            });
            routes.MapSuppressionExport();
            routes.MapSignOut();
            routes.MapPreviews();
            routes.MapMessageExport();
        });
        return branch.Build();
    }
}
