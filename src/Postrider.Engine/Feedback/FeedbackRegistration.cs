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
    public static IServiceCollection AddPostriderFeedback(this IServiceCollection services)
    {
        services.TryAddSingleton<FeedbackMetrics>();
        services.TryAddSingleton<FeedbackReceiver>();
        services.TryAddSingleton(sp => new MailReportReceiver(
            sp.GetRequiredService<FeedbackReceiver>(), sp.GetService<ReturnPaths>(), sp.GetRequiredService<TimeProvider>(),
            sp.GetRequiredService<ILogger<MailReportReceiver>>()));
        services.AddHostedService<FeedbackHost>();
        return services;
    }
}
