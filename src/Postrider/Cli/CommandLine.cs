using System.CommandLine;
using System.CommandLine.Help;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary>The command line: <c>serve</c> is the default and runs the server here; all else talks to a server over HTTP.</summary>
static class CommandLine
{
    /// <summary>Runs what the arguments ask for and returns the exit code; see <see cref="ExitCodes"/> and
    /// <see cref="CommandFailure"/>.</summary>
    /// <param name="ct">Interrupts a command as SIGINT does; <c>serve</c> listens to signals alone.</param>
    public static async Task<int> RunAsync(
        string[] args, CommandInput input, TextWriter output, TextWriter error, CancellationToken ct = default)
    {
        // Settings of the server follow freely (--urls …), so this one is not parsed here.
        if (IsServe(args, out var settings))
            return await Server.RunAsync(settings, input.Variables, output, error);

        var parsed = Root(input, output).Parse(args);
        // What is completed is seldom whole.
        var completes = args is [var first, ..] && first.StartsWith("[suggest", StringComparison.Ordinal);
        if (parsed.Errors.Count > 0 && !completes)
        {
            foreach (var fault in parsed.Errors)
                await error.WriteLineAsync($"postrider: {fault.Message}");
            await error.WriteLineAsync("postrider: see postrider --help");
            return ExitCodes.Refused;
        }
        try
        {
            var invocation = new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeToEnd,
            };
            return await parsed.InvokeAsync(invocation, ct);
        }
        catch (CommandFailure failure)
        {
            await error.WriteLineAsync($"postrider: {failure.Message}");
            return failure.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return CommandFailure.Interrupted;
        }
        catch (IOException e) when (e.HResult == BrokenPipe)
        {
            return ExitCodes.Ok; // who read our output has seen enough
        }
        catch (IOException e)
        {
            await error.WriteLineAsync($"postrider: reading or writing failed: {Screen.Printable(e.Message)}");
            return ExitCodes.Storage;
        }
    }

    const int BrokenPipe = 32; // EPIPE

    /// <summary>From an interrupt on, for what must not stay as it is (a drill), and for the figures so far.</summary>
    static readonly TimeSpan TimeToEnd = TimeSpan.FromSeconds(10);

    // Options of the commands may stand before them: postrider --json list.
    static readonly string[] NotServe = ["-h", "--help", "-?", "--version", "--url", "--key", "--insecure", "-k", "--json"];

    static bool IsServe(string[] args, out string[] settings)
    {
        settings = args is ["serve", .. var rest] ? rest : args;
        var first = settings is [var option, ..] ? option.Split('=')[0] : "";
        return !NotServe.Contains(first) && (args is [] or ["serve", ..] || first.StartsWith("--", StringComparison.Ordinal));
    }

    /// <summary>The tree of commands.</summary>
    internal static RootCommand Root(CommandInput input, TextWriter output)
    {
        var connection = new ConnectionOptions(input);
        var screen = new Screen(output);
        var root = new RootCommand(
            "Postrider takes an email once, keeps it durably, delivers it through whichever provider works, and says what became of it.")
        {
            new Command("serve", "Runs the server here (the default). Settings: --name value, a file (--config), or the environment."),
            SendCommand.Make(connection, screen, input),
            StatusCommand.Make(connection, screen),
            ListCommand.Make(connection, screen),
            TailCommand.Make(connection, screen),
            WebhooksCommand.Make(connection, screen),
            KeysCommand.Make(connection, screen),
            TokensCommand.Make(connection, screen),
            TransportsCommand.Make(connection, screen),
            RoutesCommand.Make(connection, screen),
            SchedulesCommand.Make(connection, screen),
            QueueCommand.Make(connection, screen),
            DeadLettersCommand.Make(connection, screen),
            TemplatesCommand.Make(connection, screen),
            UsersCommand.Make(connection, screen),
            TenantsCommand.Make(connection, screen),
            BatchesCommand.Make(connection, screen),
            RetentionCommand.Make(connection, screen),
            AlertsCommand.Make(connection, screen),
            SuppressionsCommand.Make(connection, screen),
            EraseCommand.Make(connection, screen),
            NodesCommand.Make(connection, screen),
            HealthCommand.Make(connection, screen),
            DoctorCommand.Make(connection, screen, input),
            DkimCommand.Make(connection, screen),
            ConfigCommand.Make(connection, screen, input),
            MigrateCommand.Make(connection, screen, input),
            MoveCommand.Make(connection, screen, input),
            BackupCommand.Make(connection, screen, input),
            RestoreCommand.Make(connection, screen, input),
            SimulateCommand.Make(connection, screen, input),
            DrillCommand.Make(connection, screen),
            VendorsCommand.Make(screen),
            CompletionCommand.Make(screen),
            connection.Url, connection.Key, connection.Insecure, connection.Json,
        };
        // Of another system's shells: here they are paths, and completion would offer them for options.
        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Aliases.Remove("/h");
            help.Aliases.Remove("/?");
        }
        return root;
    }
}

/// <summary>What a command reads beside its arguments.</summary>
/// <param name="Variables">The environment.</param>
/// <param name="OpenStandardInput">Null where it is a terminal.</param>
sealed record CommandInput(System.Collections.IDictionary Variables, Func<Stream>? OpenStandardInput)
{
    public string? Variable(string name) => Variables[name] is string { Length: > 0 } value ? value : null;
}

/// <summary>A command cannot go on. The message is all that the caller is told: plain words, with the remedy.</summary>
sealed class CommandFailure(int exitCode, string message) : Exception(message)
{
    /// <summary>The server refused, or what was asked for ended badly.</summary>
    public const int Failed = 1;

    /// <summary>Not known yet: the time to wait was over (EX_TEMPFAIL of sysexits.h).</summary>
    public const int NotYet = 75;

    /// <summary>128 + SIGINT, as shells say it.</summary>
    public const int Interrupted = 130;

    public int ExitCode { get; } = exitCode;

    public static CommandFailure Usage(string message) => new(ExitCodes.Refused, message);
}
