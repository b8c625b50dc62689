using System.Collections;
using System.Diagnostics;
using System.Runtime.Versioning;
using Postrider.Cli;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>What a real shell offers behind <c>postrider</c>.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class CompletionTests
{
    [Theory]
    [InlineData("postrider dead-l", "dead-letters")]
    [InlineData("postrider dead-letters re", "redrive")]
    [InlineData("postrider transports ", "add callbacks list pause remove resume test")]
    [InlineData("postrider list --ta", "--tag")]
    [InlineData("postrider keys create shop --kind s", "sigv4")]
    [InlineData("postrider simulate --strategy ", "priority round_robin sticky weighted")]
    [InlineData("postrider simulate --backoff e", "exponential")]
    [InlineData("postrider simulate /", "")]
    [InlineData("postrider nothing-of-this-name", "")]
    public async Task Bash_completes_commands_options_and_words(string line, string wanted)
    {
        IEnumerable<string> offered = await OfferedAsync(line);
        if (wanted.Contains(' ', StringComparison.Ordinal))
            offered = offered.Where(word => char.IsAsciiLetter(word[0])).Order(StringComparer.Ordinal);   // options are offered too
        Assert.Equal(wanted, string.Join(' ', offered));
    }

    [Theory]
    [InlineData("zsh", "compdef _postrider postrider")]
    [InlineData("fish", "complete -c postrider")]
    public async Task Other_shells_have_scripts_of_their_own(string shell, string words)
    {
        var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(["completion", shell], new CommandInput(new Hashtable(), null), output, TextWriter.Null));
        Assert.Contains(words, output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>As bash calls it when somebody presses the tabulator at the end of the line.</summary>
    static async Task<string[]> OfferedAsync(string line)
    {
        const string Script = """
            set -e
            source <(postrider completion bash)
            COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
            read -ra COMP_WORDS <<< "$COMP_LINE"
            [[ "$COMP_LINE" == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
            _postrider || true
            complete -p postrider >&2
            printf '%s\n' "${COMPREPLY[@]}"
            """;
        using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", Script, "bash", line])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["PATH"] = $"{AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}" },
        })!;
        var errors = shell.StandardError.ReadToEndAsync();
        var offered = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        Assert.True(shell.ExitCode == 0, await errors);
        Assert.Contains("complete -o default -F _postrider postrider", await errors, StringComparison.Ordinal);
        return offered.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
