using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Postrider.Api;
using Postrider.Doctor;
using Postrider.Hosting;
using Postrider.Hosting.Examining;

namespace Postrider.Cli;

/// <summary><c>doctor</c>: what is wrong with an installation and what to do, asked of its server, or seen in its settings and database
/// where none runs.</summary>
static class DoctorCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var command = new Command("doctor",
            "Finds what is wrong with the installation and says what to do: exit code 0 when nothing is, else 1. Asks the server "
            + "(with a key of an administrator of the first tenant), or looks at settings and database where none runs.");
        var settings = ServerSettings.Of(command, input, "As for serve, where no server runs: --config FILE, --data FOLDER.");
        command.SetAction(async (parsed, ct) =>
        {
            var answer = await connection.AnswersAsync(parsed, ct)
                ? await AskAsync(connection, parsed, ct)
                : connection.NamesServer(parsed)
                    ? throw new CommandFailure(ExitCodes.Unavailable, $"no server answers at {connection.Address(parsed)}; "
                        + "without --url and POSTRIDER_URL the settings and the database of this machine are looked at")
                    : DoctorAnswer.Of(await Examination.OfMachineAsync(settings.Read(parsed), TimeProvider.System, ct));
            if (connection.WantsJson(parsed))
                screen.Json(new Answer(JsonSerializer.Serialize(answer, ApiJson.Written.DoctorAnswer)));
            else
                Show(answer, screen);
            return answer.Findings.Count == 0 ? ExitCodes.Ok : CommandFailure.Failed;
        });
        return command;
    }

    /// <summary>What the server finds, and what shows from here only.</summary>
    static async Task<DoctorAnswer> AskAsync(ConnectionOptions connection, ParseResult parsed, CancellationToken ct)
    {
        using var server = connection.Open(parsed);
        var before = TimeProvider.System.GetUtcNow();
        var answer = (await server.GetAsync("/doctor", ct)).As(ApiJson.Default.DoctorAnswer);
        // Its moment is that at which the server began to look.
        var facts = new Facts
        {
            Now = before,
            Version = ThisProcess.Version,
            Clocks = [("the server", answer.At - before)],
            Certificate = server.CertificateEnds is { } ends ? new CertificateFact($"the certificate of {connection.Address(parsed)}", ends) : null,
            Nodes = [new NodeFact("here", "all", ThisProcess.Version), new NodeFact("there", "all", answer.Version)],
        };
        var seen = Check.Examine(facts).Select(FindingAnswer.Of).Where(finding => !answer.Findings.Any(f => f.Check == finding.Check));
        return answer with { Findings = [.. answer.Findings.Concat(seen).OrderByDescending(finding => finding.Severity)] };
    }

    static void Show(DoctorAnswer answer, Screen screen)
    {
        foreach (var finding in answer.Findings)
        {
            screen.Line($"{ApiJson.Word(finding.Severity)}  {finding.Check}");
            screen.Line($"    {finding.Found}");
            screen.Line($"    {finding.Remedy}");
        }
        foreach (var unseen in answer.Unseen)
            screen.Line($"not looked at: {unseen.What}: {unseen.Why}");
        var faults = answer.Findings.Count(finding => finding.Severity == Severity.Fault);
        screen.Line(answer.Findings.Count == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{answer.Checks.Count} checks: nothing is wrong.")
            : string.Create(CultureInfo.InvariantCulture,
                $"{answer.Checks.Count} checks: {faults} faults, {answer.Findings.Count - faults} warnings."));
    }
}
