using System.CommandLine;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>completion bash|zsh|fish</c>: the script by which a shell completes our commands and options.</summary>
/// <remarks>The scripts ask the program itself, by System.CommandLine's directive <c>[suggest:POSITION]</c>, so they never grow
/// old.</remarks>
static class CompletionCommand
{
    const string Bash = """
        # postrider completion bash: put this line into ~/.bashrc
        #   source <(postrider completion bash)
        _postrider() {
            local cur="${COMP_WORDS[COMP_CWORD]}" candidates
            candidates="$(postrider "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)"
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "${candidates}" -- "${cur}"))
        }
        complete -o default -F _postrider postrider
        """;

    const string Zsh = """
        #compdef postrider
        # postrider completion zsh: put this line into ~/.zshrc, behind compinit
        #   source <(postrider completion zsh)
        _postrider() {
            local -a candidates
            candidates=("${(@f)$(postrider "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
        }
        compdef _postrider postrider
        """;

    const string Fish = """
        # postrider completion fish: write it to ~/.config/fish/completions/postrider.fish
        function __postrider_complete
            set -l line (commandline -cp)
            postrider "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c postrider -a "(__postrider_complete)"
        """;

    public static Command Make(Screen screen)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints the script by which a shell completes commands and options: source <(postrider completion bash)")
        {
            shell,
        };
        command.SetAction(parsed =>
        {
            screen.Line(parsed.GetRequiredValue(shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return ExitCodes.Ok;
        });
        return command;
    }
}
