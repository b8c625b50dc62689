using System.Collections;
using System.CommandLine;
using System.Text;
using Postrider.Cli;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>The reference of the command line says what the commands themselves say.</summary>
public sealed class ReferencePageTests
{
    const string Begin = "<!-- from here on written by: POSTRIDER_WRITE_DOCS=1, test ReferencePageTests -->\n";

    static string Path => Repository.Path("docs", "cli.md");

    [Fact]
    public void Every_command_and_option_is_on_the_page_as_the_program_tells_it()
    {
        var page = File.ReadAllText(Path);
        var own = page[..(page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)];
        var written = own + Commands();
        if (Environment.GetEnvironmentVariable("POSTRIDER_WRITE_DOCS") == "1")
            File.WriteAllText(Path, written);
        Assert.Equal(written, File.ReadAllText(Path));
    }

    [Fact]
    public void Every_command_of_the_issue_is_there()
    {
        string[] asked =
        [
            "send", "status", "tail", "queue", "dead-letters list", "dead-letters redrive", "dead-letters discard", "batches", "schedules",
            "templates", "suppressions import", "suppressions export", "transports list", "transports test", "transports pause",
            "transports resume", "nodes", "keys", "tokens", "config", "migrate", "move", "dkim", "backup", "restore", "doctor", "simulate",
            "drill", "completion",
        ];
        var text = Commands();
        Assert.All(asked, command => Assert.Contains($"# postrider {command}", text, StringComparison.Ordinal));
    }

    static string Commands()
    {
        var text = new StringBuilder();
        var root = CommandLine.Root(new CommandInput(new Hashtable(), null), TextWriter.Null);
        text.Append("\n## Options of every command\n\n");
        Options(text, root.Options.Where(option => option.Recursive && option.Name is not ("--help" or "--version")));
        foreach (var command in root.Subcommands.OrderBy(command => command.Name, StringComparer.Ordinal))
            Tell(text, command, $"postrider {command.Name}", depth: 2);
        return text.ToString();
    }

    static void Tell(StringBuilder text, Command command, string path, int depth)
    {
        text.Append('\n').Append('#', depth).Append(' ').Append(path).Append("\n\n").Append(command.Description).Append("\n\n");
        var arguments = string.Concat(command.Arguments.Select(argument =>
            argument.Arity.MinimumNumberOfValues == 0 ? $" [{argument.Name}]" : $" {argument.Name.ToUpperInvariant()}"));
        if (command.Subcommands.Count == 0)
            text.Append("    ").Append(path).Append(arguments).Append(command.Options.Any(o => o.Name != "--help") ? " [options]" : "").Append("\n\n");
        if (command.Arguments.Count + command.Options.Count(option => option.Name != "--help") > 0)
        {
            text.Append("| | |\n|---|---|\n");
            foreach (var argument in command.Arguments)
                text.Append("| `").Append(argument.Name).Append("` | ").Append(Cell(argument.Description)).Append(" |\n");
            foreach (var option in command.Options.Where(option => option.Name != "--help"))
                Row(text, option);
        }
        foreach (var below in command.Subcommands.OrderBy(below => below.Name, StringComparer.Ordinal))
            Tell(text, below, $"{path} {below.Name}", depth + 1);
    }

    static void Options(StringBuilder text, IEnumerable<Option> options)
    {
        text.Append("| | |\n|---|---|\n");
        foreach (var option in options)
            Row(text, option);
    }

    static void Row(StringBuilder text, Option option) => text.Append("| `")
        .Append(string.Join("`, `", option.Aliases.Prepend(option.Name))).Append("` | ")
        .Append(option.Required ? "Required. " : "").Append(Cell(option.Description)).Append(" |\n");

    static string Cell(string? text) => (text ?? "").Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");
}
