using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>templates list|show|save|preview|delete</c>.</summary>
static class TemplatesCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) =>
        new("templates", "Keeps what mail is made of, in versions, and shows what it will say.")
        {
            MakeList(connection, screen), MakeShow(connection, screen), MakeSave(connection, screen), MakePreview(connection, screen),
            MakeDelete(connection, screen),
        };

    static Argument<string> Name() => new("template") { Description = "Its name, id or number." };

    static string Path(ParseResult parsed, Argument<string> name) => $"/templates/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}";

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var after = new Option<int?>("--after") { Description = "The number at which the page before ended." };
        var command = new Command("list", "Lists the templates, archived ones too, oldest first, 100 at a time.") { after };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync("/templates?limit=100"
            + (parsed.GetValue(after) is { } number ? $"&after={number.ToString(CultureInfo.InvariantCulture)}" : ""), ct), (answer, _) =>
        {
            var page = answer.As(ApiJson.Default.TemplateListAnswer);
            screen.Table(["number", "name", "id", "version", "made", "archived"], page.Data.Select(template => new[]
            {
                template.Number.ToString(CultureInfo.InvariantCulture), template.Name, template.Id,
                template.NewestVersion.ToString(CultureInfo.InvariantCulture), Screen.Time(template.CreatedAt),
                Screen.Time(template.ArchivedAt),
            }));
            if (page.HasMore)
                screen.Line(string.Create(CultureInfo.InvariantCulture, $"There are more: --after {page.Data[^1].Number}"));
        });
        return command;
    }

    static Command MakeShow(ConnectionOptions connection, Screen screen)
    {
        var name = Name();
        var version = new Option<int?>("--version") { Description = "Another version than the newest." };
        var command = new Command("show", "Shows a template as it was written.") { name, version };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(Path(parsed, name)
            + (parsed.GetValue(version) is { } number ? $"?version={number.ToString(CultureInfo.InvariantCulture)}" : ""), ct), (answer, _) =>
        {
            var template = answer.As(ApiJson.Default.TemplateAnswer);
            screen.Line(string.Create(CultureInfo.InvariantCulture,
                $"{template.Name} ({template.Id}), version {template.Version} of {template.NewestVersion}"));
            Show(screen, template.Subject, template.Text, template.Html);
        });
        return command;
    }

    static Command MakeSave(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "A new name, or that of a template, of which it becomes the next version." };
        var parts = new TemplateOptions();
        var testData = new Option<FileInfo?>("--test-data") { Description = "A file with JSON that a preview takes where none is given." };
        var command = new Command("save", "Keeps a template: version 1, or the next of one that is there. Mail is sent with it from then on.")
        {
            name, parts.Subject, parts.Html, parts.Text, parts.Strict, testData,
        };
        connection.Asks(command, screen, async (server, parsed, ct) =>
        {
            var body = await parts.BodyAsync(parsed, ct);
            body["test_data"] = await TemplateOptions.JsonAsync(parsed.GetValue(testData), ct);
            var template = parsed.GetRequiredValue(name);
            if (await IsThereAsync(server, template, ct))
                return await server.PostAsync($"/templates/{Uri.EscapeDataString(template)}/versions", body.ToJsonString(), ct);
            body["name"] = template;
            return await server.PostAsync("/templates", body.ToJsonString(), ct);
        }, (answer, _) =>
        {
            var saved = answer.As(ApiJson.Default.TemplateAnswer);
            screen.Line(string.Create(CultureInfo.InvariantCulture, $"{saved.Name} ({saved.Id}) is kept as version {saved.Version}."));
        });
        return command;
    }

    /// <summary>By name, and in use: the name of one that was archived is free.</summary>
    static async Task<bool> IsThereAsync(ServerClient server, string name, CancellationToken ct)
    {
        for (var after = 0; ;)
        {
            var page = (await server.GetAsync($"/templates?limit=100{(after > 0 ? string.Create(CultureInfo.InvariantCulture, $"&after={after}") : "")}", ct))
                .As(ApiJson.Default.TemplateListAnswer);
            if (page.Data.Any(template => template.ArchivedAt is null && (template.Name == name || template.Id == name)))
                return true;
            if (!page.HasMore)
                return false;
            after = page.Data[^1].Number;
        }
    }

    static Command MakePreview(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string?>("template")
        {
            Description = "Its name, id or number; left out, the files of --html and --text are tried, and nothing is kept.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var version = new Option<int?>("--version") { Description = "Another version than the newest." };
        var data = new Option<FileInfo?>("--data") { Description = "A file with JSON to fill in. Default: the template's test data." };
        var parts = new TemplateOptions();
        var command = new Command("preview", "Shows what a message would say.") { name, version, data, parts.Subject, parts.Html, parts.Text, parts.Strict };
        connection.Asks(command, screen, async (server, parsed, ct) =>
        {
            var fill = await TemplateOptions.JsonAsync(parsed.GetValue(data), ct);
            if (parsed.GetValue(name) is not { } kept)
            {
                var body = await parts.BodyAsync(parsed, ct);
                body["data"] = fill;
                return await server.PostAsync("/templates/preview", body.ToJsonString(), ct);
            }
            var asked = new JsonObject();
            if (parsed.GetValue(version) is { } number)
                asked["version"] = number;
            if (fill is not null)
                asked["data"] = fill;
            return await server.PostAsync($"/templates/{Uri.EscapeDataString(kept)}/render", asked.ToJsonString(), ct);
        }, (answer, _) =>
        {
            var filled = answer.As(ApiJson.Default.PreviewAnswer);
            Show(screen, filled.Subject, filled.Text, filled.Html);
        });
        return command;
    }

    static Command MakeDelete(ConnectionOptions connection, Screen screen)
    {
        var name = Name();
        var command = new Command("delete", "Archives a template: nothing is sent with it any more, and its name is free.") { name };
        connection.Asks(command, screen, (server, parsed, ct) => server.DeleteAsync(Path(parsed, name), ct),
            (_, parsed) => screen.Line($"{parsed.GetRequiredValue(name)} is archived."));
        return command;
    }

    static void Show(Screen screen, string? subject, string? text, string? html)
    {
        foreach (var (what, content) in new[] { ("subject", subject), ("text", text), ("html", html) })
            if (content is not null)
            {
                screen.Line($"--- {what}");
                screen.Line(content);
            }
    }
}

/// <summary>The parts of a template, each from a file but the subject.</summary>
sealed class TemplateOptions
{
    public Option<string?> Subject { get; } = new("--subject") { Description = "The subject." };
    public Option<FileInfo?> Html { get; } = new("--html") { Description = "A file with the HTML." };
    public Option<FileInfo?> Text { get; } = new("--text") { Description = "A file with the plain text." };
    public Option<bool> Strict { get; } = new("--strict") { Description = "A variable that the data lack is an error." };

    public async Task<JsonObject> BodyAsync(ParseResult parsed, CancellationToken ct)
    {
        var body = new JsonObject { ["subject"] = parsed.GetValue(Subject) };
        foreach (var (name, option) in new[] { ("html", Html), ("text", Text) })
            body[name] = parsed.GetValue(option) is { } file ? await ReadAsync(file, ct) : null;
        if (parsed.GetValue(Strict))
            body["strict"] = true;
        return body;
    }

    /// <summary>Null: no file was given.</summary>
    public static async Task<JsonNode?> JsonAsync(FileInfo? file, CancellationToken ct)
    {
        if (file is null)
            return null;
        try
        {
            return JsonNode.Parse(await ReadAsync(file, ct));
        }
        catch (JsonException e)
        {
            throw CommandFailure.Usage($"{file.FullName} is not valid JSON (line {e.LineNumber + 1})");
        }
    }

    static async Task<string> ReadAsync(FileInfo file, CancellationToken ct)
    {
        try
        {
            return await File.ReadAllTextAsync(file.FullName, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandFailure.Usage($"{file.FullName} cannot be read: {e.Message}");
        }
    }
}
