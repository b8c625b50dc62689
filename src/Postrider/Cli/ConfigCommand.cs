using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>config check|show</c>: the configuration as <c>serve</c> would see it here. No server is asked, nothing is
/// started.</summary>
static class ConfigCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input) =>
        new("config", "Checks and shows the configuration, without starting anything.")
    {
        Make("check", "Names every fault and warning; exit code 0 when there is no fault, else 78.", connection, input,
            (configuration, error) =>
            {
                foreach (var warning in configuration.Warnings)
                    error.WriteLine($"warning: {warning}");
                if (configuration.Faults.Count == 0)
                    screen.Line("The configuration is good.");
            }, configuration => screen.Json(new JsonObject
            {
                ["faults"] = Texts(configuration.Faults),
                ["warnings"] = Texts(configuration.Warnings),
            })),
        Make("show", "Prints every setting with its effective value and where it comes from; secrets are masked.", connection, input,
            (configuration, _) => screen.Table(["setting", "value", "from"],
                configuration.Show().Select(setting => new[] { setting.Key, setting.Value, setting.Origin })),
            configuration => screen.Json(new JsonArray([.. configuration.Show().Select(setting => (JsonNode)new JsonObject
            {
                ["setting"] = setting.Key,
                ["value"] = setting.Value,
                ["from"] = setting.Origin,
            })]))),
    };

    static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => JsonValue.Create(text))]);

    static Command Make(string name, string description, ConnectionOptions connection, CommandInput input,
        Action<LoadedConfiguration, TextWriter> show, Action<LoadedConfiguration> showJson)
    {
        var command = new Command(name, description);
        var settings = ServerSettings.Of(command, input, "As for serve: --name value, --config FILE.");
        command.SetAction(parsed =>
        {
            var error = parsed.InvocationConfiguration.Error;
            var configuration = settings.Read(parsed);
            if (connection.WantsJson(parsed))
                showJson(configuration);
            else
                show(configuration, error);
            foreach (var fault in configuration.Faults)
                error.WriteLine(fault);
            return configuration.Faults.Count == 0 ? ExitCodes.Ok : ExitCodes.Configuration;
        });
        return command;
    }
}
