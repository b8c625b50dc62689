using Postrider.Cli;

namespace Postrider;

static class Program
{
    static Task<int> Main(string[] args)
    {
        Func<Stream>? standardInput = Console.IsInputRedirected ? Console.OpenStandardInput : null;
        return CommandLine.RunAsync(
            args, new CommandInput(Environment.GetEnvironmentVariables(), standardInput), Console.Out, Console.Error);
    }
}
