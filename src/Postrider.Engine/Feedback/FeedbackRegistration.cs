using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Postrider.Feedback;

/// <summary>Puts the room into the process.</summary>
public static class FeedbackRegistration
{
    /// <remarks>Asks for <see cref="IFeedbackStore"/> and <see cref="TimeProvider"/>.</remarks>
    public static IServiceCollection AddPostriderFeedback(this IServiceCollection services)
    {
        services.TryAddSingleton<FeedbackMetrics>();
        services.TryAddSingleton<FeedbackReceiver>();
        services.AddHostedService<FeedbackHost>();
        return services;
    }
}
