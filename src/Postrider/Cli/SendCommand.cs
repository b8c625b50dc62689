using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>send</c>: a message from options, from a file or from standard input.</summary>
static class SendCommand
{
    const long MaxInputBytes = 64 << 20;

    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var options = new SendOptions();
        var wait = new Option<bool>("--wait", "-w")
        {
            Description = "Show its state until it ends; exit code 1 when it failed, 75 when it is still open after --timeout.",
        };
        var timeout = new Option<int>("--timeout")
        {
            Description = "Seconds to wait with --wait. Default: 300.",
            DefaultValueFactory = _ => 300,
        }.Within(1, 86_400);
        var command = new Command("send", "Sends a message. The text is read from standard input when no body is given.") { wait, timeout };
        options.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var body = await BodyAsync(parsed, options, input, ct);
            var answer = await server.PostAsync("/emails", body, ct, parsed.GetValue(options.IdempotencyKey));
            var sent = answer.As(ApiJson.Default.SendAnswer);
            if (parsed.GetValue(wait))
            {
                var waiting = new Waiting(server, screen, connection.WantsJson(parsed), TimeProvider.System);
                return await waiting.UntilEndedAsync(sent.Id, TimeSpan.FromSeconds(parsed.GetValue(timeout)), ct);
            }
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
                screen.Line($"{sent.Id}  accepted for {string.Join(", ", sent.Recipients.Select(recipient => recipient.Email))}");
            return 0;
        });
        return command;
    }

    /// <summary>The JSON of <c>POST /emails</c>: the file's as it is, or made from the options.</summary>
    static async Task<string> BodyAsync(ParseResult parsed, SendOptions options, CommandInput input, CancellationToken ct)
    {
        if (parsed.GetValue(options.File) is not { } file)
        {
            var isBodyGiven = parsed.GetValue(options.Text) is not null || parsed.GetValue(options.Html) is not null;
            return options.ToJson(parsed, isBodyGiven || input.OpenStandardInput is null ? null
                : await StandardInputAsync(input, ct)).ToJsonString();
        }
        if (options.AnyMessageOption(parsed) is { } both)
            throw CommandFailure.Usage($"--file holds the whole message: leave out {both}");
        var text = file == "-" ? await StandardInputAsync(input, ct) : await ReadAsync(File.OpenRead, file, ct);
        try
        {
            using var json = JsonDocument.Parse(text);
            return text;
        }
        catch (JsonException e)
        {
            throw CommandFailure.Usage($"{file} is not valid JSON (line {e.LineNumber + 1})");
        }
    }

    static Task<string> StandardInputAsync(CommandInput input, CancellationToken ct) => input.OpenStandardInput is { } open
        ? ReadAsync(_ => open(), "standard input", ct)
        : throw CommandFailure.Usage("standard input is a terminal: give it a file or a pipe");

    static async Task<string> ReadAsync(Func<string, Stream> open, string name, CancellationToken ct)
    {
        try
        {
            await using var stream = open(name);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, ct);
            if (bytes.Length > MaxInputBytes)
                throw CommandFailure.Usage($"{name} is larger than {MaxInputBytes >> 20} MB");
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
        catch (DecoderFallbackException)
        {
            throw CommandFailure.Usage($"{name} is not valid UTF-8");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandFailure.Usage($"{name} cannot be read: {e.Message}");
        }
    }
}

/// <summary>The options of a message.</summary>
sealed class SendOptions
{
    public Option<string?> File { get; } =
        new("--file", "-f") { Description = "The message as JSON, as POST /emails takes it; - is standard input.", HelpName = "FILE" };
    public Option<string?> Text { get; } = new("--text") { Description = "Text body." };
    public Option<string?> Html { get; } = new("--html") { Description = "HTML body." };
    public Option<string?> IdempotencyKey { get; } = new("--idempotency-key") { Description = "The same key again sends nothing again." };

    readonly Option<string?> _from = new("--from") { Description = "Sender, \"Name <address>\" or address." };
    readonly Option<string[]> _attachments = new("--attach") { Description = "A file to attach; several times.", HelpName = "FILE" };
    readonly Option<string[]> _headers = new("--header") { Description = "A header field, \"X-Name: value\"; several times." };

    // By the name in the request.
    readonly Dictionary<string, Option<string[]>> _lists = new()
    {
        ["to"] = new("--to") { Description = "Recipient; several times." },
        ["cc"] = new("--cc") { Description = "Shown to all; several times." },
        ["bcc"] = new("--bcc") { Description = "Shown to nobody; several times." },
        ["reply_to"] = new("--reply-to") { Description = "Where answers go; several times." },
        ["tags"] = new("--tag") { Description = "For searching; several times." },
    };

    readonly Dictionary<string, Option<string?>> _texts = new()
    {
        ["subject"] = new("--subject", "-s") { Description = "Subject." },
        ["stream"] = new("--stream") { Description = "transactional (default) or bulk." },
        ["route"] = new("--route") { Description = "The route to take. Default: as configured." },
        ["send_at"] = new("--send-at") { Description = "Not before this instant, such as 2027-01-31T09:30:00Z." },
        ["expires_in"] = new("--expires-in") { Description = "How long it may wait, such as 2h. Default: 24h." },
    };

    IEnumerable<Option> All => [File, _from, .. _lists.Values, .. _texts.Values, Text, Html, _attachments, _headers, IdempotencyKey];

    public void AddTo(Command command)
    {
        foreach (var option in All)
            command.Add(option);
    }

    /// <summary>The first option given that says something about the message itself; null when none was.</summary>
    public string? AnyMessageOption(ParseResult parsed) =>
        All.FirstOrDefault(option => option != File && option != IdempotencyKey && parsed.GetResult(option) is { Implicit: false })?.Name;

    /// <param name="standardInput">The text when neither text nor HTML is given; null when there is none.</param>
    public JsonObject ToJson(ParseResult parsed, string? standardInput)
    {
        var body = new JsonObject
        {
            ["from"] = parsed.GetValue(_from) ?? throw CommandFailure.Usage("--from is missing: who sends it?"),
            ["text"] = parsed.GetValue(Text) ?? standardInput,
            ["html"] = parsed.GetValue(Html),
        };
        foreach (var (name, option) in _lists)
            if (parsed.GetValue(option) is { Length: > 0 } values)
                body[name] = Array(values);
        foreach (var (name, option) in _texts)
            body[name] = parsed.GetValue(option);
        if (parsed.GetValue(_headers) is { Length: > 0 } headers)
            body["headers"] = Headers(headers);
        if (parsed.GetValue(_attachments) is { Length: > 0 } files)
            body["attachments"] = new JsonArray([.. files.Select(Attachment)]);
        return body;
    }

    static JsonArray Array(string[] values) => new([.. values.Select(value => JsonValue.Create(value))]);

    static JsonObject Headers(string[] headers)
    {
        var fields = new JsonObject();
        foreach (var header in headers)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
                throw CommandFailure.Usage($"--header \"{Screen.Printable(header)}\" has no colon: write \"X-Name: value\"");
            fields[header[..colon]] = header[(colon + 1)..].Trim();
        }
        return fields;
    }

    static JsonObject Attachment(string path)
    {
        try
        {
            return new JsonObject
            {
                ["filename"] = Path.GetFileName(path),
                ["content"] = Convert.ToBase64String(System.IO.File.ReadAllBytes(path)),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandFailure.Usage($"{path} cannot be read: {e.Message}");
        }
    }
}
