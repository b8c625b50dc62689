using Postrider.DeadLetters;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>Works off jobs on dead letters, on nodes that have the role <c>scheduler</c>.</summary>
sealed class RedriveHost(Redriver redriver) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => redriver.RunAsync(stoppingToken);
}

/// <summary>Puts dead letters into the process.</summary>
static class DeadLetterRegistration
{
    /// <param name="works">The node works off jobs.</param>
    public static void AddDeadLetters(this IServiceCollection services, bool works)
    {
        services.AddSingleton<IDeadLetterStore, DeadLetterTables>();
        services.AddSingleton(sp =>
        {
            var tenants = sp.GetRequiredService<TenantDirectory>();
            return new Redriver(
                sp.GetRequiredService<IDeadLetterStore>(), sp.GetRequiredService<IDeadLetterCommands>(), sp.GetRequiredService<IHandOver>(),
                () => Policies(tenants), sp.GetRequiredService<SubmissionOptions>().DefaultExpiresIn, sp.GetRequiredService<TimeProvider>(),
                sp.GetRequiredService<ILogger<Redriver>>());
        });
        if (works)
            services.AddHostedService<RedriveHost>();
    }

    static List<RedrivePolicy> Policies(TenantDirectory tenants)
    {
        var policies = new List<RedrivePolicy>();
        foreach (var tenant in tenants.All)
            if (tenant is { ArchivedAt: null, Settings.RedriveEvery: { } every })
                policies.Add(new RedrivePolicy(tenant.Id, every, tenant.Settings.RedriveFor ?? TenantSettings.DefaultRedriveFor));
        return policies;
    }
}
