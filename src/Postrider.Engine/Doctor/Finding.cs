namespace Postrider.Doctor;

/// <summary>How bad it is.</summary>
public enum Severity : byte
{
    /// <summary>It works, and will not for long, or not as meant.</summary>
    Warning,

    /// <summary>Mail is refused, waits, or is not safe.</summary>
    Fault,
}

/// <summary>Something that is wrong.</summary>
/// <param name="Check">The name of the check that found it, such as <c>disk.full</c>. Names stay as they are: scripts read them.</param>
/// <param name="Found">What was seen, in one sentence, never with a secret in it.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record Finding(string Check, Severity Severity, string Found, string Remedy);

/// <summary>One thing that is looked at: a pure function of what was gathered.</summary>
/// <param name="Question">What is asked, in words for people.</param>
/// <param name="Look">Null or none: all is well, or nothing is known.</param>
public sealed record Check(string Name, string Question, Func<Facts, IEnumerable<Finding>> Look)
{
    /// <summary>Every check, in the order in which they are shown.</summary>
    public static IReadOnlyList<Check> All { get; } =
    [
        .. ConfigurationChecks.All, .. FileChecks.All, .. StoreChecks.All, .. SecretChecks.All, .. NodeChecks.All, .. TransportChecks.All,
        .. DnsChecks.All, .. QueueChecks.All,
    ];

    /// <summary>What all of them find, the worst first.</summary>
    public static IReadOnlyList<Finding> Examine(Facts facts) =>
        [.. All.SelectMany(check => check.Look(facts)).OrderByDescending(finding => finding.Severity)];

    /// <summary>A check that names itself.</summary>
    internal static Check Of(string name, string question, Func<Facts, Findings, IEnumerable<Finding>> look)
    {
        var findings = new Findings(name);
        return new Check(name, question, facts => look(facts, findings));
    }
}

/// <summary>Findings of one check.</summary>
sealed class Findings(string check)
{
    public Finding Fault(string found, string remedy) => new(check, Severity.Fault, found, remedy);
    public Finding Warning(string found, string remedy) => new(check, Severity.Warning, found, remedy);
}
