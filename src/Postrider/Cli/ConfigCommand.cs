using System.CommandLine;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>config check|show</c>: the configuration as <c>serve</c> would see it here. No server is asked, nothing is
/// started.</summary>
static class ConfigCommand
{
    public static Command Make(Screen screen, CommandInput input) =>
        new("config", "Checks and shows the configuration, without starting anything.")
    {
        Make("check", "Names every fault and warning; exit code 0 when there is no fault, else 78.", input, (configuration, error) =>
        {
            foreach (var warning in configuration.Warnings)
                error.WriteLine($"warning: {warning}");
            if (configuration.Faults.Count == 0)
                screen.Line("The configuration is good.");
        }),
        Make("show", "Prints every setting with its effective value and where it comes from; secrets are masked.", input,
            (configuration, _) => screen.Table(["setting", "value", "from"],
                configuration.Show().Select(setting => new[] { setting.Key, setting.Value, setting.Origin }))),
    };

    static Command Make(string name, string description, CommandInput input, Action<LoadedConfiguration, TextWriter> show)
    {
        var settings = new Argument<string[]>("settings")
        {
            Description = "As for serve: --name value, --config FILE.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command(name, description) { settings };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(parsed =>
        {
            var error = parsed.InvocationConfiguration.Error;
            var configuration = LoadedConfiguration.Load([.. parsed.GetValue(settings) ?? [], .. parsed.UnmatchedTokens], input.Variables);
            show(configuration, error);
            foreach (var fault in configuration.Faults)
                error.WriteLine(fault);
            return configuration.Faults.Count == 0 ? ExitCodes.Ok : ExitCodes.Configuration;
        });
        return command;
    }
}
