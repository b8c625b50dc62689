using Postrider.Delivery;
using Postrider.Tenants;
using Postrider.Tracking;

namespace Postrider.Hosting;

/// <summary>Puts tracking into the process: what rewrites mail, what reads addresses, and what stores opens and clicks.</summary>
static class TrackingRegistration
{
    /// <param name="answers">Only nodes with the role <c>api</c> are asked for addresses.</param>
    public static void AddTracking(this IServiceCollection services, PostriderOptions options, bool answers)
    {
        services.AddSingleton<TrackingTokens>();
        services.AddSingleton(sp => new MailTracker(
            sp.GetRequiredService<TrackingTokens>(), sp.GetRequiredService<TenantDirectory>(), sp.GetRequiredService<TrackingOptions>(),
            options.PublicUrl));
        services.AddSingleton<ContentFinish>(sp =>
        {
            var tracker = sp.GetRequiredService<MailTracker>();
            return (key, message, content, out remark) => tracker.Apply(
                key.Tenant, message.Id, message.Recipients is [var only] ? only.N : null, content, out remark);
        });
        services.AddSingleton<HitBook>();
        if (answers)
            services.AddHostedService<HitHost>();
    }
}
