using System.CommandLine;
using System.Net.Security;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary>Which server to talk to, as whom, and how to print: the options that every command has.</summary>
sealed class ConnectionOptions(CommandInput input)
{
    const string DefaultUrl = "http://127.0.0.1:8025";

    public Option<string?> Url { get; } =
        new("--url")
        {
            Recursive = true,
            Description = "The server (or POSTRIDER_URL, or the first of POSTRIDER_URLS). Default: http://127.0.0.1:8025.",
            HelpName = "URL",
        };
    public Option<string?> Key { get; } =
        new("--key") { Recursive = true, Description = "API key or token (or POSTRIDER_API_KEY).", HelpName = "KEY" };
    public Option<bool> Insecure { get; } =
        new("--insecure", "-k") { Recursive = true, Description = "Accept a certificate that cannot be verified (the self-signed one)." };
    public Option<bool> Json { get; } = new("--json")
    {
        Recursive = true,
        Description = "Print the server's JSON instead of tables. What is refused is told on standard error.",
    };

    /// <summary>Throws <see cref="CommandFailure"/> when the address or the key is missing or makes no sense.</summary>
    public ServerClient Open(ParseResult parsed)
    {
        var url = Address(parsed);
        var key = parsed.GetValue(Key) ?? input.Variable("POSTRIDER_API_KEY")
            ?? throw CommandFailure.Usage("there is no API key: set POSTRIDER_API_KEY or give --key");
        if (key.Any(letter => letter is <= ' ' or > '~'))
            throw CommandFailure.Usage("the API key has characters that no key has; was it copied whole?");
        return new ServerClient(url, key, parsed.GetValue(Insecure));
    }

    /// <summary>Where commands go.</summary>
    public Uri Address(ParseResult parsed) =>
        AddressOf(parsed.GetValue(Url) ?? input.Variable("POSTRIDER_URL") ?? WhereAServerHereListens() ?? DefaultUrl);

    /// <summary>Somebody said which server is meant, rather than the one of this machine.</summary>
    public bool NamesServer(ParseResult parsed) => (parsed.GetValue(Url) ?? input.Variable("POSTRIDER_URL")) is not null;

    /// <summary>Whether a server of ours answers there, ready or not.</summary>
    public async Task<bool> AnswersAsync(ParseResult parsed, CancellationToken ct)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = Patience };
        // Nothing is told to it: who it is does not matter yet.
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, errors) =>
            !errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable);
        using var http = new HttpClient(handler) { BaseAddress = Address(parsed), Timeout = Patience };
        try
        {
            using var response = await http.GetAsync(new Uri("/healthz", UriKind.Relative), ct);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>Of the server that has this environment, wherever commands usually go; where it is no server's, where they go.</summary>
    public Uri OwnAddress(ParseResult parsed) =>
        AddressOf(parsed.GetValue(Url) ?? WhereAServerHereListens() ?? input.Variable("POSTRIDER_URL") ?? DefaultUrl);

    static Uri AddressOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url
            : throw CommandFailure.Usage($"\"{text}\" is no address of a server; write http://host:port or https://host:port");

    // What the server reads: one variable for both is enough where they share a machine.
    string? WhereAServerHereListens() =>
        ListenAddress.Split(input.Variable("POSTRIDER_URLS") ?? "").FirstOrDefault() is { } first
            && ListenAddress.TryParse(first, out var address) && address.Port > 0
            ? address.ForClients(address.Port)
            : null;

    /// <summary>Lets a command ask the server one thing and show its answer.</summary>
    /// <param name="show">For people; under <c>--json</c> the answer is printed as it came.</param>
    public void Asks(
        Command command, Screen screen, Func<ServerClient, ParseResult, CancellationToken, Task<Answer>> ask,
        Action<Answer, ParseResult> show) =>
        command.SetAction(async (parsed, ct) =>
        {
            using var server = Open(parsed);
            var answer = await ask(server, parsed, ct);
            if (WantsJson(parsed))
                screen.Json(answer);
            else
                show(answer, parsed);
            return ExitCodes.Ok;
        });

    public bool WantsJson(ParseResult parsed) => parsed.GetValue(Json);
}
