using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Postrider.Providers.Smtp;

namespace Postrider.Feedback;

/// <summary>Puts the room into the process.</summary>
public static class FeedbackRegistration
{
    /// <remarks>Asks for <see cref="IFeedbackStore"/> and <see cref="TimeProvider"/>; reports by mail are taken where there are
    /// <see cref="ReturnPaths"/>.</remarks>
    /// <param name="find">How a transport is asked for what is in doubt; null: none is.</param>
    public static IServiceCollection AddPostriderFeedback(
        this IServiceCollection services, Func<IServiceProvider, FindAtTransport>? find = null)
    {
        services.TryAddSingleton<FeedbackMetrics>();
        services.TryAddSingleton<FeedbackReceiver>();
        services.TryAddSingleton(sp => new MailReportReceiver(
            sp.GetRequiredService<FeedbackReceiver>(), sp.GetService<ReturnPaths>(), sp.GetRequiredService<TimeProvider>(),
            sp.GetRequiredService<ILogger<MailReportReceiver>>()));
        services.AddHostedService<FeedbackHost>();
        if (find is not null)
            services.AddHostedService(sp => new DoubtSearch(
                sp.GetRequiredService<IFeedbackStore>(), sp.GetRequiredService<FeedbackReceiver>(), find(sp),
                sp.GetRequiredService<TimeProvider>(), sp.GetRequiredService<ILogger<DoubtSearch>>()));
        return services;
    }
}
