using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Puts the room into the process.</summary>
public static class DeliveryRegistration
{
    /// <summary>Router and transports for every node; dispatcher, keeper and drain for one that delivers.</summary>
    /// <remarks>Asks for <see cref="IQueueStore"/>, <see cref="TimeProvider"/>, <see cref="Entropy"/>, the <see cref="IProviderFactory"/>s
    /// and <see cref="RoutingOptions"/>.</remarks>
    /// <param name="delivers">The node has the role <c>worker</c>.</param>
    public static IServiceCollection AddPostriderDelivery(this IServiceCollection services, bool delivers)
    {
        services.AddOptions<DeliveryOptions>().BindConfiguration("Delivery").ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DeliveryOptions>, DeliveryOptionsRanges>());
        services.TryAddSingleton(sp => sp.GetRequiredService<IOptions<DeliveryOptions>>().Value);
        services.TryAddSingleton<DeliveryMetrics>();
        services.TryAddSingleton<SteadyTime>();
        services.TryAddSingleton<DueBook>();
        services.TryAddSingleton(sp => new Recorder(sp.GetRequiredService<IQueueStore>(), sp.GetRequiredService<DueBook>(),
            sp.GetRequiredService<SteadyTime>(), sp.GetRequiredService<TimeProvider>(), sp.GetRequiredService<DeliveryMetrics>(),
            sp.GetRequiredService<ILogger<Recorder>>(), sp.GetService<FlowBook>())
        { LogsSent = sp.GetRequiredService<DeliveryOptions>().LogSent });
        // One process per SQLite file: any number that an earlier start did not have will do. A membership of several nodes registers its
        // own.
        services.TryAddSingleton(sp => new ThisNode(new Incarnation(0, NewNumber(sp.GetRequiredService<Entropy>()))));
        services.TryAddSingleton<AttemptsInHand>();
        services.TryAddSingleton(sp => new Drills(sp.GetService<IDrillStore>()));
        services.TryAddSingleton(sp =>
            ActivatorUtilities.CreateInstance<LaneParts>(sp) with
            {
                Finish = sp.GetService<ContentFinish>(),
                MayReceive = sp.GetService<MayReceive>(),
                Drills = sp.GetRequiredService<Drills>(),
            });
        services.TryAddSingleton<Lanes>();
        services.TryAddSingleton(sp =>
        {
            var router = new Router(
                TransportSetup.Open(sp.GetRequiredService<IOptions<RoutingOptions>>().Value, sp.GetServices<IProviderFactory>(),
                    sp.GetRequiredService<Lanes>()),
                new Pauses(sp.GetService<IPauseStore>()));
            router.TransportChanged += new TransportLog(router, sp.GetRequiredService<ILogger<TransportLog>>()).Note;
            return router;
        });
        services.TryAddSingleton(sp => new TransportPauses(sp.GetRequiredService<Router>(), sp.GetService<ITransportPauseStore>()));
        services.TryAddSingleton(sp => new RunningRoutes(sp.GetRequiredService<Router>(), sp.GetRequiredService<Lanes>(),
            sp.GetServices<IProviderFactory>(), sp.GetRequiredService<IOptions<RoutingOptions>>().Value,
            sp.GetRequiredService<ILogger<RunningRoutes>>()));
        services.TryAddSingleton<WaitBoard>();
        services.TryAddSingleton(sp => new TransportProbe(sp.GetRequiredService<Router>(), sp.GetRequiredService<Lanes>(),
            sp.GetRequiredService<MessageIds>(), sp.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton(sp => new TransportSearch(sp.GetRequiredService<Router>(), sp.GetRequiredService<Lanes>(),
            sp.GetRequiredService<TimeProvider>(), sp.GetRequiredService<ILogger<TransportSearch>>()));
        if (!delivers)
        {
            services.TryAddSingleton<IHandOver, NoHandOver>();
            return services;
        }
        services.TryAddSingleton<DispatcherParts>();
        services.TryAddSingleton(sp => new Dispatcher(sp.GetRequiredService<DispatcherParts>()));
        services.TryAddSingleton<IHandOver>(sp => sp.GetRequiredService<Dispatcher>());
        services.TryAddSingleton<Keeper>();
        services.AddHostedService<DeliveryHost>();
        return services;
    }

    static long NewNumber(Entropy entropy)
    {
        Span<byte> bytes = stackalloc byte[8];
        entropy.Fill(bytes);
        return BitConverter.ToInt64(bytes) & long.MaxValue;
    }
}
