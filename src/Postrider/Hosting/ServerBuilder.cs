using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Postrider.Alerts;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard;
using Postrider.Delivery;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Metrics;
using Postrider.Providers.Smtp;
using Postrider.Queue;
using Postrider.Retention;
using Postrider.Routing;
using Postrider.Schedules;
using Postrider.Senders;
using Postrider.Storage;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Suppression;
using Postrider.Templates;
using Postrider.Tenants;
using Postrider.Tracking;
using Postrider.Transports;
using Postrider.Webhooks;

namespace Postrider.Hosting;

/// <summary>Puts the process together: the only place that knows every room and which storage is used.</summary>
static class ServerBuilder
{
    /// <summary>Opens the storage, checks the master key, sees to the first API key, and builds the host. Not started yet.</summary>
    /// <param name="change">For tests: replaces services before the host is built.</param>
    public static async Task<WebApplication> BuildAsync(LoadedConfiguration configuration, Action<IServiceCollection>? change = null)
    {
        // Empty: the usual builder watches its content root for changed settings, and every write of the database would wake that watcher.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = "postrider",
            EnvironmentName = configuration.Environment,
            ContentRootPath = AppContext.BaseDirectory,
        });
        // The addresses are ours to read; the host would take the same key for its own.
        builder.Configuration.AddInMemoryCollection(configuration.Values.AsEnumerable().Where(v => v.Key != nameof(PostriderOptions.Urls)));
        var options = configuration.Get<PostriderOptions>();
        AddLogging(builder.Logging, options.Log);
        var roles = Roles.Of(options.Roles);
        var services = builder.Services;
        services.AddSingleton(configuration);
        services.AddSingleton(options);
        services.AddSingleton(configuration.Get<ServerOptions>());
        services.AddSingleton(configuration.Get<SmtpListenerOptions>());
        services.AddSingleton(configuration.Get<StorageOptions>().ForMessagesOf(configuration.Submission.MaxMessageBytes));
        services.AddSingleton(configuration.Submission);
        if (AllowedRecipients.Parse(configuration.Submission.AllowRecipients, out _) is { Everybody: false } allowed)
            services.AddSingleton<MayReceive>(allowed.Includes);
        services.AddSingleton(configuration.Get<SenderOptions>());
        services.AddSingleton(configuration.Get<TemplateOptions>());
        services.AddSingleton(configuration.Get<BatchOptions>());
        services.AddSingleton(configuration.Get<ScheduleOptions>());
        services.AddSingleton(configuration.Get<WebhookOptions>());
        services.AddSingleton(configuration.Get<RetentionOptions>());
        services.AddSingleton(configuration.Get<TrackingOptions>());
        services.AddSingleton(configuration.Get<AlertOptions>());
        services.AddSingleton(Options.Create(configuration.Routing));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(Entropy.System);
        AddEngine(services, options, roles);
        services.AddApi();
        services.AddMetricReading();
        if (TelemetryExport.IsOn)
        {
            // Method and route of calls, by which their spans are named and those of watchers left out, are not told by ASP.NET without it.
            AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
            services.AddHostedService(sp => new TelemetryExport(sp.GetRequiredService<StorageOptions>().NodeName));
        }
        services.AddUsers();
        services.AddAlerts(options);
        if (roles.HasFlag(Role.Smtp) && SmtpListener.IsOn(options))
        {
            services.AddSingleton<SmtpListener>();
            services.AddHostedService(sp => sp.GetRequiredService<SmtpListener>());
        }
        var connections = ConnectionLimits.Of(options, configuration.Get<ServerOptions>(), configuration.Get<SmtpListenerOptions>(),
            takesSmtp: roles.HasFlag(Role.Smtp) && SmtpListener.IsOn(options));
        services.AddSingleton(connections);
        AddHttp(builder, options, configuration.Get<ServerOptions>(), connections);
        var drain = configuration.Get<DeliveryOptions>().DrainTimeout;
        // Above the drain, which ends by itself: what remains is for requests and for closing the storage.
        var delay = configuration.Get<ServerOptions>().StopDelay;
        services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = delay + drain + TimeSpan.FromSeconds(15);
            // One after the other, a client that is slow with its request would use up the time of the drain, and what is under way would
            // be cut.
            host.ServicesStopConcurrently = true;
        });
        change?.Invoke(services);
        var app = builder.Build();
        try
        {
            await PrepareAsync(app);
        }
        catch
        {
            app.Services.GetService<PostgresOpening>()?.Withdraw();
            await app.DisposeAsync(); // closes the storage in order
            throw;
        }
        app.UseTrustedProxies(options);
        if (TelemetryExport.IsOn)
            app.Use(TelemetryExport.TellRouteAsync);
        if (roles.HasFlag(Role.Dashboard))
            app.UseDashboard(services);
        app.MapApi(roles);
        return app;
    }

    static void AddLogging(ILoggingBuilder logging, LogForm form)
    {
        if (form == LogForm.Json)
            logging.AddConsole(console => console.FormatterName = JsonLog.FormatterName)
                .AddConsoleFormatter<JsonLog, ConsoleFormatterOptions>();
        else
            logging.AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
                console.UseUtcTimestamp = true;
                console.ColorBehavior = LoggerColorBehavior.Disabled;
            });
        // Standard output is the banner's; what is logged goes where errors go.
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        logging.SetMinimumLevel(LogLevel.Information);
        // A line per request costs as much as storing the message.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("System", LogLevel.Warning);
        // A start that fails is told in one line by who started it; a service that fails has a critical line as well.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        // It warns that keys are not encrypted: they are, by who keeps them.
        logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        // It warns of every form that a stranger sends without a token.
        logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.Error);
        // It warns, with a stack, of every client that breaks off inside a body.
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
    }

    static void AddEngine(IServiceCollection services, PostriderOptions options, Role roles)
    {
        Stores.Add(services, options);
        services.AddSingleton<Sealer>();
        services.AddSingleton<ApiKeys>();
        services.AddSingleton<Tokens>();
        services.AddSingleton<ITenantStore, TenantTable>();
        services.AddSingleton<TenantDirectory>();
        services.AddSingleton<TenantCalls>();
        services.AddSingleton<TenantQuotas>();
        services.AddSingleton<IAuditStore, AuditTable>();
        services.AddSingleton<IRefusedCallStore, RefusedCallTable>();
        services.AddSingleton<RefusedCalls>();
        services.AddHostedService(sp => sp.GetRequiredService<RefusedCalls>());
        services.AddDeadLetters(works: roles.HasFlag(Role.Scheduler));
        services.AddSingleton<TenantWeight>(sp =>
        {
            var tenants = sp.GetRequiredService<TenantDirectory>();
            return tenant => tenants.SettingsOf(tenant).Weight ?? 1;
        });
        services.AddHostedService<TenantRefresher>();
        services.AddSingleton<ITransportStore, TransportTables>();
        services.AddSingleton<TransportBook>();
        services.AddSingleton<Authenticator>();
        services.AddHostedService<KeyUseRecorder>();
        services.AddSingleton<HeldMail>();
        services.AddHostedService(sp => sp.GetRequiredService<HeldMail>());
        services.AddSingleton<SubmissionMetrics>();
        services.AddSingleton(sp => new Submitter(
            sp.GetRequiredService<IQueueStore>(), sp.GetRequiredService<IMessageReader>(), sp.GetRequiredService<IHandOver>(),
            sp.GetRequiredService<MessageIds>(), sp.GetRequiredService<TimeProvider>(), sp.GetRequiredService<SubmissionOptions>())
        {
            Router = sp.GetRequiredService<Router>(),
            Metrics = sp.GetRequiredService<SubmissionMetrics>(),
            KeepHeld = sp.GetRequiredService<HeldMail>().Add,
            Templates = sp.GetRequiredService<TemplateLibrary>(),
            Tenants = sp.GetRequiredService<TenantDirectory>(),
            Quotas = sp.GetRequiredService<TenantQuotas>(),
            SendLarge = (shared, destinations, context) =>
                sp.GetRequiredService<LargeBatches>().SendAsync(shared, destinations, context),
            MaySendFrom = sp.GetRequiredService<SenderDomains>().MaySend,
        });
        services.AddSenders();
        services.AddSingleton<ITemplateStore, TemplateTables>();
        services.AddSingleton<TemplateLibrary>();
        services.AddWebhooks(sends: roles.HasFlag(Role.Scheduler));
        services.AddTracking(options, answers: roles.HasFlag(Role.Api));
        services.AddSingleton<MessageChanges>();
        services.AddSingleton<IBatchStore, BatchTables>();
        services.AddSingleton<IListStore, ListTables>();
        services.AddSingleton<ISuppressionStore, SuppressionTables>();
        services.AddSingleton(sp => new UnsubscribeLinks(
            sp.GetRequiredService<MasterKey>().Derive("postrider/unsubscribe/1"), sp.GetRequiredService<PostriderOptions>().PublicUrl));
        services.AddSingleton<LargeBatches>();
        services.AddSingleton<RecipientLists>();
        services.AddSingleton<ReadDestinations>();
        if (roles.HasFlag(Role.Scheduler))
        {
            services.AddSingleton<Expander>();
            services.AddHostedService<ExpanderHost>();
        }
        services.AddSchedules(runs: roles.HasFlag(Role.Scheduler));
        services.AddRetention(purges: roles.HasFlag(Role.Scheduler));
        services.AddHostedService<StopDelay>();
        services.AddSingleton<RunningBackup>();
        services.AddSingleton<StopReason>();
        services.AddSingleton<FirstKey>();
        services.AddSingleton<FirstLink>();
        Rooms.AddProviders(services);
        if (roles.HasFlag(Role.Worker))
        {
            services.AddSingleton(sp => new FlowBook(
                sp.GetRequiredService<TimeProvider>(), sp.GetRequiredService<SubmissionOptions>().DefaultExpiresIn));
            services.AddHostedService<FlowHost>();
        }
        services.AddPostriderDelivery(delivers: roles.HasFlag(Role.Worker));
        services.AddPostriderFeedback(roles.HasFlag(Role.Worker) ? static sp => sp.GetRequiredService<TransportSearch>().FindAsync : null);
        if (options.BounceDomain.Length > 0)
            AddReports(services, options);
    }

    /// <summary>Return paths of our own, and the mail that comes to them: to the SMTP listener without credentials.</summary>
    static void AddReports(IServiceCollection services, PostriderOptions options)
    {
        services.AddSingleton(sp => new ReturnPaths(
            sp.GetRequiredService<MasterKey>().Derive("postrider/return-path/1"), options.BounceDomain,
            sp.GetRequiredService<TimeProvider>()));
        services.AddSingleton(sp =>
        {
            var receiver = sp.GetRequiredService<MailReportReceiver>();
            return new SmtpReports(receiver.IsOurs, receiver.TakeAsync);
        });
    }

    static void AddHttp(WebApplicationBuilder builder, PostriderOptions options, ServerOptions limits, ConnectionLimits connections)
    {
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel((_, kestrel) =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = connections.Http;
            kestrel.Limits.MaxConcurrentUpgradedConnections = connections.Http;
            kestrel.Limits.MaxRequestBodySize = limits.MaxSendBytes;
            kestrel.Limits.RequestHeadersTimeout = limits.HeadersTimeout;
            var clock = kestrel.ApplicationServices.GetRequiredService<TimeProvider>();
            foreach (var text in ListenAddress.Split(options.Urls))
                if (ListenAddress.TryParse(text, out var address))
                    Listen(kestrel, address, listen =>
                    {
                        if (address.IsTls)
                            listen.UseHttps(ServerCertificate.Load(options, clock));
                    });
            foreach (var text in ListenAddress.Split(options.AdminUrls))
                if (ListenAddress.TryParse(text, out var address))
                    Listen(kestrel, address, listen =>
                    {
                        if (address.IsTls)
                            listen.UseHttps(ServerCertificate.Load(options, clock));
                        AdminConnection.Mark(listen);
                    });
        });
    }

    static void Listen(KestrelServerOptions kestrel, ListenAddress address, Action<ListenOptions> configure)
    {
        if (address.Host == "*")
            kestrel.ListenAnyIP(address.Port, configure);
        else if (address.Host == "localhost")
            kestrel.ListenLocalhost(address.Port, configure);
        else
            kestrel.Listen(IPAddress.Parse(address.Host), address.Port, configure);
    }

    /// <summary>Nothing of an archived tenant is delivered, from before the first delivery on.</summary>
    static async Task StopArchivedAsync(TenantDirectory tenants, Pauses pauses)
    {
        tenants.Changed += () => pauses.Stop(tenants.All.Where(tenant => tenant.ArchivedAt is not null).Select(tenant => tenant.Id));
        await tenants.RefreshAsync(CancellationToken.None);
    }

    static async Task PrepareAsync(WebApplication app)
    {
        var services = app.Services;
        services.GetRequiredService<ConnectionLimits>().Tell(app.Logger);
        await Stores.OpenAsync(app);
        app.Lifetime.ApplicationStopping.Register(services.GetRequiredService<Submitter>().StopAccepting);
        await services.GetRequiredService<MasterKey>()
            .VerifyAsync(services.GetRequiredService<IKeyStore>(), services.GetRequiredService<Entropy>(), CancellationToken.None);
        services.GetService<PostgresOpening>()?.WarnOfKey();
        await StopArchivedAsync(services.GetRequiredService<TenantDirectory>(), services.GetRequiredService<Router>().Pauses);
        await services.GetRequiredService<SenderDomains>().LoadAsync(CancellationToken.None);
        var transports = services.GetRequiredService<TransportBook>();
        await transports.RefreshAsync(CancellationToken.None);
        services.GetRequiredService<TenantDirectory>().Changed += transports.HearTenants;
        var options = services.GetRequiredService<PostriderOptions>();
        var made = await services.GetRequiredService<ApiKeys>().BootstrapAsync(options.ApiKey, CancellationToken.None);
        services.GetRequiredService<FirstKey>().Text = made;
        if (Roles.Of(options.Roles).HasFlag(Role.Dashboard))
            services.GetRequiredService<FirstLink>().Text =
                await services.GetRequiredService<Users>().FirstLinkAsync(CancellationToken.None);
    }
}
