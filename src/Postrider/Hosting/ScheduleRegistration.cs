using System.Text.Json;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Schedules;
using Postrider.Storage.Postgres;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>Puts schedules into the process: where they are kept, what their mail is made of, and by whose clock they come.</summary>
static class ScheduleRegistration
{
    /// <param name="runs">The node has the role <c>scheduler</c>.</param>
    public static void AddSchedules(this IServiceCollection services, bool runs)
    {
        services.AddSingleton<IScheduleStore, ScheduleTables>();
        services.AddSingleton<MailMaker>(sp =>
        {
            var submitter = sp.GetRequiredService<Submitter>();
            var tenants = sp.GetRequiredService<TenantDirectory>();
            return (tenant, email) => tenants.IsArchived(tenant)
                ? Task.FromResult<(SharedSubmission?, Problem?)>((null, ProblemCatalog.Make("tenant-archived", "The tenant is archived.")))
                : MakeAsync(submitter, tenant, email);
        });
        services.AddSingleton<ScheduleClock>(sp =>
        {
            var clock = sp.GetRequiredService<TimeProvider>();
            return sp.GetService<PostgresStore>() is { } postgres ? postgres.ServerTimeAsync : _ => Task.FromResult(clock.GetUtcNow());
        });
        services.AddSingleton<ScheduleBook>();
        if (!runs)
            return;
        services.AddSingleton<ScheduleTime>();
        services.AddSingleton<ScheduleTeller>();
        services.AddSingleton(sp => new ScheduleRunner(
            sp.GetRequiredService<IScheduleStore>(), sp.GetRequiredService<MailMaker>(), sp.GetRequiredService<ScheduleTime>(),
            sp.GetRequiredService<MessageIds>(), sp.GetRequiredService<ScheduleOptions>(),
            sp.GetRequiredService<ILogger<ScheduleRunner>>())
        {
            Teller = sp.GetRequiredService<ScheduleTeller>(),
            IsStopped = sp.GetRequiredService<TenantDirectory>().IsArchived,
        });
        services.AddHostedService<ScheduleHost>();
    }

    /// <summary>The mail as the calls of the API read it.</summary>
    static async Task<(SharedSubmission?, Problem?)> MakeAsync(Submitter submitter, TenantId tenant, string email)
    {
        using var document = JsonDocument.Parse(email);
        return ScheduleReader.Mail(document.RootElement, out var problem) is { } request
            ? await submitter.CheckSharedAsync(request, new SubmissionContext(tenant, null, default) { IsInHand = true })
            : (null, problem);
    }
}
