using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Options;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Assets;
using Postrider.Dashboard.Parts;
using Radzen;

namespace Postrider.Dashboard;

/// <summary>What the dashboard needs.</summary>
static class DashboardRegistration
{
    /// <summary>A page's browser sends no more in one message: what is larger comes in pieces.</summary>
    const int MaxMessageBytes = 32 * 1024;

    /// <summary>Of the dashboard alone.</summary>
    public static void AddDashboard(this IServiceCollection services)
    {
        services.AddSingleton<LiveSessions>();
        services.AddSingleton<SessionWatch>();
        services.AddSingleton<AssetBook>();
        services.AddSingleton<DraftBook>();
        services.AddSingleton<MailPreview>();
        services.AddScoped<Viewer>();
        services.AddScoped<ScreenActions>();
        services.AddScoped<ListPlaces>();
        services.AddScoped<CircuitHandler, ViewerCircuits>();
        services.AddRadzenComponents();
        services.AddRazorComponents().AddInteractiveServerComponents(circuits =>
        {
            circuits.DetailedErrors = false;
            // Pages whose connection broke, kept for its coming back.
            circuits.DisconnectedCircuitMaxRetained = 100;
            circuits.DisconnectedCircuitRetentionPeriod = TimeSpan.FromMinutes(3);
            circuits.MaxBufferedUnacknowledgedRenderBatches = 10;
        }).AddHubOptions(hub => hub.MaximumReceiveMessageSize = MaxMessageBytes);
        services.AddAntiforgery(forms =>
        {
            forms.Cookie.Name = "postrider-form";
            forms.Cookie.SameSite = SameSiteMode.Strict;
            forms.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            forms.SuppressXFrameOptionsHeader = true; // frame-ancestors says it
        });
        AddKeys(services);
    }

    /// <summary>What browsers are given to bring back is sealed with keys that all nodes have.</summary>
    static void AddKeys(IServiceCollection services)
    {
        services.AddDataProtection().SetApplicationName("postrider");
        services.AddSingleton<SealedKeys>();
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(sp => new ConfigureOptions<KeyManagementOptions>(keys =>
        {
            keys.XmlRepository = sp.GetRequiredService<SealedKeys>();
            // SealedKeys seals the whole of it.
            keys.XmlEncryptor = null;
        }));
    }
}
