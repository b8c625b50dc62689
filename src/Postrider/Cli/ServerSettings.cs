using System.CommandLine;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary>The settings of the server of this machine, for commands that work on what it keeps: given as for serve, in the environment or
/// in a file.</summary>
sealed class ServerSettings
{
    const string Where = "As for serve, where they are not in the environment: --config FILE, --data FOLDER.";

    readonly Argument<string[]> _settings;
    readonly CommandInput _input;

    ServerSettings(CommandInput input, string description) => (_input, _settings) = (input, new Argument<string[]>("settings")
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
    });

    /// <summary>Lets a command take them behind its own arguments.</summary>
    public static ServerSettings Of(Command command, CommandInput input, string description = Where)
    {
        var settings = new ServerSettings(input, description);
        command.Add(settings._settings);
        command.TreatUnmatchedTokensAsErrors = false; // --data FOLDER is none of its options
        return settings;
    }

    /// <summary>With whatever faults they have: for commands that tell of those.</summary>
    public LoadedConfiguration Read(ParseResult parsed) =>
        LoadedConfiguration.Load([.. parsed.GetValue(_settings) ?? [], .. parsed.UnmatchedTokens], _input.Variables);

    /// <summary>Refuses where it is unclear what was meant: a misspelt option must not lead to another database than the one that was
    /// named. What only keeps a server from starting, such as a certificate that has expired, keeps nobody from a backup.</summary>
    public LoadedConfiguration Load(ParseResult parsed)
    {
        var configuration = Read(parsed);
        List<string> unclear = [.. configuration.Unclear];
        if (Stores.Fault(configuration.Get<PostriderOptions>().Store) is { } fault)
            unclear.Add($"{configuration.OriginOf(nameof(PostriderOptions.Store))}: {nameof(PostriderOptions.Store)}: {fault}");
        return unclear.Count == 0 ? configuration
            : throw new CommandFailure(ExitCodes.Configuration, string.Join("\npostrider: ", unclear));
    }
}
