using System.CommandLine;
using System.Net.Security;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>health</c>: whether the server of this machine or container should get work. For health checks where there is no shell:
/// needs no key, and exits with 0 or 1.</summary>
static class HealthCommand
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("health",
            "Asks the server here (--url, the first of POSTRIDER_URLS, or POSTRIDER_URL) whether it is ready: exit code 0, else 1. Needs no key.");
        command.SetAction(async (parsed, ct) =>
        {
            // Its own certificate is one that it has made, or one for the name that the world knows it by.
            using var handler = new SocketsHttpHandler { UseProxy = false, ConnectTimeout = Patience };
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, errors) =>
                !errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable);
            using var http = new HttpClient(handler) { BaseAddress = connection.OwnAddress(parsed), Timeout = Patience };
            try
            {
                using var response = await http.GetAsync(new Uri("/readyz", UriKind.Relative), ct);
                var text = await response.Content.ReadAsStringAsync(ct);
                if (!response.IsSuccessStatusCode)
                    throw new CommandFailure(CommandFailure.Failed, Screen.Printable(text));
                if (connection.WantsJson(parsed))
                    screen.Json(new Answer(text));
                else
                    screen.Line("ready");
                return ExitCodes.Ok;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
            {
                throw new CommandFailure(CommandFailure.Failed, $"{http.BaseAddress} does not answer: {e.Message}");
            }
        });
        return command;
    }
}
