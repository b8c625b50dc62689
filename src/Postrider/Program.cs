using Postrider.Hosting;

namespace Postrider;

static class Program
{
    static Task<int> Main(string[] args) =>
        Server.RunAsync(args is ["serve", .. var settings] ? settings : args, Environment.GetEnvironmentVariables(), Console.Out, Console.Error);
}
