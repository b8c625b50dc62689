using System.Net;
using Postrider.Storage.Tables;
using Postrider.Webhooks;

namespace Postrider.Hosting;

/// <summary>Puts webhooks into the process: where they are kept, where they may lead, and who sends.</summary>
static class WebhookRegistration
{
    /// <param name="sends">Only nodes with the role <c>scheduler</c> do.</param>
    public static void AddWebhooks(this IServiceCollection services, bool sends)
    {
        services.AddSingleton<IWebhookStore, WebhookTables>();
        services.AddSingleton(sp => new WebhookTargets(
            WebhookTargets.Parse(sp.GetRequiredService<WebhookOptions>().Allow, out _), Dns.GetHostAddressesAsync));
        services.AddSingleton<OutboundHttp>();
        services.AddSingleton<WebhookBook>();
        if (sends)
            services.AddHostedService<WebhookSender>();
    }
}
