using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Api.Callbacks;
using Postrider.Api.Dialects;
using Postrider.Hosting;

namespace Postrider.Api;

/// <summary>The API as a whole: what it needs and where it is mounted.</summary>
static class ApiRoutes
{
    public static void AddApi(this IServiceCollection services)
    {
        services.AddSingleton<JsonBody>();
        services.AddSingleton<NdjsonSubmission>();
        services.AddSingleton<DestinationUpload>();
        services.AddDialects();
        services.AddSingleton<EmailShapes>();
        services.AddSingleton<TransportShapes>();
        services.AddSingleton<RoutingChanges>();
        services.AddSingleton<TransportTest>();
        services.AddSingleton<DeadLetterOrders>();
        services.AddSingleton<QueueShapes>();
        services.AddSingleton<EventSeats>();
        services.AddSingleton<UnsubscribeCalls>();
        services.AddSingleton<SchedulePages>();
        services.AddSingleton<TrackingEndpoints>();
        services.AddCallbacks();
        services.AddRequestDecompression();
        services.ConfigureHttpJsonOptions(options =>
        {
            // The same as ApiJson's own, for what OpenAPI derives from it.
            options.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            foreach (var converter in ApiJson.Default.Options.Converters)
                options.SerializerOptions.Converters.Add(converter);
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default);
        });
        services.AddDocument();
    }

    /// <param name="roles">Without the role <c>api</c> only health and metrics are answered.</param>
    public static void MapApi(this WebApplication app, Role roles)
    {
        app.UseMiddleware<LastResort>();
        app.Use(AdminConnection.OnlyHealth);
        if (roles.HasFlag(Role.Api))
            app.UseDialects();
        app.UseRouting();
        app.UseMiddleware<Gate>();
        app.UseMiddleware<ParameterGate>();
        app.UseRequestDecompression();
        app.UseMiddleware<BodyGate>();
        app.MapHealth();
        app.MapMetrics();
        if (!roles.HasFlag(Role.Api))
            return;
        app.MapSending();
        app.MapEmails();
        app.MapBatches();
        app.MapLists();
        app.MapSuppressions();
        app.MapUnsubscribe();
        app.MapKeys();
        app.MapUsers();
        app.MapTenants();
        app.MapAudit();
        app.MapRequests();
        app.MapAlerts();
        app.MapDeadLetters();
        app.MapTransports();
        app.MapDrills();
        app.MapRoutes();
        app.MapTransportTest();
        app.MapNodes();
        app.MapRetention();
        app.MapDoctor();
        app.MapBackup();
        app.MapErasures();
        app.MapQueue();
        app.MapPauses();
        app.MapDomains();
        app.MapTemplates();
        app.MapEvents();
        app.MapSchedules();
        app.MapWebhooks();
        app.MapInbox();
        app.MapFeedback();
        TrackingEndpoints.MapTracking(app);
        app.MapCallbacks();
        app.MapOpenApi("/openapi/{documentName}.json").For(Access.Open);
    }
}
