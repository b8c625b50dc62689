using Postrider.Alerts;
using Postrider.Batches;
using Postrider.Delivery;
using Postrider.Providers;
using Postrider.Providers.Capture;
using Postrider.Providers.Mailgun;
using Postrider.Providers.Postmark;
using Postrider.Providers.Resend;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;
using Postrider.Providers.Simulated;
using Postrider.Providers.Smtp;
using Postrider.Retention;
using Postrider.Routing;
using Postrider.Schedules;
using Postrider.Senders;
using Postrider.Storage;
using Postrider.Submission;
using Postrider.Templates;
using Postrider.Tracking;
using Postrider.Webhooks;

namespace Postrider.Hosting;

/// <summary>What the rooms bring to the process: their options and their providers.</summary>
static class Rooms
{
    public static readonly IReadOnlyList<ConfigurationSection> Sections =
    [
        new("", typeof(PostriderOptions)),
        new("", typeof(RoutingOptions)),
        new("", typeof(SenderOptions)),
        new("Submission", typeof(SubmissionOptions)),
        new("Delivery", typeof(DeliveryOptions)),
        new("Templates", typeof(TemplateOptions)),
        new("Batches", typeof(BatchOptions)),
        new("Schedules", typeof(ScheduleOptions)),
        new("Webhooks", typeof(WebhookOptions)),
        new("Retention", typeof(RetentionOptions)),
        new("Tracking", typeof(TrackingOptions)),
        new("Alerts", typeof(AlertOptions)),
        new("Storage", typeof(StorageOptions)),
        new("Server", typeof(ServerOptions)),
        new("SmtpServer", typeof(SmtpListenerOptions)),
    ];

    /// <summary>The same for looking at settings only: nothing is kept, nothing is sent.</summary>
    public static IEnumerable<IProviderFactory> ProvidersForChecking =>
    [
        new SmtpProviderFactory(TimeProvider.System),
        new CaptureProviderFactory(inbox: null!, TimeProvider.System), // used when a transport is made, not when one is checked
        new SimulatedProviderFactory(TimeProvider.System, Entropy.System),
        new SesProviderFactory(TimeProvider.System),
        new SendGridProviderFactory(TimeProvider.System),
        new MailgunProviderFactory(TimeProvider.System),
        new PostmarkProviderFactory(TimeProvider.System),
        new ResendProviderFactory(TimeProvider.System),
    ];

    /// <summary>Every kind of service that a transport can be.</summary>
    public static void AddProviders(IServiceCollection services)
    {
        services.AddSingleton<IProviderFactory, SmtpProviderFactory>();
        services.AddSingleton<IProviderFactory, CaptureProviderFactory>();
        services.AddSingleton<IProviderFactory, SimulatedProviderFactory>();
        services.AddSingleton<IProviderFactory, SesProviderFactory>();
        services.AddSingleton<IProviderFactory, SendGridProviderFactory>();
        services.AddSingleton<IProviderFactory, MailgunProviderFactory>();
        services.AddSingleton<IProviderFactory, PostmarkProviderFactory>();
        services.AddSingleton<IProviderFactory, ResendProviderFactory>();
        // One of each in the process: Mailgun's remembers the tokens that it has seen.
        services.AddSingleton<SnsCertificates>();
        services.AddSingleton<IFeedbackReader>(sp => new SesFeedback(sp.GetRequiredService<SnsCertificates>().FetchAsync));
        services.AddSingleton<IFeedbackReader, SendGridFeedback>();
        services.AddSingleton<IFeedbackReader, MailgunFeedback>();
        services.AddSingleton<IFeedbackReader, PostmarkFeedback>();
        services.AddSingleton<IFeedbackReader, ResendFeedback>();
    }
}
