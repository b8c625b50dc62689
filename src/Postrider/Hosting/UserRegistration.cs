using Postrider.Storage.Tables;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>Puts into the process who may sign in to the dashboard: the API has calls about users, too.</summary>
static class UserRegistration
{
    public static void AddUsers(this IServiceCollection services)
    {
        services.AddSingleton<UserTables>();
        services.AddSingleton<IUserStore>(sp => sp.GetRequiredService<UserTables>());
        services.AddSingleton<ISessionStore>(sp => sp.GetRequiredService<UserTables>());
        services.AddSingleton<IProtectionKeyStore, ProtectionKeyTable>();
        services.AddSingleton<UserLinks>();
        services.AddSingleton<SignInThrottle>();
        services.AddSingleton<Users>();
        services.AddSingleton<SignInLog>();
        services.AddSingleton<Sessions>();
    }
}
