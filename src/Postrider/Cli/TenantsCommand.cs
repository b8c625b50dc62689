using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>tenants list|create|archive|restore</c>.</summary>
static class TenantsCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("tenants", "Lists, makes, stops and restores tenants.")
    {
        MakeList(connection, screen), MakeCreate(connection, screen),
        MakeChange(connection, screen, "archive", "Stops a tenant: its keys are refused and its mail waits.", "is archived"),
        MakeChange(connection, screen, "restore", "Lets an archived tenant go on.", "goes on"),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the tenants, the archived too.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/tenants?limit=100", ct), (answer, _) =>
            screen.Table(["id", "name", "made", "archived", "weight", "max queued", "calls a minute"],
                answer.As(ApiJson.Default.TenantListAnswer).Data.Select(tenant => new[]
                {
                    tenant.Id, tenant.Name, Screen.Time(tenant.CreatedAt), Screen.Time(tenant.ArchivedAt),
                    (tenant.Settings.Weight ?? 1).ToString(CultureInfo.InvariantCulture),
                    tenant.Settings.MaxQueued?.ToString(CultureInfo.InvariantCulture),
                    tenant.Settings.ApiCallsPerMinute?.ToString(CultureInfo.InvariantCulture),
                })));
        return command;
    }

    static Command MakeCreate(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "No other tenant has it." };
        var queued = new Option<long?>("--max-queued") { Description = "Recipients that may wait." };
        var calls = new Option<int?>("--api-calls-per-minute") { Description = "Calls of the API, on each node." };
        var weight = new Option<int?>("--weight") { Description = "Its share beside others. Default: 1." };
        var command = new Command("create", "Makes a tenant and shows its first key, this once.") { name, queued, calls, weight };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync("/tenants", new JsonObject
        {
            ["name"] = parsed.GetRequiredValue(name),
            ["settings"] = new JsonObject
            {
                ["max_queued"] = parsed.GetValue(queued),
                ["api_calls_per_minute"] = parsed.GetValue(calls),
                ["weight"] = parsed.GetValue(weight),
            },
        }.ToJsonString(), ct), (answer, _) =>
        {
            var tenant = answer.As(ApiJson.Default.NewTenantAnswer);
            screen.Line($"id   {tenant.Id}");
            screen.Line($"key  {tenant.Key.Key}");
            screen.Line("The key is shown only this once: keep it.");
        });
        return command;
    }

    static Command MakeChange(ConnectionOptions connection, Screen screen, string verb, string description, string done)
    {
        var id = new Argument<int>("id") { Description = "The tenant's id, as tenants list shows it." };
        var command = new Command(verb, description) { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync(
            $"/tenants/{parsed.GetValue(id).ToString(CultureInfo.InvariantCulture)}/{verb}", "{}", ct), (answer, _) =>
            screen.Line($"Tenant {answer.As(ApiJson.Default.TenantAnswer).Name} {done}."));
        return command;
    }
}
